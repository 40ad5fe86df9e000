import { z } from 'zod'
import { ProviderError } from '../errors'
import type { Operation, ProviderInput } from '../spec'
import type { Prediction } from './prediction'

/** What is stored of a start: all that polling, cancelling and counting the cost need later. */
export const ReplicateOperation = z.object({
  predictions: z
    .array(z.object({ id: z.string().min(1), get: z.string(), cancel: z.string() }))
    .min(1),
  /** Null where the start was found and not made: then nobody knows what was asked for. */
  asked: z
    .object({
      kind: z.string(),
      num_outputs: z.int(),
      /** Of the video that was asked for. */
      seconds: z.number().nullable(),
      rates: z
        .object({
          per_output: z.number().exactOptional(),
          per_second: z.number().exactOptional(),
          per_call: z.number().exactOptional(),
        })
        .nullable(),
    })
    .nullable(),
  started_at_ms: z.number(),
})

export type ReplicateOperation = z.infer<typeof ReplicateOperation>

export function operationOf(
  baseUrl: string,
  predictions: Prediction[],
  input: ProviderInput | null,
  nowMs: number,
): ReplicateOperation {
  return {
    predictions: predictions.map(prediction => handleOf(baseUrl, prediction)),
    asked: input && askedOf(input),
    started_at_ms: nowMs,
  }
}

/** Throws ProviderError `unknown_outcome` for an operation that is none of ours. */
export function readOperation(baseUrl: string, operation: Operation): ReplicateOperation {
  const result = ReplicateOperation.safeParse(operation)
  if (!result.success) {
    throw new ProviderError('unknown_outcome', 'this is no operation of Replicate', {
      cause: result.error,
    })
  }
  // The key goes with every one of these calls. An address that was stored under another base is left.
  for (const { get, cancel } of result.data.predictions) {
    if (isOfVendor(baseUrl, get) && isOfVendor(baseUrl, cancel)) continue
    throw new ProviderError('unknown_outcome', `${get} is no address of Replicate`)
  }
  return result.data
}

/** The vendor's own addresses where they are on the vendor's own host, else those it documents. */
function handleOf(baseUrl: string, { id, urls }: Prediction) {
  const get = `${baseUrl}/predictions/${id}`
  const cancel = `${get}/cancel`
  return {
    id,
    get: urls?.get && isOfVendor(baseUrl, urls.get) ? urls.get : get,
    cancel: urls?.cancel && isOfVendor(baseUrl, urls.cancel) ? urls.cancel : cancel,
  }
}

/** The origin decides who reads the key. */
export function isOfVendor(baseUrl: string, address: string): boolean {
  const url = URL.parse(address)
  return url !== null && url.origin === new URL(baseUrl).origin && url.username === ''
}

function askedOf({ kind, numOutputs, extra, config }: ProviderInput) {
  const { duration_seconds } = extra
  return {
    kind,
    num_outputs: numOutputs,
    seconds: typeof duration_seconds === 'number' ? duration_seconds : null,
    rates: config.cost ?? null,
  }
}
