import { invalidInput } from '@/base/errors'
import type { RealmId, UserId } from '@/base/ids'
import { fingerprint, type Scope } from '@/domain/idempotency'

/**
 * The key of a call, from the body or the header. Throws 400 when both are there and differ. The
 * fingerprint is of the checked body without the key itself.
 */
export function idempotencyOf(
  request: Request,
  body: { idempotency_key?: string | undefined },
): { key: string; hash: string } | null {
  const header = request.headers.get('idempotency-key')
  if (header !== null && !/^[\x20-\x7e]{1,255}$/.test(header)) {
    throw invalidInput('Idempotency-Key', 'must be 1 to 255 visible characters')
  }
  const { idempotency_key: inBody, ...rest } = body
  if (header !== null && inBody !== undefined && header !== inBody) {
    throw invalidInput('idempotency_key', 'differs from the Idempotency-Key header')
  }
  const key = inBody ?? header
  return key === null ? null : { key, hash: fingerprint(rest) }
}

export function scopeOfKey(
  given: { key: string; hash: string } | null,
  at: { realmId: RealmId; userId: UserId | null; operation: string },
): Scope | null {
  return given ? { ...at, ...given } : null
}

/** Says that the answer is that of an earlier call. */
export function replayHeaders(isReplay: boolean): Record<string, string> {
  return isReplay ? { 'idempotent-replayed': 'true' } : {}
}
