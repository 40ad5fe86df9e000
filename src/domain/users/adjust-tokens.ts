import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { adjust, entryByKey } from '@/domain/ledger'
import { findByExternalId } from './find'
import { type GrantAnswer, replayed } from './grant-tokens'

/**
 * An operator's correction, up or down. Throws 404 when there is no such user, 402 when more would be taken
 * than there is, 422 when the key was used with another body.
 */
export async function adjustTokens(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  input: {
    externalId: string
    /** Signed, not zero. */
    amount: number
    reason: string
    idempotency: { key: string; hash: string } | null
  },
): Promise<GrantAnswer> {
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, input.externalId)
    if (!user) throw new AppError('not_found')
    const { idempotency, amount } = input
    const key = idempotency ? `${realm.id}:adjust:${user.id}:${idempotency.key}` : null
    const kept = key ? entryByKey(tx, key) : null
    if (kept) return replayed(tx, kept, idempotency)
    const made = adjust(tx, {
      realmId: realm.id,
      userId: user.id,
      amount,
      description: input.reason,
      ...(key && idempotency ? { idempotency: { key, hash: idempotency.hash } } : {}),
    })
    record(tx, actor, 'tokens.adjust', formatId('user', user.id), { amount })
    return { ...made, amountAdded: amount, isReplay: false }
  })
}
