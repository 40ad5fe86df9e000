import { AppError } from '@/base/errors'
import { type EntryId, formatId } from '@/base/ids'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import * as ledger from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'

export type ChargeReversal = {
  entryId: EntryId
  amount: number
  balance: number
  isReplay: boolean
}

/**
 * Gives a charge back, whole and once, to the very buckets that paid; also to a user who is deactivated. Throws
 * 404 for a user or a charge that is not there, 409 `conflict` when it was given back before, 422 for a reused key.
 */
export async function reverseCharge(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  request: {
    externalId: string
    entryId: EntryId
    reason: string
    idempotency: { key: string; hash: string } | null
  },
): Promise<ChargeReversal> {
  const { entryId, idempotency } = request
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, request.externalId)
    if (!user) throw new AppError('not_found')
    const charge = ledger.entryById(tx, realm.id, user.id, entryId)
    // Grants and jobs are moves of the same ledger, and have other ways back.
    if (charge?.type !== 'FEATURE_DEBIT') throw new AppError('not_found')
    const own = idempotency && {
      key: `${realm.id}:reverse-charge:${user.id}:${entryId}:${idempotency.key}`,
      hash: idempotency.hash,
    }
    const kept = keptAnswer(tx, own)
    if (kept) return { ...kept, isReplay: true }
    const made = ledger.reverseCharge(tx, {
      realmId: realm.id,
      userId: user.id,
      entryId,
      description: request.reason,
      ...(own ? { idempotency: own } : {}),
    })
    record(tx, actor, 'tokens.reverse_charge', formatId('entry', entryId), {
      amount: made.refunded,
    })
    return {
      entryId: made.entryId,
      amount: made.refunded,
      balance: made.newBalance,
      isReplay: false,
    }
  })
}

function keptAnswer(tx: Tx, own: { key: string; hash: string } | null) {
  const entry = own && ledger.entryByKey(tx, own.key)
  if (!entry) return null
  if (entry.requestHash !== own.hash) throw new AppError('idempotency_mismatch')
  return { entryId: entry.id, amount: entry.amount, balance: entry.balanceAfter }
}
