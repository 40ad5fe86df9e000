import type { EntryId, HoldId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import { append } from './entry'
import { insertSettledHold } from './hold-rows'
import { take } from './take'

export type Charge = {
  realmId: RealmId
  userId: UserId
  /** Tokens, at least 1. */
  amount: number
  description: string
  source?: { name: string; id: string }
  /** Kept for ever on the entry. */
  idempotency?: { key: string; hash: string }
}

/** What a hold that pays for an app's own feature is called. */
export const CHARGE_PURPOSE = 'charge'

/**
 * Takes tokens for good, for something of the app's own: a hold that is settled at once, so that it is known
 * which buckets paid. Throws 402 `insufficient_tokens`.
 */
export function charge(
  tx: Tx,
  request: Charge,
): { entryId: EntryId; holdId: HoldId; newBalance: number } {
  const { realmId, userId, amount } = request
  invariant(
    Number.isSafeInteger(amount) && amount > 0,
    'a charge is a whole number of tokens above zero',
  )
  const { balance, parts } = take(tx, request, amount, 'spent')
  const holdId = tx.id<HoldId>()
  insertSettledHold(tx, {
    id: holdId,
    owner: request,
    // No job stands behind it, and one id means one thing: its own.
    jobId: holdId,
    purpose: CHARGE_PURPOSE,
    amount,
    settled: amount,
    parts,
  })
  const entryId = append(tx, {
    realmId,
    userId,
    type: 'FEATURE_DEBIT',
    amount: -amount,
    balanceAfter: balance,
    holdId,
    description: request.description,
    ...(request.source ? { source: request.source } : {}),
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  return { entryId, holdId, newBalance: balance }
}
