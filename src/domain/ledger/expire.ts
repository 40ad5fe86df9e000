import type { UserId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { move } from './account'
import { type Bucket, takeFromBucket } from './bucket'
import { append } from './entry'

const dueOfUser = query<{ userId: number; now: number }, Bucket>(
  `SELECT id, realm_id AS realmId, user_id AS userId, remaining, expires_at AS expiresAt
   FROM token_buckets WHERE user_id = $userId AND remaining > 0 AND expires_at <= $now
   ORDER BY expires_at, id`,
)
// The second bound is that of the index, which leaves out what never expires.
const dueOfAll = query<{ now: number; limit: number }, Bucket>(
  `SELECT id, realm_id AS realmId, user_id AS userId, remaining, expires_at AS expiresAt
   FROM token_buckets
   WHERE remaining > 0 AND expires_at < 8640000000000000 AND expires_at <= $now
   ORDER BY expires_at LIMIT $limit`,
)

/**
 * Writes what has expired of one user by now. Every verb that moves a user's tokens begins with it, so that
 * nobody spends what is over, whether a sweep has run or not. Answers how many tokens went.
 */
export function expireDue(tx: Tx, userId: UserId): number {
  return expireAll(tx, dueOfUser.all(tx, { userId, now: tx.now }))
}

/**
 * For what was just made to be over: its time may be that of an expiry of the same bucket a moment ago, so
 * it is told apart.
 */
export function expireShortened(tx: Tx, userId: UserId): number {
  return expireAll(tx, dueOfUser.all(tx, { userId, now: tx.now }), `:${tx.id()}`)
}

/** What has expired of everybody, at most `limit` buckets, the longest overdue first. Answers how many there were. */
export function expireBatch(tx: Tx, limit: number): number {
  const due = dueOfAll.all(tx, { now: tx.now, limit })
  expireAll(tx, due)
  return due.length
}

function expireAll(tx: Tx, due: Bucket[], apart = ''): number {
  let gone = 0
  for (const bucket of due) {
    const amount = bucket.remaining
    takeFromBucket(tx, bucket, amount)
    const balanceAfter = move(tx, bucket, { balance: -amount, bucketed: -amount })
    append(tx, {
      realmId: bucket.realmId,
      userId: bucket.userId,
      type: 'EXPIRY',
      amount: -amount,
      balanceAfter,
      bucketId: bucket.id,
      description: 'expired',
      // A bucket that was opened again expires again, at another time.
      source: { name: 'expiry', id: `${bucket.id}:${bucket.expiresAt}${apart}` },
    })
    gone += amount
  }
  return gone
}
