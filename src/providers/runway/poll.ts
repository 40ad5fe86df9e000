import { MINUTE } from '@/base/clock'
import { charged } from '../charged'
import { usageOf } from '../cost'
import { ProviderError } from '../errors'
import { fileOf } from '../file-of'
import { errorOfPollStatus } from '../http'
import type { Done, ProviderContext } from '../spec'
import { Task } from './answers'
import { askAbout } from './ask'
import { isCharged, taskError } from './errors'
import type { RunwayOperation, RunwayTask } from './operation'

/** `progress` is 0 to 1, where it is told. */
export type Running = { state: 'running'; progress: number | null }

/** Throws ProviderError when a task has ended without an output, and when Runway could not tell. */
export async function standingOf(
  origin: string,
  task: RunwayTask,
  operation: RunwayOperation,
  ctx: ProviderContext,
): Promise<Running | Done> {
  const answer = await askAbout(ctx, { url: `${origin}/v1/tasks/${task.id}` })
  const isNew = ctx.nowMs - operation.started_at_ms < UNSEEN_FOR_MS
  if (answer.status === 404 && isNew) return { state: 'running', progress: null }
  if (answer.status >= 300) throw errorOfPollStatus(answer)
  const told = Task.safeParse(answer.json)
  if (!told.success) throw new ProviderError('unknown_outcome', 'Runway answered no task')
  const { status, progress } = told.data
  if (status === 'SUCCEEDED') return succeeded(told.data, task, operation)
  if (!ENDED_WITHOUT.includes(status)) return { state: 'running', progress: progress ?? null }
  const usual = isCharged(told.data) ? costOf(operation, task.outputs) : null
  throw charged(taskError(told.data), creditsOf(told.data) ?? usual)
}

/** A new task is not found everywhere at once. */
const UNSEEN_FOR_MS = MINUTE
/** With either number of l's; every word that is not here, also one that is new, is "running". */
const ENDED_WITHOUT = ['FAILED', 'CANCELLED', 'CANCELED']

function succeeded(told: Task, task: RunwayTask, operation: RunwayOperation): Done {
  const outputs = (told.output ?? []).flatMap(url => fileOf(url)).slice(0, task.outputs)
  const cost = creditsOf(told) ?? costOf(operation, outputs.length)
  if (outputs.length > 0) {
    return { state: 'done', outputs, usage: cost === null ? {} : { costMicroUsd: cost } }
  }
  const error = new ProviderError('unavailable', 'Runway succeeded without an output')
  throw charged(error, creditsOf(told))
}

/** A credit is one US cent. */
const CREDIT_MICRO_USD = 10_000

/** What Runway charges for the task, failed or not; null where it does not tell. */
function creditsOf({ cost }: Task): number | null {
  return cost ? Math.round(cost.credits * CREDIT_MICRO_USD) : null
}

/** By the rates of the route. */
function costOf(operation: RunwayOperation, outputs: number): number | null {
  return usageOf(operation, outputs).costMicroUsd ?? null
}
