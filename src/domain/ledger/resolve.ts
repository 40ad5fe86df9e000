import { Superseded } from '@/base/errors'
import type { HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { append } from './entry'

type Hold = { id: HoldId; realmId: RealmId; userId: UserId; amount: number }

const close = returning<
  { jobId: number; purpose: string; state: string; settled: number; now: number },
  Hold
>(
  `UPDATE holds SET state = $state, settled_amount = min($settled, amount), resolved_at = $now
   WHERE job_id = $jobId AND purpose = $purpose AND state = 'open'
   RETURNING id, realm_id AS realmId, user_id AS userId, amount`,
)

const exists = query<{ jobId: number; purpose: string }, { id: number }>(
  'SELECT id FROM holds WHERE job_id = $jobId AND purpose = $purpose',
)

const giveBack = returning<
  { realmId: number; userId: number; amount: number; refund: number },
  { balance: number }
>(
  `UPDATE users SET reserved = reserved - $amount, balance = balance + $refund
   WHERE realm_id = $realmId AND id = $userId
   RETURNING balance`,
)

/** The work was done: keeps `amount` of what was held, never more, and gives the rest back. Answers the rest. */
export function settle(tx: Tx, jobId: JobId, purpose: string, amount: number): number {
  invariant(
    Number.isSafeInteger(amount) && amount >= 0,
    'a settled amount is a whole number of tokens',
  )
  return resolve(tx, jobId, purpose, 'settled', amount)
}

/** The work was not done: gives everything back. Answers how much. */
export function voidHold(tx: Tx, jobId: JobId, purpose: string): number {
  return resolve(tx, jobId, purpose, 'voided', 0)
}

/** Once: of all who race to resolve a hold, the first to commit wins and the others are Superseded. */
function resolve(
  tx: Tx,
  jobId: JobId,
  purpose: string,
  state: 'settled' | 'voided',
  settled: number,
): number {
  const hold = close.get(tx, { jobId, purpose, state, settled, now: tx.now })
  if (!hold) {
    // A job that costs nothing never held anything.
    if (!exists.get(tx, { jobId, purpose })) return 0
    throw new Superseded('hold is resolved')
  }
  const { realmId, userId, amount } = hold
  invariant(settled <= amount, 'a hold is never settled for more than it held')
  const refund = amount - settled
  const after = giveBack.get(tx, { realmId, userId, amount, refund })
  invariant(after, 'the user of a hold exists')
  if (refund > 0) {
    append(tx, {
      realmId,
      userId,
      type: 'GENERATION_REFUND',
      amount: refund,
      balanceAfter: after.balance,
      holdId: hold.id,
      jobId,
      description:
        state === 'voided' ? 'job ended without a result' : 'less was made than asked for',
    })
  }
  return refund
}
