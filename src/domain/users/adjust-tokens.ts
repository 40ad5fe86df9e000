import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { adjust, debtPaidBy, entryByKey } from '@/domain/ledger'
import { findByExternalId } from './find'
import type { GrantAnswer } from './grant-tokens'

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
    if (kept) {
      if (kept.requestHash !== idempotency?.hash) throw new AppError('idempotency_mismatch')
      const debtPaid = debtPaidBy(tx, kept.id)
      return {
        previousBalance: kept.balanceAfter - kept.amount,
        amountAdded: kept.amount,
        debtPaid,
        newBalance: kept.balanceAfter - debtPaid,
        entryId: kept.id,
        isReplay: true,
      }
    }
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
