import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { priceOf } from '../cost'
import { ProviderError } from '../errors'
import { createAsker, errorOfStatus } from '../http'
import { pollAfterMs } from '../pace'
import { joined, several } from '../several'
import type { Pending, Provider, ProviderContext } from '../spec'
import { errorOfQuestion, errorOfStart } from './failure'
import { mayBeAsked } from './hosts'
import { type BflCall, callsOf } from './input'
import { type BflOperation, type BflTask, storedOperation } from './operation'
import { BflParams } from './params'
import { microUsdOf, Submitted, TaskResult } from './result'
import { type Standing, standingOf } from './standing'

export type BflOptions = {
  /** Whatever it names is trusted with the key, and so are the vendor's own hosts. */
  baseUrl?: string
}

/**
 * Black Forest Labs, who make FLUX: a picture is a task, which is asked about at the address that its start
 * was answered with. What of it is documented where stands in the samples of its tests.
 *
 * Callbacks are not asked for, although there are some: a start that names one is answered without the
 * address to ask at, and asking is how results get here. Nothing cancels a task and nothing lists them, so a
 * start whose answer was lost cannot be found. Starts are not repeatable: no idempotency key is documented.
 */
export function createBfl({ baseUrl = BASE_URL }: BflOptions = {}): Provider {
  const origin = baseUrl.replace(/\/+$/, '')

  return {
    name: 'bfl',
    params: BflParams,

    async start(input, ctx) {
      const { made: tasks } = await several(callsOf(input), call => submit(origin, call, ctx))
      return pending({ tasks, started_at_ms: ctx.nowMs, ...priceOf(input) }, ctx)
    },

    async poll(stored, ctx) {
      const operation = storedOperation(stored, origin)
      const look = (task: BflTask) => askFor(task, operation, ctx)
      const { made, failed } = await several(operation.tasks, look, { isRepeatable: true })
      const done = made.filter(standing => standing !== 'running')
      if (done.length < made.length) return pending(operation, ctx)
      return joined({ made: done, failed })
    },

    /** An account without credit proves its key and makes nothing. */
    async check(ctx) {
      const answer = await ask(ctx, { url: `${origin}/v1/credits` })
      const account = Account.safeParse(answer.json)
      if (answer.status !== 200 || !account.success) throw errorOfStatus(answer)
      if (account.data.credits <= 0) {
        const message = 'the account has no credit left'
        throw new ProviderError('unavailable', message, { isPermanent: true })
      }
    },
  }
}

const BASE_URL = 'https://api.bfl.ai'

const { ask, askAbout } = createAsker('Black Forest Labs', apiKey => ({
  accept: 'application/json',
  'x-key': apiKey,
}))

/** The small models take a second, the others five to thirty; the vendor's own client asks every second. */
const PACE = { share: 1 / 5, soonestMs: SECOND, latestMs: 10 * SECOND }

const Account = z.object({ credits: z.number() })

async function submit(origin: string, call: BflCall, ctx: ProviderContext): Promise<BflTask> {
  const url = `${origin}/v1/${call.endpoint}`
  const answer = await ask(ctx, { method: 'POST', url, json: call.body })
  const submitted = Submitted.safeParse(answer.json)
  if (answer.status < 200 || answer.status > 299 || !submitted.success) throw errorOfStart(answer)
  const { id, polling_url, cost } = submitted.data
  if (mayBeAsked(origin, polling_url)) return { id, polling_url, micro_usd: microUsdOf(cost) }
  // It runs there, and we shall never get at it.
  const message = 'it wants to be asked at an address that is not its own'
  throw new ProviderError('unknown_outcome', message)
}

/** Throws `rejected` or `unavailable` when it has ended without a picture, else where nothing is told of it. */
async function askFor(
  task: BflTask,
  operation: BflOperation,
  ctx: ProviderContext,
): Promise<Standing> {
  const answer = await askAbout(ctx, { url: task.polling_url })
  const result = TaskResult.safeParse(answer.json)
  // A task that is not found is told in its own words also with a 404, and a 404 without them is a gateway's.
  const isTold = result.success && (answer.status === 200 || answer.status === 404)
  if (!isTold) throw errorOfQuestion(answer)
  return standingOf(result.data, task, operation, ctx.nowMs)
}

function pending(operation: BflOperation, { nowMs }: ProviderContext): Pending {
  const ageMs = nowMs - operation.started_at_ms
  return { state: 'pending', operation, pollAfterMs: pollAfterMs(ageMs, PACE) }
}
