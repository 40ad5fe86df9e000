import { invalidInput } from '@/base/errors'
import type { Origin } from '@/domain/ledger'

/** What a grant says of itself, as a door heard it. */
export type GivenAs = {
  type: 'GRANT' | 'BONUS'
  /** Absent: a bonus is a bonus, and anything else was bought. */
  origin?: Origin | undefined
  /** Milliseconds; null or absent: never. */
  expiresAt?: number | null | undefined
}

/**
 * The origin and the word of a grant. Throws 400 when they contradict each other, when bought tokens would
 * expire, and when the time has passed at `now`.
 */
export function givenAs(
  now: number,
  given: GivenAs,
): { type: 'GRANT' | 'BONUS'; origin: Origin; expiresAt: number | null } {
  const origin = given.origin ?? (given.type === 'BONUS' ? 'bonus' : 'purchase')
  const expiresAt = given.expiresAt ?? null
  if (given.type === 'BONUS' && origin !== 'bonus') {
    throw invalidInput('origin', 'a grant of type bonus has the origin bonus')
  }
  if (expiresAt !== null && origin === 'purchase') {
    throw invalidInput('expires_at', 'bought tokens never expire; name another origin')
  }
  if (expiresAt !== null && expiresAt <= now) {
    throw invalidInput('expires_at', 'must be in the future')
  }
  return { type: origin === 'bonus' ? 'BONUS' : 'GRANT', origin, expiresAt }
}
