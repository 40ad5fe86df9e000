import { SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import { errorOfStatus, retryAfterOf, type VendorAnswer } from '../http'
import { ErrorAnswer, type VendorError } from './answers'

/** What an answer that is no result means. Its status may well be 200. */
export function refusalOf(answer: VendorAnswer): ProviderError {
  return refusalIn(answer) ?? errorOfStatus(answer)
}

/** Null when the vendor's error object is not in it. */
export function refusalIn(answer: VendorAnswer): ProviderError | null {
  const told = ErrorAnswer.safeParse(answer.json)
  return told.success ? refusalBy(told.data.error, answer) : null
}

/**
 * What the vendor's error object means. It stands for a call that has ended: only a timeout of the vendor
 * behind (408, 504, 524) leaves open what that one does.
 */
export function refusalBy(told: VendorError, answer: VendorAnswer): ProviderError {
  const status = statusOf(told, answer)
  const text = `${status}: ${textOf(told)}`
  const retryAfterMs = retryAfter(told, answer)
  const options = retryAfterMs === null ? {} : { retryAfterMs }

  if (isAboutContent(told)) return new ProviderError('rejected', text, { reason: 'content' })
  // Money that other calls in flight hold for the moment: alone among the 402 it helps to wait.
  if (status === 402 && told.metadata?.limit_source === 'openrouter_in_flight_budget') {
    return new ProviderError('rate_limited', text, options)
  }
  // Which model is asked is ours to say, so this is no fault of the caller.
  if (status === 400 && NO_MODEL.test(told.message ?? '')) {
    return new ProviderError('unavailable', text, { isPermanent: true })
  }
  if (status === 502) return new ProviderError('unavailable', text, options)
  const { kind, reason, isPermanent } = errorOfStatus({ ...answer, status }, text)
  return new ProviderError(kind, text, { ...options, reason, isPermanent })
}

/** For what has no error object: a finish by a filter, a refusal in words. */
export function contentRefusal(why: string): ProviderError {
  return new ProviderError('rejected', why, { reason: 'content' })
}

/** Whether a text of some vendor behind speaks of its rules about content. */
export function speaksOfContent(text: string): boolean {
  return ABOUT_CONTENT.test(text)
}

const ABOUT_CONTENT = new RegExp(
  [
    'moderat',
    'content[ _-]?(policy|filter)',
    'safety',
    'flagged',
    'prohibited',
    'nsfw',
    'sensitive (content|information)',
    'usage polic',
  ].join('|'),
  'i',
)

const NO_MODEL = /not a valid model/i

const CONTENT_TYPES: readonly string[] = ['content_policy_violation', 'refusal']

/**
 * A 403 is a flag of the moderation, a block by a guardrail, or a missing right of our key. What was
 * flagged or matched comes with the first two only.
 */
function isAboutContent({ metadata }: VendorError): boolean {
  if (!metadata) return false
  if (CONTENT_TYPES.includes(metadata.error_type ?? '')) return true
  if (metadata.reasons?.length || metadata.patterns?.length || metadata.flagged_input) return true
  return BEHIND.test(`${metadata.provider_code ?? ''} ${rawOf(metadata.raw)}`)
}

/** What the vendors behind call it, handed on with any status. Their prose is not searched for less. */
const BEHIND =
  /moderation_blocked|content_policy_violation|content_filter|rejected by the safety system/i

function statusOf({ code }: VendorError, { status }: VendorAnswer): number {
  const coded = Number(code)
  if (Number.isInteger(coded) && coded >= 400 && coded < 600) return coded
  // In the vendor's own words it failed, and how remains untold.
  return status >= 400 ? status : 500
}

/** Not the flagged input: that is the user's own text. */
function textOf({ message, metadata }: VendorError): string {
  const parts = [metadata?.error_type, message, metadata?.provider_name, rawOf(metadata?.raw)]
  return parts.filter(part => part).join(' | ')
}

const RAW_KEPT = 300

function rawOf(raw: unknown): string {
  if (raw === undefined || raw === null) return ''
  return (typeof raw === 'string' ? raw : JSON.stringify(raw)).slice(0, RAW_KEPT)
}

/** In a 200 the headers cannot say it, so the vendor repeats it in the body. */
function retryAfter({ metadata }: VendorError, { headers }: VendorAnswer): number | null {
  const seconds = metadata?.retry_after_seconds
  const fromBody = typeof seconds === 'number' && seconds >= 0 ? Math.ceil(seconds * SECOND) : null
  return retryAfterOf(headers) ?? fromBody
}
