import { checkParams, notFor } from '../check-params'
import { ProviderError } from '../errors'
import { type FieldNames, mapInput, modelOf, namesOf, reservedNames } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { splitCalls } from '../split-calls'
import { FalParams } from './params'

/** One submit: the endpoint, its input, and how many outputs it is to make. */
export type FalCall = { endpoint: string; body: { [key: string]: Json }; outputs: number }

/**
 * What to submit for an input: one call, or several where the endpoint makes fewer a call than asked for.
 * Throws ProviderError `rejected` for what fal cannot make and for parameters that are not the caller's,
 * `unavailable` for a route that names no endpoint.
 */
export function falCalls(input: ProviderInput): FalCall[] {
  if (!KINDS.has(input.kind)) throw notFor('fal', `it makes no ${input.kind} here`)
  const endpoint = modelOf(input)
  if (!ENDPOINT.test(endpoint)) throw noEndpoint()
  const usual = usualNames(input)
  checkParams('fal', FalParams, input, reservedNames(input, usual))
  const isOneACall = namesOf(input, usual).num_outputs === null
  const most = input.config.outputs_per_call ?? (isOneACall ? 1 : input.numOutputs)
  return splitCalls(input, most).map(call => ({
    endpoint,
    outputs: call.numOutputs,
    body: mapInput(call, usual),
  }))
}

const KINDS = new Set(['image', 'image_edit', 'video', 'upscale'])
/** `owner/app` and any path below it. It becomes part of an address, so nothing else is let through. */
const ENDPOINT = /^[\w-][\w.-]*(\/[\w-][\w.-]*)+$/

function noEndpoint(): ProviderError {
  const message = 'the route names no endpoint of fal'
  return new ProviderError('unavailable', message, { isPermanent: true })
}

/** The names that most endpoints share. Where one differs its route says so. */
function usualNames({ kind, images }: ProviderInput): FieldNames {
  const isPicture = kind === 'image' || kind === 'image_edit'
  return {
    prompt: 'prompt',
    images: images.length > 1 ? 'image_urls[]' : 'image_url',
    aspect_ratio: kind === 'upscale' ? null : 'aspect_ratio',
    num_outputs: isPicture ? 'num_images' : null,
    output_format: isPicture ? 'output_format' : null,
    // Endpoints disagree on whether it is a text; those that want a number understand one as well.
    duration_seconds: 'duration:text',
  }
}
