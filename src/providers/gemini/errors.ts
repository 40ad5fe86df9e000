import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import { errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'

/** The words of an error in Google's form. Details may repeat the key, so they never reach a message. */
export const GoogleError = z.object({
  code: z.number().nullish().catch(null),
  message: z.string().nullish().catch(null),
  status: z.string().nullish().catch(null),
  details: z.array(z.unknown()).nullish().catch(null),
})
export type GoogleError = z.infer<typeof GoogleError>

/** What an answer other than the asked-for one says of a call that is over. */
export function geminiError(answer: VendorAnswer): ProviderError {
  const told = Envelope.safeParse(answer.json)
  if (!told.success) return errorOfStatus(answer)
  const { error } = told.data
  const message = `${error.status ?? ''} ${error.message ?? ''}`.trim()
  // An error may come with 200: then the status is in the body.
  const status = answer.status < 400 ? (error.code ?? 500) : answer.status
  if (isAboutOurAccount(error)) return forGood(message)
  if (status === 429) return overLimit(error, answer, message)
  if (status === CLIENT_CLOSED) return new ProviderError('unknown_outcome', message)
  if (status === 400) return refused(error, message)
  return errorOfStatus({ ...answer, status }, message)
}

/**
 * The same for a call that begins something which outlives it. A 500 does not say whether it did begin; a
 * 503 in Google's own words is a model that is overloaded and takes nobody.
 */
export function geminiStartError(answer: VendorAnswer): ProviderError {
  const error = geminiError(answer)
  const told = Envelope.safeParse(answer.json)
  const isOverload = told.success && told.data.error.status === 'UNAVAILABLE'
  if (answer.status < 500 || isOverload) return error
  return new ProviderError('unknown_outcome', error.message)
}

/** The same while asking about what is known to have begun: only Google's "not found" says that it has ended. */
export function geminiPollError(answer: VendorAnswer): ProviderError {
  const error = geminiError(answer)
  if (error.kind === 'rate_limited') return error
  const isGone = answer.status === 404 && Envelope.safeParse(answer.json).success
  return new ProviderError(isGone ? 'unavailable' : 'unknown_outcome', error.message)
}

/** An input that Google turns down, by its words: the code is the same for a wrong field and a wrong wish. */
export function refused(error: GoogleError, message: string): ProviderError {
  const reason = ABOUT_CONTENT.test(error.message ?? '') ? 'content' : 'input'
  return new ProviderError('rejected', message, { reason })
}

/** How Google's refusals of people's wishes read. */
export const ABOUT_CONTENT =
  /responsible ai|safety|sensitive words|prohibited|usage guidelines|violat|content polic/i

const Envelope = z.object({ error: GoogleError })
const Reason = z.object({ reason: z.string() })
const RetryInfo = z.object({ retryDelay: z.string() })
const QuotaFailure = z.object({
  violations: z.array(
    z.object({ quotaId: z.string().nullish(), quotaValue: z.unknown().optional() }),
  ),
})
/** The caller hung up before the answer: it may have been made all the same. */
const CLIENT_CLOSED = 499

/** A bad key is a 400 like any bad field, and so are a region or a bill. None of them is the caller's fault. */
function isAboutOurAccount(error: GoogleError): boolean {
  if (error.status === 'FAILED_PRECONDITION') return true
  return detailsOf(error, Reason).some(({ reason }) => reason.startsWith('API_KEY'))
}

/** A limit of the day, or one of nothing at all, is not waited for. */
function overLimit(error: GoogleError, answer: VendorAnswer, message: string): ProviderError {
  const violations = detailsOf(error, QuotaFailure).flatMap(detail => detail.violations)
  const isOfTheDay = violations.some(({ quotaId }) => /PerDay/i.test(quotaId ?? ''))
  const isNone =
    violations.some(({ quotaValue }) => String(quotaValue) === '0') ||
    /\blimit: 0\b/.test(error.message ?? '')
  if (isOfTheDay || isNone) return forGood(message)
  const [delay] = detailsOf(error, RetryInfo)
  const retryAfterMs = millisecondsOf(delay?.retryDelay) ?? retryAfterOf(answer.headers)
  return new ProviderError('rate_limited', message, retryAfterMs === null ? {} : { retryAfterMs })
}

/** `37s`, `1.5s`. */
function millisecondsOf(duration: string | undefined): number | null {
  const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(duration ?? '') ?? []
  return seconds === undefined ? null : Math.ceil(Number(seconds) * SECOND)
}

/** Known by their fields: their `@type` adds nothing. */
function detailsOf<T>({ details }: GoogleError, schema: z.ZodType<T>): T[] {
  return (details ?? []).flatMap(detail => {
    const parsed = schema.safeParse(detail)
    return parsed.success ? [parsed.data] : []
  })
}

function forGood(message: string): ProviderError {
  return new ProviderError('unavailable', message, { isPermanent: true })
}
