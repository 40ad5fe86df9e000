import { z } from 'zod'
import { MESSAGE_KEPT, ProviderError } from '../errors'
import { errorOfPollStatus, errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'
import type { Prediction } from './prediction'

/**
 * What an answer to a creation means that created nothing. A 5xx may come after the prediction was
 * written (the vendor's own client repeats a creation for 429 only), so it is never a clear no.
 */
export function errorOfCreation(answer: VendorAnswer): ProviderError {
  const problem = problemOf(answer)
  const message = messageOf(answer)
  const { status } = answer
  if (status === 429) return throttled(answer, problem, message)
  const text = `${status}: ${message.slice(0, MESSAGE_KEPT)}`
  if (status >= 500) return new ProviderError('unknown_outcome', text)
  if ((status === 400 || status === 422) && !isAboutInput(problem)) {
    // What is outside of `input` is our part of the body: the version, the address of the callback.
    return new ProviderError('unavailable', text, { isPermanent: true })
  }
  return errorOfStatus(answer, message)
}

/** What an answer to an upload means that took nothing. */
export function errorOfUpload(answer: VendorAnswer): ProviderError {
  const message = messageOf(answer)
  if (answer.status === 429) return throttled(answer, problemOf(answer), message)
  return errorOfStatus(answer, message)
}

/** What an answer to a question about predictions means that does not tell how they stand. */
export function errorOfQuestion(answer: VendorAnswer): ProviderError {
  return errorOfPollStatus(answer, messageOf(answer))
}

/** Why a prediction ended without anything that can be used. */
export function errorOfPrediction({ status, error, logs }: Prediction): ProviderError {
  const why = typeof error === 'string' ? error : JSON.stringify(error ?? null)
  const message = `${status}: ${why}`.slice(0, MESSAGE_KEPT)
  // A model that drops what it finds unfit ends well, makes nothing and says so in its log only.
  const isContent = CONTENT.test(why) || (status === 'succeeded' && CONTENT.test(logs ?? ''))
  if (isContent) return new ProviderError('rejected', message, { reason: 'content' })
  if (status === 'failed' && INPUT.test(why)) {
    return new ProviderError('rejected', message, { reason: 'input' })
  }
  return new ProviderError('unavailable', message)
}

/** The vendor's body of a refusal. None of it is promised, so each field may be missing or odd. */
const Problem = z
  .object({
    title: z.string().nullish().catch(null),
    detail: z.string().nullish().catch(null),
    retry_after: z.number().min(0).nullish().catch(null),
    invalid_fields: z
      .array(z.object({ field: z.string().nullish() }))
      .nullish()
      .catch(null),
  })
  .partial()

type Problem = z.infer<typeof Problem>

function problemOf({ json }: VendorAnswer): Problem {
  return Problem.safeParse(json).data ?? {}
}

function messageOf(answer: VendorAnswer): string {
  const { title, detail } = problemOf(answer)
  return [title, detail].filter(Boolean).join(': ') || answer.text
}

/** The vendor's code for it, what its models say, and what the models of others on it say. */
const CONTENT =
  /\bE005\b|flagged as sensitive|nsfw|content (policy|filter|moderation)|moderation|safety (filter|checker|system)|prohibited content|sensitive content/i

/** The same input would fail again, and be paid for again: out of memory at this size, or unreadable. */
const INPUT =
  /\bE006\b|\bE1001\b|out of memory|invalid input|input validation|unsupported (image|file|format)|cannot identify image|failed to (download|fetch|load) (the )?(input|image|file)/i

function throttled(answer: VendorAnswer, problem: Problem, message: string): ProviderError {
  const [, seconds] = RESET.exec(message) ?? []
  const told = problem.retry_after ?? (seconds === undefined ? null : Number(seconds))
  const retryAfterMs = retryAfterOf(answer.headers) ?? (told === null ? null : told * 1000)
  return new ProviderError('rate_limited', `429: ${message.slice(0, MESSAGE_KEPT)}`, {
    retryAfterMs: Math.max(Math.ceil(retryAfterMs ?? USUAL_RESET_MS), SOONEST_RETRY_MS),
  })
}

/** "Expected available in 1 second.", "Your rate limit resets in ~30s." */
const RESET = /(?:available|resets) in ~?(\d+(?:\.\d+)?) ?s/i
/** Creations are counted by the minute; one without a hint is worth a try some seconds later. */
const USUAL_RESET_MS = 5_000
const SOONEST_RETRY_MS = 500

function isAboutInput({ title, detail, invalid_fields }: Problem): boolean {
  if (invalid_fields && invalid_fields.length > 0) {
    return invalid_fields.some(({ field }) => field?.startsWith('input') ?? false)
  }
  return /input/i.test(`${title} ${detail}`)
}
