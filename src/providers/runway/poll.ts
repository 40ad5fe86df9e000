import { MINUTE } from '@/base/clock'
import { ProviderError } from '../errors'
import { errorOfPollStatus } from '../http'
import type { Output, ProviderContext } from '../spec'
import { Task } from './answers'
import { askAbout } from './ask'
import { taskError } from './errors'
import type { RunwayOperation, RunwayTask } from './operation'

/** How one task stands. `progress` is 0 to 1, `credits` what is charged for it, where told. */
export type Standing =
  | { state: 'running'; progress: number | null }
  | { state: 'made'; outputs: Output[]; credits: number | null }
  | { state: 'failed'; error: ProviderError; credits: number | null }

/**
 * Asks for all tasks. Throws ProviderError when Runway could not tell of one of them: then all are asked
 * about again.
 */
export async function standingsOf(
  origin: string,
  operation: RunwayOperation,
  ctx: ProviderContext,
): Promise<Standing[]> {
  const isNew = ctx.nowMs - operation.started_at_ms < UNSEEN_FOR_MS
  return await Promise.all(operation.tasks.map(task => standingOf(origin, task, isNew, ctx)))
}

/** A new task is not found everywhere at once. */
const UNSEEN_FOR_MS = MINUTE
/** With either number of l's; every word that is not here, also one that is new, is "running". */
const ENDED_WITHOUT = ['FAILED', 'CANCELLED', 'CANCELED']

async function standingOf(
  origin: string,
  { id, outputs }: RunwayTask,
  isNew: boolean,
  ctx: ProviderContext,
): Promise<Standing> {
  const answer = await askAbout(ctx, { url: `${origin}/v1/tasks/${id}` })
  if (answer.status === 404 && isNew) return { state: 'running', progress: null }
  if (answer.status >= 300) {
    const error = errorOfPollStatus(answer)
    // 404 and 410: deleted. Everything else says nothing of the task.
    if (error.kind === 'unavailable') return { state: 'failed', error, credits: null }
    throw error
  }
  const task = Task.safeParse(answer.json)
  if (!task.success) throw new ProviderError('unknown_outcome', 'Runway answered no task')
  const { status, progress, cost } = task.data
  const credits = cost?.credits ?? null
  if (status === 'SUCCEEDED') return succeeded(task.data, outputs)
  if (ENDED_WITHOUT.includes(status))
    return { state: 'failed', error: taskError(task.data), credits }
  return { state: 'running', progress: progress ?? null }
}

function succeeded({ output, cost }: Task, wanted: number): Standing {
  const credits = cost?.credits ?? null
  const urls = (output ?? []).filter(url => URL.parse(url)?.protocol === 'https:')
  if (urls.length > 0) {
    const outputs = urls
      .slice(0, wanted)
      .map(url => ({ type: 'file' as const, url, contentType: null }))
    return { state: 'made', outputs, credits }
  }
  const error = new ProviderError('unavailable', 'Runway succeeded without an output')
  return { state: 'failed', error, credits }
}
