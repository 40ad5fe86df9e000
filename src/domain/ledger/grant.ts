import { invalidInput } from '@/base/errors'
import type { EntryId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { append, type EntryType } from './entry'

export type Grant = {
  realmId: RealmId
  userId: UserId
  /** Tokens, at least 1. */
  amount: number
  type: Extract<EntryType, 'GRANT' | 'BONUS' | 'ADMIN_ADJUSTMENT'>
  description: string
  /** Where it came from, once: a second grant of the same source and id is refused by the database. */
  source?: { name: string; id: string }
  /** Kept for ever on the entry. */
  idempotency?: { key: string; hash: string }
}
export type GrantResult = { entryId: EntryId; previousBalance: number; newBalance: number }

/** Far above any real balance and far below where integers lose precision. */
export const MAX_BALANCE = 1_000_000_000_000_000

const add = returning<
  { realmId: number; userId: number; amount: number; max: number },
  { balance: number }
>(
  `UPDATE users SET balance = balance + $amount
   WHERE realm_id = $realmId AND id = $userId AND balance + reserved + $amount <= $max
   RETURNING balance`,
)

export function grant(tx: Tx, request: Grant): GrantResult {
  const { realmId, userId, amount } = request
  invariant(
    Number.isSafeInteger(amount) && amount > 0,
    'a grant is a whole number of tokens above zero',
  )
  const after = add.get(tx, { realmId, userId, amount, max: MAX_BALANCE })
  if (!after) throw invalidInput('amount', `would lift the balance above ${MAX_BALANCE}`)
  const entryId = append(tx, {
    realmId,
    userId,
    type: request.type,
    amount,
    balanceAfter: after.balance,
    description: request.description,
    ...(request.source ? { source: request.source } : {}),
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  return { entryId, previousBalance: after.balance - amount, newBalance: after.balance }
}
