import { AppError, invalidInput } from '@/base/errors'
import type { EntryId, HoldId, RealmId, UserId } from '@/base/ids'
import { returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { move } from './account'
import { append } from './entry'
import { giveBackParts } from './give-back'
import { entryById } from './list-entries'

export type Reversal = {
  realmId: RealmId
  userId: UserId
  /** The entry that is reversed. */
  entryId: EntryId
  description: string
  /** Kept for ever on the entry. */
  idempotency?: { key: string; hash: string }
}

// The id of a charge's hold is its own job_id; the state that it leaves is that something was kept.
const reopen = returning<{ id: number }, { id: HoldId; amount: number }>(
  `UPDATE holds SET settled_amount = 0
   WHERE id = $id AND purpose = 'charge' AND state = 'settled' AND settled_amount = amount
   RETURNING id, amount`,
)

/**
 * Gives back all of a charge, once, to where it came from. Throws 404 when the user has no such entry, 400
 * when it is no charge, 409 `conflict` the second time.
 */
export function reverseCharge(
  tx: Tx,
  request: Reversal,
): { entryId: EntryId; refunded: number; newBalance: number } {
  const { realmId, userId } = request
  const entry = entryById(tx, realmId, userId, request.entryId)
  if (!entry) throw new AppError('not_found')
  if (entry.type !== 'FEATURE_DEBIT' || entry.holdId === null) {
    throw invalidInput('transaction_id', 'is not a charge')
  }
  const hold = reopen.get(tx, { id: entry.holdId })
  if (!hold) throw new AppError('conflict', { internal: 'the charge was reversed before' })
  const bucketed = giveBackParts(tx, request, hold, hold.amount)
  const newBalance = move(tx, request, { balance: hold.amount, bucketed })
  const entryId = append(tx, {
    realmId,
    userId,
    type: 'FEATURE_REFUND',
    amount: hold.amount,
    balanceAfter: newBalance,
    holdId: hold.id,
    description: request.description,
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  return { entryId, refunded: hold.amount, newBalance }
}
