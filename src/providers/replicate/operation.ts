import { z } from 'zod'
import { Price, priceOf } from '../cost'
import { ProviderError } from '../errors'
import { mayHaveKey } from '../http'
import { readOperation } from '../read-operation'
import type { Operation, ProviderInput } from '../spec'
import type { Prediction } from './prediction'

/** What is stored of a start: all that polling, cancelling and counting the cost need later. */
const ReplicateOperation = z.object({
  predictions: z
    .array(z.object({ id: z.string().min(1), get: z.string(), cancel: z.string() }))
    .min(1),
  kind: z.string(),
  num_outputs: z.int(),
  started_at_ms: z.number(),
  ...Price.shape,
})

export type ReplicateOperation = z.infer<typeof ReplicateOperation>
export type Handle = ReplicateOperation['predictions'][number]

export function operationOf(
  baseUrl: string,
  predictions: Prediction[],
  input: ProviderInput,
  nowMs: number,
): ReplicateOperation {
  return {
    predictions: predictions.map(prediction => handleOf(baseUrl, prediction)),
    kind: input.kind,
    num_outputs: input.numOutputs,
    started_at_ms: nowMs,
    ...priceOf(input),
  }
}

/** Throws ProviderError `unknown_outcome` for an operation that is none of ours. */
export function storedOperation(baseUrl: string, stored: Operation): ReplicateOperation {
  const operation = readOperation('Replicate', ReplicateOperation, stored)
  // The key goes with every one of these calls. An address that was stored under another base is left.
  for (const { get, cancel } of operation.predictions) {
    if (mayHaveKey(baseUrl, get) && mayHaveKey(baseUrl, cancel)) continue
    throw new ProviderError('unknown_outcome', `${get} is no address of Replicate`)
  }
  return operation
}

/** The vendor's own addresses where they are on the vendor's own host, else those it documents. */
function handleOf(baseUrl: string, { id, urls }: Prediction): Handle {
  const get = `${baseUrl}/predictions/${id}`
  const cancel = `${get}/cancel`
  return {
    id,
    get: urls?.get && mayHaveKey(baseUrl, urls.get) ? urls.get : get,
    cancel: urls?.cancel && mayHaveKey(baseUrl, urls.cancel) ? urls.cancel : cancel,
  }
}
