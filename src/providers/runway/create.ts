import { MINUTE } from '@/base/clock'
import { ProviderError } from '../errors'
import type { ProviderContext } from '../spec'
import { Created } from './answers'
import { ask } from './ask'
import { createError } from './errors'
import type { RunwayCall } from './input'
import type { RunwayTask } from './operation'

/**
 * Creates all tasks of one attempt. What was created is kept; throws ProviderError only when nothing was, and
 * then the worst of it.
 */
export async function createAll(
  origin: string,
  calls: RunwayCall[],
  ctx: ProviderContext,
): Promise<RunwayTask[]> {
  const settled = await Promise.allSettled(calls.map(call => create(origin, call, ctx)))
  const tasks = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  if (tasks.length === 0) throw worstOf(settled)
  return tasks
}

/** They fetch the pictures before they answer; their own client waits as long. */
const CREATE_TIMEOUT_MS = MINUTE

async function create(
  origin: string,
  { path, body, outputs }: RunwayCall,
  ctx: ProviderContext,
): Promise<RunwayTask> {
  const url = `${origin}${path}`
  const request = { url, method: 'POST', json: body, timeoutMs: CREATE_TIMEOUT_MS }
  const answer = await ask(ctx, request)
  if (answer.status >= 300) throw createError(answer)
  const created = Created.safeParse(answer.json)
  if (created.success) return { id: created.data.id, outputs }
  throw new ProviderError('unknown_outcome', 'Runway did not say what the task is called')
}

/** One that may run somewhere outweighs any number of plain refusals. */
function worstOf(settled: PromiseSettledResult<unknown>[]): unknown {
  const reasons = settled.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const mayRun = (reason: unknown) =>
    !(reason instanceof ProviderError) || reason.kind === 'unknown_outcome'
  return reasons.find(mayRun) ?? reasons[0]
}
