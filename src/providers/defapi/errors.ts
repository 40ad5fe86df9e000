import { SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import { errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'
import { Envelope } from './answers'

/**
 * What an answer other than the asked-for one says of a submission. No list of error codes is known, so it
 * is by the status where that is plain, else by the words.
 */
export function defapiError(answer: VendorAnswer): ProviderError {
  const told = Envelope.safeParse(answer.json)
  const message = told.success ? wordsOf(told.data) : answer.text
  if (answer.status === 429) return overLimit(answer, message)
  // How large a request may be is told nowhere, and the caller's picture is fine.
  if (answer.status === 413) return ofTheVendor(message, true)
  // Behind this vendor stand others: a 5xx does not say how far the task came.
  if (answer.status >= 500) return new ProviderError('unknown_outcome', message)
  const isPlain = answer.status >= 300 && ![400, 422].includes(answer.status)
  if (isPlain || !told.success) return errorOfStatus(answer, message)
  return byWords(answer, message)
}

/** Why a task ended without media. */
export function taskError(reason: string | null | undefined): ProviderError {
  const message = `the task failed: ${reason ?? 'no reason'}`
  if (ABOUT_CONTENT.test(message)) return new ProviderError('rejected', message, CONTENT)
  if (ABOUT_INPUT.test(message)) return new ProviderError('rejected', message, { reason: 'input' })
  return new ProviderError('unavailable', message)
}

export function wordsOf({ code, message, detail }: Envelope): string {
  return [`code ${code}`, message, detail].filter(Boolean).join(': ')
}

const CONTENT = { reason: 'content' } as const
/** Where nobody says how long to wait. */
const WAIT_MS = 10 * SECOND

const ABOUT_CONTENT =
  /safety|polic|prohibited|nsfw|moderat|sensitive|violat|inappropriate|content filter|blocked/i
const ABOUT_INPUT = /invalid (?:input|image|param|prompt|url)|image (?:url )?(?:not|could)/i
const ABOUT_OUR_ACCOUNT =
  /credit|balance|insufficient|recharge|api.?key|unauthori[sz]ed|authenticat/i
const ABOUT_A_LIMIT = /rate.?limit|too many requests|concurren/i
/** The vendor's own trouble, or a model that is no longer there: another vendor may serve. */
const ABOUT_THE_VENDOR = /busy|internal|overload|try again|unavailable|maintenance|model\b.*\bnot/i
const NO_MODEL = /model\b.*\bnot (?:found|exist|supported)/i

function byWords(answer: VendorAnswer, message: string): ProviderError {
  if (ABOUT_OUR_ACCOUNT.test(message)) return ofTheVendor(message, true)
  if (ABOUT_A_LIMIT.test(message)) return overLimit(answer, message)
  if (ABOUT_CONTENT.test(message)) return new ProviderError('rejected', message, CONTENT)
  if (ABOUT_THE_VENDOR.test(message)) return ofTheVendor(message, NO_MODEL.test(message))
  return new ProviderError('rejected', message, { reason: 'input' })
}

function ofTheVendor(message: string, isPermanent: boolean): ProviderError {
  return new ProviderError('unavailable', message, { isPermanent })
}

function overLimit(answer: VendorAnswer, message: string): ProviderError {
  const retryAfterMs = retryAfterOf(answer.headers) ?? WAIT_MS
  return new ProviderError('rate_limited', message, { retryAfterMs })
}
