import type { HoldId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import { append } from './entry'
import { type Grant, type GrantResult, grant } from './grant'
import { insertSettledHold } from './hold-rows'
import { take } from './take'

export type Adjustment = Pick<
  Grant,
  'realmId' | 'userId' | 'description' | 'source' | 'idempotency'
> & {
  /** Tokens, signed and not zero. */
  amount: number
}

/** What the hold that stands for a lowering is called. */
const PURPOSE = 'adjustment'

/**
 * An operator's correction. Raising is a grant of origin `admin`. Lowering takes as spending does, and never
 * more than there is: throws 402 `insufficient_tokens`, and nobody owes anything.
 */
export function adjust(tx: Tx, request: Adjustment): GrantResult {
  const { amount } = request
  invariant(
    Number.isSafeInteger(amount) && amount !== 0,
    'an adjustment is a whole number of tokens, and not none',
  )
  if (amount > 0) return grant(tx, { ...request, type: 'ADMIN_ADJUSTMENT', origin: 'admin' })
  return lower(tx, request, -amount)
}

function lower(tx: Tx, request: Adjustment, amount: number): GrantResult {
  const { realmId, userId } = request
  const { balance, parts } = take(tx, request, amount, 'spent')
  const holdId = tx.id<HoldId>()
  insertSettledHold(tx, {
    id: holdId,
    owner: request,
    jobId: holdId,
    purpose: PURPOSE,
    amount,
    settled: amount,
    parts,
  })
  const entryId = append(tx, {
    realmId,
    userId,
    type: 'ADMIN_ADJUSTMENT',
    amount: -amount,
    balanceAfter: balance,
    holdId,
    description: request.description,
    ...(request.source ? { source: request.source } : {}),
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  return { entryId, previousBalance: balance + amount, newBalance: balance, debtPaid: 0 }
}
