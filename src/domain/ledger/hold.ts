import type { HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import { availableOf } from './balance'
import { append } from './entry'
import { insertHold } from './hold-rows'
import { take } from './take'

export type HoldRequest = {
  realmId: RealmId
  userId: UserId
  jobId: JobId
  /** A job may hold for more than one thing; each resolves by itself. */
  purpose: string
  /** Tokens, 0 or more. */
  amount: number
  description: string
}

/**
 * Takes tokens out of the balance until `settle` or `voidHold`. Answers the balance that is left.
 * Throws 402 `insufficient_tokens` with what there is and what was asked for.
 */
export function hold(tx: Tx, request: HoldRequest): number {
  const { realmId, userId, jobId, purpose, amount } = request
  invariant(Number.isSafeInteger(amount) && amount >= 0, 'a hold is a whole number of tokens')
  if (amount === 0) return availableOf(tx, request)

  const { balance, parts } = take(tx, request, amount, 'reserved')
  const id = tx.id<HoldId>()
  insertHold(tx, { id, owner: request, jobId, purpose, amount, parts })
  append(tx, {
    realmId,
    userId,
    type: 'GENERATION_DEBIT',
    amount: -amount,
    balanceAfter: balance,
    holdId: id,
    jobId,
    description: request.description,
  })
  return balance
}
