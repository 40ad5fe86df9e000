import { ProviderError } from '../errors'
import { mapInput } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { FalParams } from './params'

/** One submit: the endpoint, its input, and how many outputs it is to make. */
export type FalCall = { endpoint: string; body: { [key: string]: Json }; outputs: number }

/**
 * What to submit for an input: one call, or several where the endpoint makes fewer a call than asked for.
 * Throws ProviderError `rejected` for what fal cannot make and for parameters that are not the caller's,
 * `unavailable` for a route that names no endpoint.
 */
export function falCalls(input: ProviderInput): FalCall[] {
  if (!KINDS.has(input.kind)) throw rejected(`fal makes no ${input.kind} here`)
  const endpoint = endpointOf(input)
  const names = { ...namesOf(input), ...input.config.fields }
  checkParams(input, names)
  const shaped = shape(input, names)
  const most = input.config.outputs_per_call ?? (names.num_outputs === null ? 1 : input.numOutputs)
  return split(input.numOutputs, most).map((outputs, index) => ({
    endpoint,
    outputs,
    body: mapInput({ ...shaped, numOutputs: outputs, extra: seeded(shaped.extra, index) }),
  }))
}

type Names = { [ours: string]: string | null }
const KINDS = new Set(['image', 'image_edit', 'video', 'upscale'])
/** `owner/app` and any path below it. It becomes part of an address, so nothing else is let through. */
const ENDPOINT = /^[\w-][\w.-]*(\/[\w-][\w.-]*)+$/

function endpointOf({ config, images, providerModel }: ProviderInput): string {
  const endpoint = (images.length > 0 ? config.with_images_model : undefined) ?? providerModel
  if (ENDPOINT.test(endpoint)) return endpoint
  throw new ProviderError('unavailable', 'the route names no endpoint of fal')
}

/** The names that most endpoints share. Where one differs its route says so. */
function namesOf({ kind, images }: ProviderInput): Names {
  const isPicture = kind === 'image' || kind === 'image_edit'
  return {
    prompt: 'prompt',
    images: images.length > 1 ? 'image_urls[]' : 'image_url',
    aspect_ratio: kind === 'upscale' ? null : 'aspect_ratio',
    num_outputs: isPicture ? 'num_images' : null,
    output_format: isPicture ? 'output_format' : null,
    duration_seconds: 'duration:text',
  }
}

/** What we name and what the operator fixed is not the caller's, whether or not it is sent this time. */
function checkParams({ params, config }: ProviderInput, names: Names): void {
  const parsed = FalParams.safeParse(params)
  if (!parsed.success) throw rejected(`parameters for fal: ${parsed.error.message}`)
  const ours = new Set([
    ...Object.values(names).map(name => name?.replace(/(\[\]|:\w+)$/, '')),
    ...Object.keys(config.constants ?? {}),
  ])
  const taken = Object.keys(params).filter(name => ours.has(name))
  if (taken.length > 0) throw rejected(`set by us and not by provider_params: ${taken.join(', ')}`)
}

/**
 * fal's endpoints disagree on how a number is written: `5`, `"5"` or `"5s"`. A name that ends in `:text` or
 * `:seconds` says so, and `:text` is understood by those that want a number as well.
 */
function shape(input: ProviderInput, names: Names): ProviderInput {
  const fields: Names = {}
  const extra = { ...input.extra }
  for (const [ours, theirs] of Object.entries(names)) {
    const [, name, form] = /^(.+):(text|seconds)$/.exec(theirs ?? '') ?? []
    fields[ours] = name ?? theirs
    const value = extra[ours]
    if (name && typeof value === 'number') extra[ours] = form === 'text' ? `${value}` : `${value}s`
  }
  return { ...input, extra, config: { ...input.config, fields } }
}

/** 5 by at most 2: 2, 2, 1. */
function split(wanted: number, most: number): number[] {
  const calls = Math.max(Math.ceil(wanted / most), 1)
  return Array.from({ length: calls }, (_, index) => Math.min(most, wanted - index * most))
}

const SEEDS = 2 ** 32

/** Several calls with one seed would make one picture several times. A negative seed means a random one. */
function seeded(extra: ProviderInput['extra'], index: number): ProviderInput['extra'] {
  const { seed } = extra
  if (index === 0 || typeof seed !== 'number' || seed < 0) return extra
  return { ...extra, seed: (seed + index) % SEEDS }
}

function rejected(message: string): ProviderError {
  return new ProviderError('rejected', message, { reason: 'input' })
}
