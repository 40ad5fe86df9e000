import { ProviderError } from '../errors'
import type { ProviderContext } from '../spec'
import { Submitted } from './answers'
import { ask } from './ask'
import { startError } from './errors'
import type { FalHosts } from './hosts'
import type { FalCall } from './input'
import { type FalRequest, isAskable } from './operation'

/** Puts one call into the queue. */
export async function submit(
  hosts: FalHosts,
  call: FalCall,
  ctx: ProviderContext,
): Promise<FalRequest> {
  const query = ctx.callbackUrl ? `?fal_webhook=${encodeURIComponent(ctx.callbackUrl)}` : ''
  const url = `${hosts.queue}/${call.endpoint}${query}`
  const answer = await ask(ctx, { url, method: 'POST', json: call.body })
  if (answer.status >= 300) throw startError(answer)
  const submitted = Submitted.safeParse(answer.json)
  if (!submitted.success) throw lost('fal took it without saying what it is called there')
  const { request_id, status_url, response_url, cancel_url } = submitted.data
  const { outputs } = call
  const request = {
    request_id,
    status_url,
    response_url,
    cancel_url: cancel_url ?? null,
    outputs,
  }
  if (isAskable(request, hosts)) return request
  throw lost('fal wants to be asked at an address that is not its own')
}

/** It may run there, and we shall never get at it. */
function lost(message: string): ProviderError {
  return new ProviderError('unknown_outcome', message)
}
