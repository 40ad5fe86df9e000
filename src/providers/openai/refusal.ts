import { ProviderError } from '../errors'
import { errorOfStatus, type VendorAnswer } from '../http'
import { ErrorAnswer } from './answers'

/** What an answer that is no result means: the vendor's own words first, else its status. */
export function refusalOf(answer: VendorAnswer): ProviderError {
  const told = ErrorAnswer.safeParse(answer.json)
  if (!told.success) return errorOfStatus(answer)
  const { message, type, code, param } = told.data.error
  const words = [type, code].flatMap(word => (typeof word === 'string' ? [word] : []))
  const says = (list: ReadonlySet<string>) => words.some(word => list.has(word))
  const requestId = answer.headers.get('x-request-id')
  const text = [...words, message, requestId].filter(part => part).join(' ')
  const isClientError = answer.status >= 400 && answer.status < 500

  if (says(CONTENT) || (answer.status === 400 && ABOUT_CONTENT.test(message ?? ''))) {
    return new ProviderError('rejected', text, { reason: 'content' })
  }
  if (says(NO_CREDIT)) return new ProviderError('unavailable', text, { isPermanent: true })
  // Which model is asked, and by which account, is ours to say: no fault of the caller.
  const isOurs = says(NO_MODEL) || param === 'model' || UNVERIFIED.test(message ?? '')
  if (isClientError && isOurs) {
    return new ProviderError('unavailable', text, { isPermanent: true })
  }
  return errorOfStatus(answer, text)
}

const CONTENT: ReadonlySet<string> = new Set([
  'moderation_blocked',
  'content_policy_violation',
  'content_filter',
])

/** Older models give a refusal no code of its own, and reasoning models call it `invalid_prompt`. */
const ABOUT_CONTENT = /safety system|content policy|usage policy/i

/** They come as 429, a few as 400, and waiting helps none of them. */
const NO_CREDIT: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'billing_hard_limit_reached',
])

/** Seen with 403 and with 400, and without a code. */
const UNVERIFIED = /organization must be verified/i

const NO_MODEL: ReadonlySet<string> = new Set(['model_not_found'])
