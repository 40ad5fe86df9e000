import { SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { errorOfPollStatus, errorOfStatus } from '../http'
import type { Done, Pending, Provider, ProviderContext, ProviderInput } from '../spec'
import { ask, askAbout } from './ask'
import { createAll } from './create'
import { runwayCalls } from './input'
import { type RunwayOperation, type RunwayTask, readOperation } from './operation'
import { RunwayParams } from './params'
import { type Standing, standingsOf } from './poll'

/**
 * Runway: create a task, ask for it until it has ended. Starts are not repeatable: no idempotency key is
 * documented. There are no callbacks.
 */
export function createRunway({ baseUrl }: { baseUrl?: string } = {}): Provider {
  const origin = (baseUrl ?? 'https://api.dev.runwayml.com').replace(/\/+$/, '')

  return {
    name: 'runway',
    params: RunwayParams,

    async start(input, ctx) {
      const tasks = await createAll(origin, runwayCalls(input), ctx)
      const rates = input.config.cost ?? null
      return pending({ tasks, started_at_ms: ctx.nowMs, seconds: secondsOf(input), rates }, ctx, [])
    },

    async poll(operation, ctx) {
      const running = readOperation(operation)
      const standings = await standingsOf(origin, running, ctx)
      const isRunning = standings.some(({ state }) => state === 'running')
      return isRunning ? pending(running, ctx, standings) : done(running, standings)
    },

    async cancel(operation, ctx) {
      const { tasks } = readOperation(operation)
      await Promise.all(tasks.map(task => cancel(origin, task, ctx)))
    },

    async check(ctx) {
      const answer = await ask(ctx, { url: `${origin}/v1/organization` })
      if (answer.status !== 200 || answer.json === null) throw errorOfStatus(answer)
    },
  }
}

/** Runway wants no task asked for more often than every five seconds. */
const SOONEST_POLL_MS = 5 * SECOND
const LATEST_POLL_MS = 20 * SECOND
const POLL_SHARE = 0.1

function pending(
  operation: RunwayOperation,
  { nowMs }: ProviderContext,
  standings: Standing[],
): Pending {
  const share = Math.round((nowMs - operation.started_at_ms) * POLL_SHARE)
  const pollAfterMs = Math.min(Math.max(share, SOONEST_POLL_MS), LATEST_POLL_MS)
  const progress = progressOf(standings)
  return { state: 'pending', operation, pollAfterMs, ...(progress === null ? {} : { progress }) }
}

/** In percent over all tasks; those that wait for their turn are at 0. Null while none tells. */
function progressOf(standings: Standing[]): number | null {
  const isTold = standings.some(one => one.state !== 'running' || one.progress !== null)
  if (!isTold) return null
  const shares = standings.map(one => (one.state === 'running' ? (one.progress ?? 0) : 1))
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
  return Math.min(Math.max(Math.floor(mean * 100), 0), 99)
}

function secondsOf({ extra }: ProviderInput): number | null {
  return typeof extra.duration_seconds === 'number' ? extra.duration_seconds : null
}

/** What was made is kept, however much is missing; only when nothing was is the first reason thrown. */
function done(operation: RunwayOperation, standings: Standing[]): Done {
  const [failed] = standings.filter(one => one.state === 'failed')
  const made = standings.filter(one => one.state === 'made')
  if (made.length === 0 && failed) throw failed.error
  const outputs = made.flatMap(one => one.outputs)
  const cost = costOf(operation, standings, outputs.length)
  return { state: 'done', outputs, usage: cost === null ? {} : { costMicroUsd: cost } }
}

/** A credit is one US cent. */
const CREDIT_MICRO_USD = 10_000

/** What Runway charges, failed tasks included; by the rates of the route where it does not tell of each. */
function costOf(operation: RunwayOperation, standings: Standing[], outputs: number): number | null {
  const credits = standings.flatMap(one => ('credits' in one ? (one.credits ?? []) : []))
  if (credits.length === standings.length) {
    return Math.round(credits.reduce((sum, next) => sum + next, 0) * CREDIT_MICRO_USD)
  }
  const { rates, seconds } = operation
  const length = seconds === null ? null : seconds * outputs
  return costMicroUsd(rates, { calls: standings.length, outputs, seconds: length })
}

async function cancel(origin: string, { id }: RunwayTask, ctx: ProviderContext): Promise<void> {
  const answer = await askAbout(ctx, { url: `${origin}/v1/tasks/${id}`, method: 'DELETE' })
  // 404 is a task that was cancelled or deleted before: there is nothing left to stop.
  if (answer.status >= 300 && answer.status !== 404) throw errorOfPollStatus(answer)
}
