import { AppError, invalidInput } from '@/base/errors'
import type { EntryId, HoldId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { accountOf, move } from './account'
import { bucketOf, takeFromBucket } from './bucket'
import { append } from './entry'
import { expireDue } from './expire'
import { insertSettledHold } from './hold-rows'
import { type Entry, entryById, entryByKey, entryBySource } from './list-entries'
import type { Reversal } from './reverse-charge'

export type ReversedGrant = {
  /** Null when nothing was left to take: all of it had expired. */
  entryId: EntryId | null
  /** What of the balance went. */
  taken: number
  /** What had been spent, and is owed from now on. */
  owed: number
  newBalance: number
}

/** What the hold that stands for a reversal is called; its job_id is the entry of the grant. */
const PURPOSE = 'reversal'
const SOURCE = 'reversal'
const GRANTS = ['GRANT', 'BONUS', 'ADMIN_ADJUSTMENT']

// The id of an expiry's source is `<bucket>:<when>`, and `;` is the character behind `:`.
const sumExpired = query<{ from: string; to: string }, { expired: number }>(
  `SELECT coalesce(-sum(amount), 0) AS expired FROM token_entries
   WHERE source = 'expiry' AND source_id >= $from AND source_id < $to`,
)

const debtOfHold = query<{ holdId: number }, { amount: number }>(
  "SELECT amount FROM token_entries WHERE hold_id = $holdId AND type = 'DEBT'",
)

/**
 * Takes a grant back, once: from its own bucket, then from plain tokens, never from another bucket and never
 * below zero. What was spent of it is owed. What expired of it is over and is not asked for; what is held
 * stays held. Throws 404 when the user has no such entry, 400 when it is no grant, 409 `conflict` the second
 * time.
 */
export function reverseGrant(tx: Tx, request: Reversal): ReversedGrant {
  const { realmId, userId } = request
  const granted = entryById(tx, realmId, userId, request.entryId)
  if (!granted) throw new AppError('not_found')
  if (!GRANTS.includes(granted.type) || granted.amount < 0) {
    throw invalidInput('transaction_id', 'is not a grant')
  }
  if (reversalOf(tx, granted.id)) {
    throw new AppError('conflict', { internal: 'the grant was reversed before' })
  }
  expireDue(tx, userId)
  const account = accountOf(tx, request)
  const amount = granted.amount - expiredOf(tx, granted)
  if (amount === 0) return { entryId: null, taken: 0, owed: 0, newBalance: account.balance }

  const bucket = granted.bucketId === null ? null : bucketOf(tx, granted.bucketId)
  const fromBucket = Math.min(bucket?.remaining ?? 0, amount)
  const fromPlain = Math.min(account.balance - account.bucketed, amount - fromBucket)
  const taken = fromBucket + fromPlain
  const owed = amount - taken
  if (bucket && fromBucket > 0) takeFromBucket(tx, bucket, fromBucket)
  const newBalance = move(tx, request, { balance: -taken, bucketed: -fromBucket, owed })
  const holdId = tx.id<HoldId>()
  insertSettledHold(tx, {
    id: holdId,
    owner: request,
    jobId: granted.id,
    purpose: PURPOSE,
    amount,
    settled: taken,
    parts: fromBucket > 0 && bucket ? [{ bucketId: bucket.id, amount: fromBucket }] : [],
  })
  const about = { realmId, userId, holdId }
  if (owed > 0) {
    // Lent first, so that the whole grant can go in one entry and the book never shows less than nothing.
    append(tx, {
      ...about,
      type: 'DEBT',
      amount: owed,
      balanceAfter: newBalance + amount,
      description: 'spent already, and owed from now on',
    })
  }
  const entryId = append(tx, {
    ...about,
    type: 'CLAWBACK',
    amount: -amount,
    balanceAfter: newBalance,
    description: request.description,
    source: { name: SOURCE, id: String(granted.id) },
    ...(request.idempotency ? { idempotency: request.idempotency } : {}),
  })
  return { entryId, taken, owed, newBalance }
}

/** The entry that took this grant back, if any. */
export function reversalOf(from: Tx | Db, grantId: EntryId): Entry | null {
  return entryBySource(from, { name: SOURCE, id: String(grantId) })
}

/** What the reversal of this idempotency key was told, and what it had asked. */
export function reversalByKey(
  from: Tx | Db,
  key: string,
): { requestHash: string | null; answer: ReversedGrant } | null {
  const entry = entryByKey(from, key)
  if (!entry) return null
  const owed = debtOfHold.get(from, { holdId: entry.holdId ?? 0 })?.amount ?? 0
  return {
    requestHash: entry.requestHash,
    answer: {
      entryId: entry.id,
      taken: -entry.amount - owed,
      owed,
      newBalance: entry.balanceAfter,
    },
  }
}

function expiredOf(tx: Tx, { bucketId }: Entry): number {
  if (bucketId === null) return 0
  return sumExpired.get(tx, { from: `${bucketId}:`, to: `${bucketId};` })?.expired ?? 0
}
