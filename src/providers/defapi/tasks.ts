import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { charged } from '../charged'
import { costMicroUsd } from '../cost'
import { lengthInHand } from '../data-url'
import { ProviderError } from '../errors'
import { errorOfPollStatus, type VendorAnswer } from '../http'
import { joined, kept, portions, several } from '../several'
import type { Done, Operation, Pending, ProviderContext, ProviderInput, StartResult } from '../spec'
import { transferMs } from '../upload-time'
import { Envelope, Submitted, Task } from './answers'
import { ask, askAbout } from './ask'
import { submissionOf } from './body'
import { defapiError, taskError, wordsOf } from './errors'
import { mediaOf } from './media'
import { microUsdOf } from './money'

/** Whether pictures are fetched before the answer is not known: then it takes its time. */
const SUBMIT_TIMEOUT_MS = MINUTE
/** Two to ten seconds is what everybody does; a fifth of the time that has passed finds it soon enough. */
const SOONEST_POLL_MS = 3 * SECOND
const LATEST_POLL_MS = 10 * SECOND
const PART_OF_WAITING = 5
/** A new task is not found for some seconds; after that it is none. */
const UNFOUND_MS = 30 * SECOND

const TaskOperation = z.object({
  task_ids: z.array(Submitted.shape.task_id).min(1),
  started_at_ms: z.int(),
  /** Of one output, where we asked for a length. */
  seconds: z.number().nullable(),
  rates: z.partialRecord(z.enum(['per_output', 'per_second', 'per_call']), z.number()).nullable(),
})
type TaskOperation = z.infer<typeof TaskOperation>

/** One task an output, side by side; those that were taken count. */
export async function submit(
  baseUrl: string,
  input: ProviderInput,
  ctx: ProviderContext,
): Promise<Pending> {
  const { path, body } = submissionOf(input, ctx.callbackUrl)
  const timeoutMs = SUBMIT_TIMEOUT_MS + transferMs(lengthInHand(input.images))
  const request = { url: `${baseUrl}${path}`, method: 'POST', json: body, timeoutMs }
  const { made: taskIds } = await several(portions(input.numOutputs, 1), async () => {
    const answer = await ask(ctx, request)
    const { data } = successOf(answer) ?? refuse(defapiError(answer))
    const submitted = Submitted.safeParse(data)
    if (submitted.success) return submitted.data.task_id
    throw new ProviderError('unknown_outcome', 'the submission was answered without a task')
  })
  const seconds = Number(body.duration ?? Number.NaN)
  const operation: TaskOperation = {
    task_ids: taskIds,
    started_at_ms: ctx.nowMs,
    seconds: Number.isFinite(seconds) ? seconds : null,
    rates: input.config.cost ?? null,
  }
  return pending(operation, ctx)
}

/** Done when every task has ended: then with the media that there are. */
export async function query(
  baseUrl: string,
  stored: Operation,
  ctx: ProviderContext,
): Promise<StartResult> {
  const parsed = TaskOperation.safeParse(stored)
  if (!parsed.success) {
    throw new ProviderError('unknown_outcome', 'defapi cannot read this operation', {
      cause: parsed.error,
    })
  }
  const operation = parsed.data
  const isNew = ctx.nowMs - operation.started_at_ms < UNFOUND_MS
  const standings = await Promise.all(
    operation.task_ids.map(async id => {
      const url = `${baseUrl}/api/task/query?task_id=${encodeURIComponent(id)}`
      return standingOf(await askAbout(ctx, { url }), operation, isNew)
    }),
  )
  const ends = standings.filter(standing => standing !== 'running')
  if (ends.length < standings.length) return pending(operation, ctx)
  return joined(kept(ends))
}

type Standing = 'running' | Done | ProviderError

/** Throws where the answer says nothing of the task. */
function standingOf(answer: VendorAnswer, operation: TaskOperation, isNew: boolean): Standing {
  const success = successOf(answer)
  if (!success) return unanswered(answer, isNew)
  const task = Task.safeParse(success.data)
  if (!task.success) {
    throw new ProviderError('unknown_outcome', 'the answer is no task', { cause: task.error })
  }
  const { status, result, status_reason: reason, consumed } = task.data
  const told = microUsdOf(consumed)
  if (status === 'failed') return charged(taskError(reason?.message), told)
  if (status !== 'success') return 'running'
  const media = mediaOf(result)
  const urls = media.filter(url => url.startsWith('https://'))
  if (urls.length === 0) return charged(withoutMedia(media), told)
  // What the vendor says that it took, and the route's price where it says nothing.
  const { rates, seconds } = operation
  const cost = told ?? costMicroUsd(rates, { calls: 1, outputs: 1, seconds })
  return {
    state: 'done',
    outputs: urls.map(url => ({ type: 'file', url, contentType: null })),
    ...(cost === null ? {} : { usage: { costMicroUsd: cost } }),
  }
}

/** The word of the vendor alone says that a task is none; a gateway's 404 says nothing. */
function unanswered(answer: VendorAnswer, isNew: boolean): Standing {
  const told = Envelope.safeParse(answer.json)
  if (told.success && /task not found/i.test(told.data.message ?? '')) {
    return isNew ? 'running' : new ProviderError('unavailable', wordsOf(told.data))
  }
  const error = errorOfPollStatus(answer, told.success ? wordsOf(told.data) : answer.text)
  if (error.kind === 'rate_limited') throw error
  throw new ProviderError('unknown_outcome', error.message)
}

/** Models that refuse say so in words, and the task is a success. */
function withoutMedia(media: string[]): ProviderError {
  if (media.length > 0) return new ProviderError('unavailable', 'the address is not https')
  return new ProviderError('rejected', 'the task made no media', { reason: 'content' })
}

function pending(operation: TaskOperation, { nowMs }: ProviderContext): Pending {
  const part = Math.floor((nowMs - operation.started_at_ms) / PART_OF_WAITING)
  const pollAfterMs = Math.min(Math.max(part, SOONEST_POLL_MS), LATEST_POLL_MS)
  return { state: 'pending', operation, pollAfterMs }
}

/** Null for whatever is not the vendor's "ok". */
function successOf(answer: VendorAnswer): Envelope | null {
  const told = Envelope.safeParse(answer.json)
  return answer.status < 300 && told.success && told.data.code === 0 ? told.data : null
}

function refuse(error: ProviderError): never {
  throw error
}
