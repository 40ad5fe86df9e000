import { checkParams, notFor } from '../check-params'
import { type FieldNames, mapInput, modelOf, namesOf, reservedNames } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { splitCalls } from '../split-calls'
import { RunwayParams } from './params'
import { ratiosOf } from './ratios'

/** One task to be created: where, from what, and how many outputs it is to make. */
export type RunwayCall = { path: string; body: { [key: string]: Json }; outputs: number }

/**
 * What to create for an input: one task for each output, unless the route names a field for their number.
 * Throws ProviderError `rejected` for what Runway cannot make and for parameters that are not the caller's.
 */
export function runwayCalls(input: ProviderInput): RunwayCall[] {
  const path = pathOf(input)
  const pictures = picturesOf(input)
  checkParams('Runway', RunwayParams, input, reservedNames(input))
  const usual = input.kind === 'upscale' ? { ...FIELDS, ...UPSCALE_FIELDS } : FIELDS
  const config = { ...input.config, aspect_ratios: ratiosOf(input) }
  const isOneACall = namesOf(input, usual).num_outputs === null
  const most = config.outputs_per_call ?? (isOneACall ? 1 : input.numOutputs)
  return splitCalls({ ...input, config }, most).map(call => ({
    path,
    outputs: call.numOutputs,
    body: { ...mapInput(call, usual, { images: null }), ...pictures, model: modelOf(input) },
  }))
}

/** Runway's names for our fields. The form of the file is its own choice. */
const FIELDS: FieldNames = {
  prompt: 'promptText',
  aspect_ratio: 'ratio',
  num_outputs: null,
  output_format: null,
  duration_seconds: 'duration',
  negative_prompt: 'negativePrompt',
}
const UPSCALE_FIELDS: FieldNames = {
  prompt: null,
  aspect_ratio: null,
  upscale_factor: 'scaleFactor',
}

function pathOf({ kind, images }: ProviderInput): string {
  if (kind === 'image' || kind === 'image_edit') return '/v1/text_to_image'
  if (kind === 'video') return images.length > 0 ? '/v1/image_to_video' : '/v1/text_to_video'
  if (kind === 'upscale') return '/v1/image_upscale'
  throw notFor('Runway', `it makes no ${kind} here`)
}

/** Pictures have a form of their own at every endpoint. */
function picturesOf({ kind, images }: ProviderInput): { [key: string]: Json } {
  const [first, second] = images
  if (kind === 'upscale') {
    if (!first || second) throw notFor('Runway', 'it upscales one picture at a time')
    return { imageUri: first }
  }
  if (!first) return {}
  if (kind !== 'video') return { referenceImages: images.map(uri => ({ uri })) }
  if (!second) return { promptImage: first }
  if (images.length > 2) throw notFor('Runway', 'a video has a first and a last picture')
  return {
    promptImage: [
      { uri: first, position: 'first' },
      { uri: second, position: 'last' },
    ],
  }
}
