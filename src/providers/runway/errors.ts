import { ProviderError } from '../errors'
import { errorOfStatus, type VendorAnswer } from '../http'
import { Refusal, type Task } from './answers'

/** Why a task was not created. */
export function createError(answer: VendorAnswer): ProviderError {
  const { error, issues } = Refusal.safeParse(answer.json).data ?? {}
  const text = error ?? answer.text
  if (answer.status === 400 && isOurTrouble(text, issues ?? [])) {
    return new ProviderError('unavailable', `400: ${text}`, { isPermanent: true })
  }
  // 503 is documented as shedding load; what broke in the middle may have created the task all the same.
  if (answer.status === 500) return new ProviderError('unknown_outcome', `500: ${text}`)
  return errorOfStatus(answer)
}

/**
 * Why a task that has ended made nothing, by its code. Moderation is in the second part as well
 * (`INPUT_PREPROCESSING.SAFETY.TEXT`), and an unknown code or none is a breakdown of theirs.
 */
export function taskError({ status, failure, failureCode }: Task): ProviderError {
  const message = `${status} ${failureCode ?? 'without a code'}: ${failure ?? ''}`
  const parts = (failureCode ?? '').split('.')
  if (parts.includes('SAFETY')) return new ProviderError('rejected', message, { reason: 'content' })
  const isInput = parts[0] === 'ASSET' || parts.includes('INPUT_VALIDATION')
  if (isInput) return new ProviderError('rejected', message, { reason: 'input' })
  return new ProviderError('unavailable', message)
}

/** What the moderation of the input turns down is not refunded. */
export function isCharged({ failureCode }: Task): boolean {
  return failureCode?.startsWith('SAFETY.INPUT') ?? false
}

/** An empty account and a model that they do not know are answered like bad input. */
function isOurTrouble(
  text: string,
  issues: { path?: (string | number)[] | null | undefined }[],
): boolean {
  return /not have enough credits/i.test(text) || issues.some(({ path }) => path?.[0] === 'model')
}
