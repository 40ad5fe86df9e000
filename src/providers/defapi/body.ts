import { addressesOnly, checkInHand, isInHand } from '../data-url'
import { ProviderError } from '../errors'
import { type FieldNames, mapInput, modelOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { type Endpoint, endpointOf } from './endpoints'
import { DefapiParams } from './params'

export type Submission = { path: string; body: { [key: string]: Json } }

/**
 * Where to and what. Throws `rejected` for parameters that the endpoint does not take, `unavailable` for
 * pictures in hand where it is not known to take them.
 */
export function submissionOf(input: ProviderInput, callbackUrl: string | null): Submission {
  const model = modelOf(input)
  const endpoint = endpointOf(model, input.config)
  const params = readParams(input, endpoint)
  if (!endpoint.takesInHand && input.images.some(isInHand))
    throw addressesOnly('this model of defapi')
  checkInHand(input.images)
  if (input.prompt === null && input.images.length === 0) {
    throw new ProviderError('rejected', 'neither a prompt nor a picture', { reason: 'input' })
  }
  const { endpoint: _, ...constants } = input.config.constants ?? {}
  const config = { ...input.config, constants }
  const mapped = mapInput({ ...input, params, config }, fieldsOf(input, endpoint))
  return {
    path: endpoint.path,
    body: {
      ...withVendorsValues(mapped, endpoint),
      ...(endpoint.hasContent ? { content: contentOf(input) } : {}),
      ...(endpoint.hasNoModel ? {} : { model }),
      ...(endpoint.takesCallback && callbackUrl !== null ? { callback_url: callbackUrl } : {}),
    },
  }
}

/** Nothing is documented, so no field is sent that nobody was seen to send, unless the route names it. */
function fieldsOf(input: ProviderInput, { fields, hasContent }: Endpoint): FieldNames {
  const ours = [...Object.keys(input.extra), 'images', 'aspect_ratio']
  return {
    ...Object.fromEntries(ours.map(field => [field, null])),
    num_outputs: null,
    output_format: null,
    prompt: hasContent ? null : 'prompt',
    ...fields,
  }
}

/** Our sizes are 1K and 2K, theirs 1k and 2k; some take seconds as text. */
function withVendorsValues(
  body: { [key: string]: Json },
  { durationIsText }: Endpoint,
): { [key: string]: Json } {
  const { image_size: size, duration } = body
  return {
    ...body,
    ...(typeof size === 'string' ? { image_size: size.toLowerCase() } : {}),
    ...(durationIsText && typeof duration === 'number' ? { duration: String(duration) } : {}),
  }
}

function contentOf({ prompt, images }: ProviderInput): Json[] {
  const text = prompt === null ? [] : [{ type: 'text', text: prompt }]
  return [...text, ...images.map(url => ({ type: 'image_url', image_url: { url } }))]
}

function readParams(
  { params }: ProviderInput,
  { params: taken = [] }: Endpoint,
): { [key: string]: Json } {
  const parsed = DefapiParams.safeParse(params)
  const surplus = Object.keys(params).find(name => !taken.includes(name))
  if (parsed.success && surplus === undefined) return params
  const why = parsed.success ? `${surplus} is not taken by this model` : parsed.error.message
  throw new ProviderError('rejected', `defapi parameters: ${why}`, { reason: 'input' })
}
