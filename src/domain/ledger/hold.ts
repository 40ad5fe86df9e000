import { AppError } from '@/base/errors'
import type { HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { command, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { balanceOf } from './balance'
import { append } from './entry'

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

const take = returning<{ realmId: number; userId: number; amount: number }, { balance: number }>(
  `UPDATE users SET balance = balance - $amount, reserved = reserved + $amount
   WHERE realm_id = $realmId AND id = $userId AND balance >= $amount
   RETURNING balance`,
)

const insert = command<{
  id: number
  realmId: number
  userId: number
  jobId: number
  purpose: string
  amount: number
  now: number
}>(
  `INSERT INTO holds (id, realm_id, user_id, job_id, purpose, amount, state, created_at)
   VALUES ($id, $realmId, $userId, $jobId, $purpose, $amount, 'open', $now)`,
)

/**
 * Takes tokens out of the balance until `settle` or `voidHold`. Answers the balance that is left.
 * Throws 402 `insufficient_tokens` with what there is and what was asked for.
 */
export function hold(tx: Tx, request: HoldRequest): number {
  const { realmId, userId, jobId, purpose, amount } = request
  invariant(Number.isSafeInteger(amount) && amount >= 0, 'a hold is a whole number of tokens')
  if (amount === 0) return balanceOf(tx, realmId, userId).available

  const taken = take.get(tx, { realmId, userId, amount })
  if (!taken) {
    const { available } = balanceOf(tx, realmId, userId)
    throw new AppError('insufficient_tokens', { detail: { balance: available, required: amount } })
  }
  const id = tx.id<HoldId>()
  insert.run(tx, { id, realmId, userId, jobId, purpose, amount, now: tx.now })
  append(tx, {
    realmId,
    userId,
    type: 'GENERATION_DEBIT',
    amount: -amount,
    balanceAfter: taken.balance,
    holdId: id,
    jobId,
    description: request.description,
  })
  return taken.balance
}
