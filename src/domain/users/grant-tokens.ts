import { AppError } from '@/base/errors'
import { type EntryId, formatId } from '@/base/ids'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { debtPaidBy, type Entry, entryByKey, grant } from '@/domain/ledger'
import { ensure } from './ensure'
import { type GivenAs, givenAs } from './given-as'

export type GrantAnswer = {
  previousBalance: number
  amountAdded: number
  /** What of it went to an earlier debt at once. */
  debtPaid: number
  newBalance: number
  entryId: EntryId
  isReplay: boolean
}

/**
 * Gives tokens to a user, made when unknown, in one write. The idempotency key is kept for ever on the
 * ledger entry. Throws 422 when the key was used with another body.
 */
export async function grantTokens(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  input: GivenAs & {
    externalId: string
    amount: number
    reason: string
    idempotency: { key: string; hash: string } | null
  },
): Promise<GrantAnswer> {
  return await write(deps.db, tx => {
    const { user } = ensure(tx, deps.secrets, {
      realm,
      externalId: input.externalId,
      mayHaveWelcomeGrant: true,
    })
    const key = input.idempotency ? `${realm.id}:grant:${user.id}:${input.idempotency.key}` : null
    const kept = key ? entryByKey(tx, key) : null
    if (kept) return replayed(tx, kept, input.idempotency)
    // Only now: a grant that is repeated after its tokens have expired is still the same grant.
    const as = givenAs(tx.now, input)
    const made = grant(tx, {
      realmId: realm.id,
      userId: user.id,
      amount: input.amount,
      ...as,
      description: input.reason,
      ...(key && input.idempotency ? { idempotency: { key, hash: input.idempotency.hash } } : {}),
    })
    record(tx, actor, 'tokens.grant', formatId('user', user.id), {
      amount: input.amount,
      origin: as.origin,
    })
    return { ...made, amountAdded: input.amount, isReplay: false }
  })
}

/** What a repeated call is told: the same again. Throws 422 when its key was used with another body. */
export function replayed(tx: Tx, kept: Entry, idempotency: { hash: string } | null): GrantAnswer {
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
