import { SECOND } from '@/base/clock'
import { priceOf } from '../cost'
import { errorOfPollStatus, errorOfStatus } from '../http'
import { pollAfterMs } from '../pace'
import { several } from '../several'
import type { Pending, Provider, ProviderContext } from '../spec'
import { withoutPictures } from '../without-pictures'
import { ask, askAbout } from './ask'
import { createCallbackReader } from './callback'
import { falHosts } from './hosts'
import { falCalls } from './input'
import { type FalOperation, type FalRequest, storedOperation } from './operation'
import { FalParams } from './params'
import { endOf } from './poll'
import { submit } from './submit'
import { uploadedTo } from './upload'

/**
 * fal's queue: submit an endpoint's input, ask for the status, fetch the result. Starts are not repeatable:
 * no idempotency key is documented. `baseUrl` stands for all of fal's hosts.
 */
export function createFal({ baseUrl }: { baseUrl?: string } = {}): Provider {
  const hosts = falHosts(baseUrl)

  return withoutPictures({
    name: 'fal',
    params: FalParams,

    async start(input, ctx) {
      // Refuses what cannot be asked for, before anything is uploaded for nothing.
      falCalls(input)
      const images = await uploadedTo(hosts, input.images, ctx)
      const calls = falCalls({ ...input, images })
      const { made: requests } = await several(calls, call => submit(hosts, call, ctx))
      return pending({ requests, started_at_ms: ctx.nowMs, ...priceOf(input) }, ctx)
    },

    async poll(stored, ctx) {
      const operation = storedOperation(stored, hosts)
      return (await endOf(operation, ctx)) ?? pending(operation, ctx)
    },

    async cancel(stored, ctx) {
      const { requests } = storedOperation(stored, hosts)
      await several(requests, request => cancel(request, ctx), { isRepeatable: true })
    },

    parseCallback: createCallbackReader(hosts),

    async check(ctx) {
      // Prices want a key, the list of models does not.
      const url = `${hosts.platform}/v1/models/pricing?endpoint_id=fal-ai/flux/schnell`
      const answer = await ask(ctx, { url })
      if (answer.status !== 200 || answer.json === null) throw errorOfStatus(answer)
    },
  })
}

/** A picture takes seconds and a video minutes. */
const PACE = { share: 0.15, soonestMs: SECOND, latestMs: 15 * SECOND }

function pending(operation: FalOperation, { nowMs }: ProviderContext): Pending {
  const ageMs = nowMs - operation.started_at_ms
  return { state: 'pending', operation, pollAfterMs: pollAfterMs(ageMs, PACE) }
}

async function cancel({ cancel_url }: FalRequest, ctx: ProviderContext): Promise<void> {
  if (cancel_url === null) return
  const answer = await askAbout(ctx, { url: cancel_url, method: 'PUT' })
  // 400 is "already completed" and 404 "not found": there is nothing left to stop.
  if (answer.status >= 300 && ![400, 404].includes(answer.status)) throw errorOfPollStatus(answer)
}
