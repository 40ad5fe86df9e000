import { ProviderError } from '../errors'
import { mapInput } from '../map-input'
import type { Json, ProviderInput } from '../spec'
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
  checkParams(input)
  const { config, images, providerModel } = input
  const model = (images.length > 0 ? config.with_images_model : undefined) ?? providerModel
  const fields = {
    ...FIELDS,
    ...(input.kind === 'upscale' ? UPSCALE_FIELDS : {}),
    ...config.fields,
  }
  // Pictures have a form of their own at every endpoint.
  const shaped = { ...config, fields: { ...fields, images: null }, aspect_ratios: ratiosOf(input) }
  const most = config.outputs_per_call ?? (fields.num_outputs === null ? 1 : input.numOutputs)
  return split(input.numOutputs, most).map((outputs, index) => {
    const extra = seeded(input.extra, index)
    const body = mapInput({ ...input, extra, numOutputs: outputs, config: shaped })
    return { path, outputs, body: { ...body, ...pictures, model } }
  })
}

type Names = { [ours: string]: string | null }
/** Runway's names for our fields. The form of the file is its own choice. */
const FIELDS: Names = {
  prompt: 'promptText',
  aspect_ratio: 'ratio',
  num_outputs: null,
  output_format: null,
  duration_seconds: 'duration',
  negative_prompt: 'negativePrompt',
}
const UPSCALE_FIELDS: Names = { prompt: null, aspect_ratio: null, upscale_factor: 'scaleFactor' }

function pathOf({ kind, images }: ProviderInput): string {
  if (kind === 'image' || kind === 'image_edit') return '/v1/text_to_image'
  if (kind === 'video') return images.length > 0 ? '/v1/image_to_video' : '/v1/text_to_video'
  if (kind === 'upscale') return '/v1/image_upscale'
  throw rejected(`Runway makes no ${kind} here`)
}

function picturesOf({ kind, images }: ProviderInput): { [key: string]: Json } {
  const [first, second] = images
  if (kind === 'upscale') {
    if (!first || second) throw rejected('Runway upscales one picture at a time')
    return { imageUri: first }
  }
  if (!first) return {}
  if (kind !== 'video') return { referenceImages: images.map(uri => ({ uri })) }
  if (!second) return { promptImage: first }
  if (images.length > 2) throw rejected('a video at Runway has a first and a last picture')
  return {
    promptImage: [
      { uri: first, position: 'first' },
      { uri: second, position: 'last' },
    ],
  }
}

/** What the operator fixed is not the caller's. */
function checkParams({ params, config }: ProviderInput): void {
  const parsed = RunwayParams.safeParse(params)
  if (!parsed.success) throw rejected(`parameters for Runway: ${parsed.error.message}`)
  const fixed = Object.keys(config.constants ?? {})
  const taken = Object.keys(params).filter(name => fixed.includes(name))
  if (taken.length > 0) throw rejected(`set by us and not by provider_params: ${taken.join(', ')}`)
}

/** 5 by at most 2: 2, 2, 1. */
function split(wanted: number, most: number): number[] {
  const calls = Math.max(Math.ceil(wanted / most), 1)
  return Array.from({ length: calls }, (_, index) => Math.min(most, wanted - index * most))
}

const SEEDS = 2 ** 32

/** Several tasks with one seed would make one picture several times. */
function seeded(extra: ProviderInput['extra'], index: number): ProviderInput['extra'] {
  const { seed } = extra
  if (index === 0 || typeof seed !== 'number' || seed < 0) return extra
  return { ...extra, seed: (seed + index) % SEEDS }
}

function rejected(message: string): ProviderError {
  return new ProviderError('rejected', message, { reason: 'input' })
}
