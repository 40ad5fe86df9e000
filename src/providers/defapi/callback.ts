import { z } from 'zod'
import { sha256Hex } from '@/base/secrets'
import type { CallbackHint } from '../spec'

/**
 * The vendor signs nothing and nobody wrote down what it sends, so whatever comes is a hint to ask, and
 * never an answer: what proves that it is for us is the token in its address. A body that names no task is
 * a hint too; the time makes it one of its own, for the same words may be said of another task.
 */
export function readCallback(rawBody: Uint8Array, nowMs: number): CallbackHint {
  const body = Body.safeParse(parsed(rawBody))
  const task = body.success ? (body.data.data ?? body.data) : null
  const isFinal = !RUNNING.includes(task?.status ?? '')
  const eventId = task?.task_id
    ? `${task.task_id}.${task.status ?? ''}`
    : `${sha256Hex(rawBody)}.${nowMs}`
  return { eventId, isFinal }
}

/** Also a status that we do not know is worth a look. */
const RUNNING = ['pending', 'submitted', 'in_progress']
const Task = z.object({
  task_id: z.string().max(200).nullish().catch(null),
  status: z.string().max(50).nullish().catch(null),
})
const Body = Task.extend({ data: Task.nullish().catch(null) })

function parsed(rawBody: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(rawBody).toString('utf8'))
  } catch {
    return null
  }
}
