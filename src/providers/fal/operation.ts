import { z } from 'zod'
import { ProviderError } from '../errors'
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
export const FalOperation = z.object({
  requests: z.array(FalRequest).min(1),
  started_at_ms: z.int(),
  /** Of one output, where it was asked for. */
  seconds: z.number().nullable(),
  rates: z
    .object({
      per_output: z.number().exactOptional(),
      per_second: z.number().exactOptional(),
      per_call: z.number().exactOptional(),
    })
    .nullable(),
})
export type FalOperation = z.infer<typeof FalOperation>

/** Throws ProviderError `unknown_outcome` when the operation is none of ours: it can never be asked about. */
export function readOperation(operation: Operation, hosts: FalHosts): FalOperation {
  const parsed = FalOperation.safeParse(operation)
  if (parsed.success && parsed.data.requests.every(request => isAskable(request, hosts))) {
    return parsed.data
  }
  throw new ProviderError('unknown_outcome', 'this is no operation of fal')
}

/** The key goes along with every one of these calls. */
export function isAskable(request: FalRequest, hosts: FalHosts): boolean {
  const { status_url, response_url, cancel_url } = request
  return [status_url, response_url, cancel_url].every(
    address => address === null || hosts.mayHaveKey(address),
  )
}
