import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { type ProviderError, told } from '../errors'
import { errorOfPollStatus, errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'
import type { TaskResult } from './result'

/** What an answer to a start means that began nothing, as far as is known. */
export function errorOfStart(answer: VendorAnswer): ProviderError {
  const { status } = answer
  const message = wordsOf(answer)
  // Nobody says whether the task was written down before it broke, not even of a 503.
  if (status >= 500) return told('unknown_outcome', `${status}: ${message}`)
  if (status === 429) {
    return told('rate_limited', `429: ${message}`, { retryAfterMs: waitOf(answer) })
  }
  if ((status === 400 || status === 422) && CONTENT.test(message)) {
    return told('rejected', `${status}: ${message}`, { reason: 'content' })
  }
  return errorOfStatus(answer, message)
}

/** What an answer to a question means that does not tell how the task stands. */
export function errorOfQuestion(answer: VendorAnswer): ProviderError {
  const error = errorOfPollStatus(answer, wordsOf(answer))
  return error.kind === 'unavailable' ? told('unknown_outcome', error.message) : error
}

/** Why a task ended without a picture. */
export function errorOfTask({ status, details, error, message }: TaskResult): ProviderError {
  const text = sentence([status, error, message, details])
  if (CONTENT.test(text)) return told('rejected', text, { reason: 'content' })
  if (INPUT.test(text)) return told('rejected', text, { reason: 'input' })
  return told('unavailable', text)
}

/** The vendor's two states for it, and its word for a failure of that kind. */
const CONTENT = /\bmoderated\b|content_policy_violation/i
/** The same picture cannot be read the next time either. */
const INPUT = /\binvalid_image\b/i

/**
 * 429 means too many tasks at once, 24 or what the account has, so that one that ends makes room. The
 * vendor's guide waits five seconds where nothing is told.
 */
const USUAL_WAIT_MS = 5 * SECOND

function waitOf(answer: VendorAnswer): number {
  const seconds = Problem.safeParse(answer.json).data?.retry_after
  const inBody = typeof seconds === 'number' && seconds > 0 ? Math.ceil(seconds * SECOND) : null
  return retryAfterOf(answer.headers) ?? inBody ?? USUAL_WAIT_MS
}

/** `detail` by its framework, a sentence or what is wrong with each field; `message` by its guide. */
const Problem = z.object({
  detail: z.unknown().optional(),
  error: z.unknown().optional(),
  message: z.unknown().optional(),
  retry_after: z.unknown().optional(),
})

function wordsOf({ json, text }: VendorAnswer): string {
  const { detail, error, message } = Problem.safeParse(json).data ?? {}
  return sentence([error, message, detail]) || text
}

function sentence(parts: readonly unknown[]): string {
  return parts
    .filter(part => part !== undefined && part !== null)
    .map(part => (typeof part === 'string' ? part : JSON.stringify(part)))
    .join(': ')
}
