import { SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { errorOfPollStatus, errorOfStatus } from '../http'
import type { Done, Pending, Provider, ProviderContext, ProviderInput } from '../spec'
import { ask, askAbout } from './ask'
import { createCallbackReader } from './callback'
import { falHosts } from './hosts'
import { falCalls } from './input'
import { type FalOperation, type FalRequest, readOperation } from './operation'
import { FalParams } from './params'
import { type End, endsOf } from './poll'
import { submitAll } from './submit'

/**
 * fal's queue: submit an endpoint's input, ask for the status, fetch the result. Starts are not repeatable:
 * no idempotency key is documented. `baseUrl` stands for all of fal's hosts.
 */
export function createFal({ baseUrl }: { baseUrl?: string } = {}): Provider {
  const hosts = falHosts(baseUrl)

  return {
    name: 'fal',
    params: FalParams,

    async start(input, ctx) {
      const requests = await submitAll(hosts, falCalls(input), ctx)
      const rates = input.config.cost ?? null
      const operation = { requests, started_at_ms: ctx.nowMs, seconds: secondsOf(input), rates }
      return pending(operation, ctx)
    },

    async poll(operation, ctx) {
      const running = readOperation(operation, hosts)
      const ends = await endsOf(running.requests, ctx)
      return ends ? done(running, ends) : pending(running, ctx)
    },

    async cancel(operation, ctx) {
      const { requests } = readOperation(operation, hosts)
      await Promise.all(requests.map(request => cancel(request, ctx)))
    },

    parseCallback: createCallbackReader(hosts),

    async check(ctx) {
      // Prices want a key, the list of models does not.
      const url = `${hosts.platform}/v1/models/pricing?endpoint_id=fal-ai/flux/schnell`
      const answer = await ask(ctx, { url })
      if (answer.status !== 200 || answer.json === null) throw errorOfStatus(answer)
    },
  }
}

/** A picture takes seconds and a video minutes: the pause is a share of the time that has passed. */
const POLL_SHARE = 0.15
const SOONEST_POLL_MS = SECOND
const LATEST_POLL_MS = 15 * SECOND

function pending(operation: FalOperation, { nowMs }: ProviderContext): Pending {
  const share = Math.round((nowMs - operation.started_at_ms) * POLL_SHARE)
  const pollAfterMs = Math.min(Math.max(share, SOONEST_POLL_MS), LATEST_POLL_MS)
  return { state: 'pending', operation, pollAfterMs }
}

function secondsOf({ extra }: ProviderInput): number | null {
  return typeof extra.duration_seconds === 'number' ? extra.duration_seconds : null
}

/** What was made is kept, however much is missing; only when nothing was is the first reason thrown. */
function done({ seconds, rates }: FalOperation, ends: End[]): Done {
  const made = ends.filter(end => end.state === 'made')
  const [failed] = ends.filter(end => end.state === 'failed')
  if (made.length === 0 && failed) throw failed.error
  const outputs = made.flatMap(end => end.outputs)
  const worked = sumOf(made.map(end => end.seconds))
  // Videos are priced by their length; where none was asked for, the seconds are those of the work.
  const length = seconds === null ? worked : seconds * outputs.length
  const cost = costMicroUsd(rates, { calls: made.length, outputs: outputs.length, seconds: length })
  return {
    state: 'done',
    outputs,
    usage: {
      ...(worked === null ? {} : { seconds: worked }),
      ...(cost === null ? {} : { costMicroUsd: cost }),
    },
  }
}

/** Null as soon as one is not known: a part of it would look like the whole. */
function sumOf(numbers: (number | null)[]): number | null {
  return numbers.reduce((sum, next) => (sum === null || next === null ? null : sum + next), 0)
}

async function cancel({ cancel_url }: FalRequest, ctx: ProviderContext): Promise<void> {
  if (cancel_url === null) return
  const answer = await askAbout(ctx, { url: cancel_url, method: 'PUT' })
  // 400 is "already completed" and 404 "not found": there is nothing left to stop.
  if (answer.status >= 300 && ![400, 404].includes(answer.status)) throw errorOfPollStatus(answer)
}
