import { z } from 'zod'
import { Price } from '../cost'
import { ProviderError } from '../errors'
import { readOperation } from '../read-operation'
import type { Operation } from '../spec'
import type { FalHosts } from './hosts'

/** One request in fal's queue. The addresses are fal's own: they do not follow from the endpoint's name. */
const FalRequest = z.object({
  request_id: z.string(),
  status_url: z.string(),
  response_url: z.string(),
  cancel_url: z.string().nullable(),
  outputs: z.int(),
})
export type FalRequest = z.infer<typeof FalRequest>

/** Everything that polling needs, so that a restart changes nothing. */
const FalOperation = z.object({
  requests: z.array(FalRequest).min(1),
  started_at_ms: z.int(),
  ...Price.shape,
})
export type FalOperation = z.infer<typeof FalOperation>

/** Throws ProviderError `unknown_outcome` when the operation is none of ours: it can never be asked about. */
export function storedOperation(stored: Operation, hosts: FalHosts): FalOperation {
  const operation = readOperation('fal', FalOperation, stored)
  if (operation.requests.every(request => isAskable(request, hosts))) return operation
  throw new ProviderError('unknown_outcome', 'its addresses are none of fal')
}

/** The key goes along with every one of these calls. */
export function isAskable(request: FalRequest, hosts: FalHosts): boolean {
  const { status_url, response_url, cancel_url } = request
  return [status_url, response_url, cancel_url].every(
    address => address === null || hosts.mayHaveKey(address),
  )
}
