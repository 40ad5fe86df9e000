import { ProviderError } from '../errors'
import { mapInput } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { type Target, targetOf } from './model'
import { ReplicateParams } from './params'

/** One prediction to be created. */
export type Creation = Target & { input: { [key: string]: Json } }

/**
 * The predictions that together make what was asked for: one, or several where a call of this model
 * makes fewer. Throws ProviderError `rejected` for what cannot be asked for.
 */
export function creationsOf(input: ProviderInput): Creation[] {
  if (!KINDS.includes(input.kind)) throw refusal(`it makes no ${input.kind}`)
  const { config } = input
  checkParams(input)
  const withImages = input.images.length > 0 ? config.with_images_model : undefined
  const target = targetOf(withImages ?? input.providerModel)
  return countsOf(input).map(count => ({ ...target, input: inputOf(input, count) }))
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

function inputOf(input: ProviderInput, count: number): { [key: string]: Json } {
  const { config } = input
  // Models that make one picture have no such field and turn away what they do not know, and those
  // that have it make one by default.
  const isCounted = count > 1 || config.fields?.num_outputs !== undefined
  const fields = { ...FIELDS, num_outputs: isCounted ? 'num_outputs' : null }
  const output_formats = { ...OUTPUT_FORMATS, ...config.output_formats }
  return mapInput({ ...input, numOutputs: count, config: { ...config, output_formats } }, fields)
}

function countsOf({ numOutputs, config }: ProviderInput): number[] {
  const perCall = config.outputs_per_call ?? numOutputs
  const calls = Math.ceil(numOutputs / perCall)
  return Array.from({ length: calls }, (_, call) => Math.min(perCall, numOutputs - call * perCall))
}

/** What the hub has a field for is asked for there, where it is checked, and nowhere else. */
function checkParams({ params, config }: ProviderInput): void {
  const result = ReplicateParams.safeParse(params)
  if (!result.success) throw refusal(result.error.issues.map(issue => issue.message).join(', '))
  const ours = Object.values({ ...FIELDS, ...config.fields, ...keysOf(config.constants) })
  const taken = Object.keys(params).find(name =>
    ours.some(field => field?.replace(/\[\]$/, '') === name),
  )
  if (taken !== undefined) throw refusal(`${taken} is set by the hub`)
}

function keysOf(object: object = {}): { [key: string]: string } {
  return Object.fromEntries(Object.keys(object).map(key => [`constant ${key}`, key]))
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `not for Replicate: ${why}`, { reason: 'input' })
}
