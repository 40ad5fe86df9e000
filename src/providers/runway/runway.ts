import { SECOND } from '@/base/clock'
import { priceOf } from '../cost'
import { errorOfPollStatus, errorOfStatus } from '../http'
import { pollAfterMs } from '../pace'
import { readOperation } from '../read-operation'
import { joined, several } from '../several'
import type { Done, Pending, Provider, ProviderContext } from '../spec'
import { withoutPictures } from '../without-pictures'
import { ask, askAbout } from './ask'
import { create } from './create'
import { runwayCalls } from './input'
import { RunwayOperation, type RunwayTask } from './operation'
import { RunwayParams } from './params'
import { type Running, standingOf } from './poll'
import { uploadedTo } from './upload'

/**
 * Runway: create a task, ask for it until it has ended. Starts are not repeatable: no idempotency key is
 * documented. There are no callbacks.
 */
export function createRunway({ baseUrl }: { baseUrl?: string } = {}): Provider {
  const origin = (baseUrl ?? 'https://api.dev.runwayml.com').replace(/\/+$/, '')

  return withoutPictures({
    name: 'runway',
    params: RunwayParams,

    async start(input, ctx) {
      // Refuses what cannot be asked for, before anything is uploaded for nothing.
      runwayCalls(input)
      const images = await uploadedTo(origin, input.images, ctx)
      const calls = runwayCalls({ ...input, images })
      const { made: tasks } = await several(calls, call => create(origin, call, ctx))
      return pending({ tasks, started_at_ms: ctx.nowMs, ...priceOf(input) }, ctx, [])
    },

    async poll(stored, ctx) {
      const operation = readOperation('Runway', RunwayOperation, stored)
      const look = (task: RunwayTask) => standingOf(origin, task, operation, ctx)
      const { made, failed } = await several(operation.tasks, look, { isRepeatable: true })
      const done = made.filter(one => one.state === 'done')
      if (done.length === made.length) return joined({ made: done, failed })
      return pending(operation, ctx, [...made, ...failed.map(() => ENDED)])
    },

    async cancel(stored, ctx) {
      const { tasks } = readOperation('Runway', RunwayOperation, stored)
      await several(tasks, task => cancel(origin, task, ctx), { isRepeatable: true })
    },

    async check(ctx) {
      const answer = await ask(ctx, { url: `${origin}/v1/organization` })
      if (answer.status !== 200 || answer.json === null) throw errorOfStatus(answer)
    },
  })
}

/** Runway wants no task asked for more often than every five seconds. */
const PACE = { share: 0.1, soonestMs: 5 * SECOND, latestMs: 20 * SECOND }

type Standing = Running | Done | typeof ENDED
const ENDED = { state: 'ended' } as const

function pending(
  operation: RunwayOperation,
  { nowMs }: ProviderContext,
  standings: Standing[],
): Pending {
  const progress = progressOf(standings)
  return {
    state: 'pending',
    operation,
    pollAfterMs: pollAfterMs(nowMs - operation.started_at_ms, PACE),
    ...(progress === null ? {} : { progress }),
  }
}

/** In percent over all tasks; those that wait for their turn are at 0. Null while none tells. */
function progressOf(standings: Standing[]): number | null {
  const isTold = standings.some(one => one.state !== 'running' || one.progress !== null)
  if (!isTold) return null
  const shares = standings.map(one => (one.state === 'running' ? (one.progress ?? 0) : 1))
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
  return Math.min(Math.max(Math.floor(mean * 100), 0), 99)
}

async function cancel(origin: string, { id }: RunwayTask, ctx: ProviderContext): Promise<void> {
  const answer = await askAbout(ctx, { url: `${origin}/v1/tasks/${id}`, method: 'DELETE' })
  // 404 is a task that was cancelled or deleted before: there is nothing left to stop.
  if (answer.status >= 300 && answer.status !== 404) throw errorOfPollStatus(answer)
}
