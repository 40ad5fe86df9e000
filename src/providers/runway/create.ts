import { MINUTE } from '@/base/clock'
import { ProviderError } from '../errors'
import type { ProviderContext } from '../spec'
import { Created } from './answers'
import { ask } from './ask'
import { createError } from './errors'
import type { RunwayCall } from './input'
import type { RunwayTask } from './operation'

/**
 * They fetch the pictures before they answer; their own client waits as long. Those in hand are at most 5 MB
 * of the request, for which it leaves the time.
 */
const CREATE_TIMEOUT_MS = MINUTE

export async function create(
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
