import { z } from 'zod'
import { type ProviderError, told } from '../errors'
import { errorOfPollStatus, errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'
import type { Generation } from './generation'

/** What an answer to a creation means that created nothing, as far as is known. */
export function errorOfCreation(answer: VendorAnswer): ProviderError {
  const message = detailOf(answer)
  const { status } = answer
  if (status >= 500) return told('unknown_outcome', `${status}: ${message}`)
  if (status === 429) {
    const retryAfterMs = retryAfterOf(answer.headers) ?? USUAL_RESET_MS
    return told('rate_limited', `429: ${message}`, { retryAfterMs })
  }
  if (status >= 400 && CREDIT.test(message)) return noCredit(`${status}: ${message}`)
  if ((status === 400 || status === 422) && CONTENT.test(message)) {
    return told('rejected', `${status}: ${message}`, { reason: 'content' })
  }
  return errorOfStatus(answer, message)
}

/** What an answer to a question about generations means that does not tell how they stand. */
export function errorOfQuestion(answer: VendorAnswer): ProviderError {
  return errorOfPollStatus(answer, detailOf(answer))
}

/** Why a generation ended without anything that can be used. */
export function errorOfGeneration({ state, failure_reason }: Generation): ProviderError {
  const why = failure_reason ?? ''
  const message = state === 'failed' ? `failed: ${why}` : `${state}, but nothing is there`
  if (CREDIT.test(why)) return noCredit(message)
  if (CONTENT.test(why)) return told('rejected', message, { reason: 'content' })
  if (INPUT.test(why)) return told('rejected', message, { reason: 'input' })
  return told('unavailable', message)
}

/** Twenty films or eighty pictures a minute on the first tier, so one is free again within seconds. */
const USUAL_RESET_MS = 5_000

const CREDIT = /insufficient (credit|balance|fund)|out of credit/i

/** As the vendor's page of errors has them, and as people report them. */
const CONTENT = /moderation failed|blacklisted words|prompt not allowed|contains ip\b/i

/**
 * The same input fails again: it cannot be read, or does not fit the model. "Failed to moderate image"
 * is about a picture that the vendor could not load. A reason that begins with 400 is a refusal which
 * the vendor passes on.
 */
const INPUT =
  /failed to read user input|failed to moderate image|prompt is (required|too)|loop is not supported|no keyframes|unknown request type|^400:/i

/** A sentence, or the list of what is wrong with the body that its framework makes. */
const Problem = z.object({ detail: z.unknown().optional() })

function detailOf({ json, text }: VendorAnswer): string {
  const detail = Problem.safeParse(json).data?.detail
  if (typeof detail === 'string') return detail
  return detail === undefined || detail === null ? text : JSON.stringify(detail)
}

function noCredit(message: string): ProviderError {
  return told('unavailable', message, { isPermanent: true })
}
