import { Superseded } from '@/base/errors'
import type { HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { move } from './account'
import { append } from './entry'
import { giveBackParts } from './give-back'

type Hold = { id: HoldId; realmId: RealmId; userId: UserId; amount: number; hasParts: 0 | 1 }

// Whether there are parts is asked along the way, and only where something comes back: a hold of plain
// tokens costs no statement more than it would without buckets.
const close = returning<
  { jobId: number; purpose: string; state: string; settled: number; now: number },
  Hold
>(
  `UPDATE holds SET state = $state, settled_amount = min($settled, amount), resolved_at = $now
   WHERE job_id = $jobId AND purpose = $purpose AND state = 'open'
   RETURNING id, realm_id AS realmId, user_id AS userId, amount,
     CASE WHEN settled_amount < amount
       THEN EXISTS (SELECT 1 FROM hold_parts p WHERE p.hold_id = holds.id) ELSE 0 END AS hasParts`,
)

const exists = query<{ jobId: number; purpose: string }, { id: number }>(
  'SELECT id FROM holds WHERE job_id = $jobId AND purpose = $purpose',
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
  const bucketed = hold.hasParts ? giveBackParts(tx, hold, hold, refund) : 0
  const balanceAfter = move(tx, hold, { balance: refund, reserved: -amount, bucketed })
  if (refund > 0) {
    append(tx, {
      realmId,
      userId,
      type: 'GENERATION_REFUND',
      amount: refund,
      balanceAfter,
      holdId: hold.id,
      jobId,
      description:
        state === 'voided' ? 'job ended without a result' : 'less was made than asked for',
    })
  }
  return refund
}
