import { invalidInput } from '@/base/errors'
import type { BucketId, EntryId, RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Db } from '@/db/open'
import { NEVER } from '@/db/schema'
import type { Tx } from '@/db/write'
import { addTo, move } from './account'
import { bucketOf, fillBucket, type Origin, takeFromBucket } from './bucket'
import { append, type EntryType } from './entry'
import { expireDue } from './expire'
import { entryBySource } from './list-entries'

export type Grant = {
  realmId: RealmId
  userId: UserId
  /** Tokens, at least 1. */
  amount: number
  type: Extract<EntryType, 'GRANT' | 'BONUS' | 'ADMIN_ADJUSTMENT'>
  description: string
  /** Absent: bought, so it is plain and never expires. */
  origin?: Origin
  /** Milliseconds, in the future; null or absent: never. */
  expiresAt?: number | null
  /** Made up for: the time of these tokens may have passed, and then the next verb expires them. */
  mayBeOver?: true
  /** Where it came from, once: a second grant of the same source and id is refused by the database. */
  source?: { name: string; id: string }
  /** Kept for ever on the entry. */
  idempotency?: { key: string; hash: string }
}
export type GrantResult = {
  entryId: EntryId
  previousBalance: number
  newBalance: number
  /** What of it went to an earlier debt at once. */
  debtPaid: number
}

/** Far above any real balance and far below where integers lose precision. */
export const MAX_BALANCE = 1_000_000_000_000_000

/** The source of what a grant paid of a debt; its id is the grant's entry. */
const DEBT_PAYMENT = 'debt_payment'

/** Gives tokens. Whoever owes pays from them first, by an entry of its own right behind the grant's. */
export function grant(tx: Tx, request: Grant): GrantResult {
  const { realmId, userId, amount } = request
  const origin = request.origin ?? 'purchase'
  const expiresAt = request.expiresAt ?? null
  invariant(
    Number.isSafeInteger(amount) && amount > 0,
    'a grant is a whole number of tokens above zero',
  )
  invariant(expiresAt === null || origin !== 'purchase', 'bought tokens never expire')
  invariant(
    expiresAt === null || ((expiresAt > tx.now || request.mayBeOver) && expiresAt < NEVER),
    'tokens are given for a time to come',
  )
  expireDue(tx, userId)
  const isPlain = origin === 'purchase'
  const after = addTo(tx, request, amount, isPlain ? 0 : amount, MAX_BALANCE)
  if (!after) throw invalidInput('amount', `would lift the balance above ${MAX_BALANCE}`)
  const bucketId = isPlain ? null : fillBucket(tx, request, { origin, amount, expiresAt })
  const entryId = append(tx, {
    realmId,
    userId,
    type: request.type,
    amount,
    balanceAfter: after.balance,
    bucketId,
    description: request.description,
    ...(request.source ? { source: request.source } : {}),
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  const debtPaid = Math.min(after.owed, amount)
  if (debtPaid > 0) payDebt(tx, request, entryId, bucketId, debtPaid)
  return {
    entryId,
    previousBalance: after.balance - amount,
    newBalance: after.balance - debtPaid,
    debtPaid,
  }
}

/** What this grant paid of a debt when it came. */
export function debtPaidBy(from: Tx | Db, entryId: EntryId): number {
  const payment = entryBySource(from, { name: DEBT_PAYMENT, id: String(entryId) })
  return payment ? -payment.amount : 0
}

/** Out of the very tokens that have just come. */
function payDebt(
  tx: Tx,
  { realmId, userId }: Grant,
  entryId: EntryId,
  bucketId: BucketId | null,
  amount: number,
): void {
  const bucket = bucketId === null ? null : bucketOf(tx, bucketId)
  if (bucket) takeFromBucket(tx, bucket, amount)
  const balanceAfter = move(
    tx,
    { realmId, userId },
    { balance: -amount, bucketed: bucket ? -amount : 0, owed: -amount },
  )
  append(tx, {
    realmId,
    userId,
    type: 'DEBT_PAYMENT',
    amount: -amount,
    balanceAfter,
    bucketId,
    description: 'debt paid',
    source: { name: DEBT_PAYMENT, id: String(entryId) },
  })
}
