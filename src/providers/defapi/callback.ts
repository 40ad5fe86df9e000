import { z } from 'zod'
import { ProviderError } from '../errors'
import { parseJson } from '../http'
import type { CallbackHint } from '../spec'
import { Submitted } from './answers'

/**
 * The vendor signs nothing, so a callback is a hint to ask and never an answer: what proves that it is for us
 * is the token in its address. Nobody wrote down what it sends; what was seen names the task as a query's
 * answer does, alone or in the usual envelope. It names no operation: that has all tasks of a start in it,
 * with the price that was agreed on.
 *
 * Throws `rejected` for a body that names no task. If the vendor should ever send another form, its word is
 * missed and the next question finds out.
 */
export function readCallback(rawBody: Uint8Array): CallbackHint {
  const body = Body.safeParse(parseJson(Buffer.from(rawBody).toString('utf8')))
  if (!body.success) {
    throw new ProviderError('rejected', 'the callback names no task', { reason: 'input' })
  }
  const { task_id, status } = 'data' in body.data ? body.data.data : body.data
  return { eventId: `${task_id}.${status ?? ''}`, isFinal: !RUNNING.includes(status ?? '') }
}

/** Also a status that we do not know is worth a look. */
const RUNNING = ['pending', 'submitted', 'in_progress']
const Task = Submitted.extend({ status: z.string().max(50).nullish().catch(null) })
const Body = z.union([z.object({ data: Task }), Task])
