import { checkParams, notFor } from '../check-params'
import { mapInput, modelOf, namesOf, reservedNames } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { splitCalls } from '../split-calls'
import { type Target, targetOf } from './model'
import { ReplicateParams } from './params'

/** One prediction to be created. */
export type Creation = Target & { input: { [key: string]: Json } }

/**
 * The predictions that together make what was asked for: one, or several where a call of this model
 * makes fewer. Throws ProviderError `rejected` for what cannot be asked for.
 */
export function creationsOf(input: ProviderInput): Creation[] {
  if (!KINDS.includes(input.kind)) throw notFor('Replicate', `it makes no ${input.kind}`)
  // What the hub has a field for is asked for there, where it is checked, and nowhere else.
  checkParams('Replicate', ReplicateParams, input, reservedNames(input, FIELDS))
  const target = targetOf(modelOf(input))
  const most = input.config.outputs_per_call ?? input.numOutputs
  return splitCalls(input, most).map(call => ({ ...target, input: inputOf(call) }))
}

const KINDS = ['image', 'image_edit', 'video', 'upscale', 'text']

/** The commonest names; a model with others has them in its route. */
const FIELDS: { [ours: string]: string } = {
  prompt: 'prompt',
  images: 'image',
  aspect_ratio: 'aspect_ratio',
  num_outputs: 'num_outputs',
  output_format: 'output_format',
  duration_seconds: 'duration',
}
/** Most models spell it so, and turn away the other spelling. */
const OUTPUT_FORMATS = { jpeg: 'jpg' }

function inputOf(call: ProviderInput): Creation['input'] {
  // Models that make one picture have no such field and turn away what they do not know, and those
  // that have it make one by default.
  const isCounted = call.numOutputs > 1 || namesOf(call).num_outputs !== undefined
  const fields = { ...FIELDS, num_outputs: isCounted ? 'num_outputs' : null }
  const output_formats = { ...OUTPUT_FORMATS, ...call.config.output_formats }
  return mapInput({ ...call, config: { ...call.config, output_formats } }, fields)
}
