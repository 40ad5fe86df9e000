import { AppError } from '@/base/errors'
import { type EntryId, formatId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import * as ledger from '@/domain/ledger'
import { findByExternalId } from './find'

export type ReversalAnswer = {
  /** Null when all of the grant had expired, so that there was nothing to take. */
  entryId: EntryId | null
  taken: number
  owed: number
  newBalance: number
  isReplay: boolean
}

/**
 * Takes a grant back, once: what is left of it, and the rest as a debt. Throws 404 for a user or an entry
 * that is not there, 400 for one that is no grant, 409 when it was reversed before.
 */
export async function reverseGrant(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  input: {
    externalId: string
    entryId: EntryId
    reason: string
    idempotency: { key: string; hash: string } | null
  },
): Promise<ReversalAnswer> {
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, input.externalId)
    if (!user) throw new AppError('not_found')
    const { idempotency, entryId } = input
    const key = idempotency ? `${realm.id}:reverse:${user.id}:${entryId}:${idempotency.key}` : null
    const kept = key ? ledger.reversalByKey(tx, key) : null
    if (kept) {
      if (kept.requestHash !== idempotency?.hash) throw new AppError('idempotency_mismatch')
      return { ...kept.answer, isReplay: true }
    }
    const made = ledger.reverseGrant(tx, {
      realmId: realm.id,
      userId: user.id,
      entryId,
      description: input.reason,
      ...(key && idempotency ? { idempotency: { key, hash: idempotency.hash } } : {}),
    })
    const { taken, owed } = made
    record(tx, actor, 'tokens.reverse', formatId('entry', entryId), { taken, owed })
    return { ...made, isReplay: false }
  })
}
