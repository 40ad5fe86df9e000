import { DAY } from '@/base/clock'
import { Superseded } from '@/base/errors'
import type { HoldId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import type { Owner } from './account'
import { type Bucket, bucketOf, returnToBucket } from './bucket'
import { expireDue } from './expire'
import { markPartReturned, type Part, partsOf } from './hold-rows'
import { refundGraceDays } from './refund-grace'

/**
 * Puts `refund` of a hold of `amount` back to where it came from. What is kept counts as what burns first,
 * so plain tokens come back first, and then what expires last. A bucket that has expired meanwhile is open
 * again for the grace time. Answers how much went to buckets; the caller moves the account by it, in the
 * same write.
 */
export function giveBackParts(
  tx: Tx,
  owner: Owner,
  hold: { id: HoldId; amount: number },
  refund: number,
): number {
  // What is over goes first: otherwise it would come back to life with the rest of its bucket.
  expireDue(tx, owner.userId)
  const parts = partsOf(tx, hold.id)
  const plain = hold.amount - parts.reduce((sum, part) => sum + part.amount, 0)
  const toBuckets = Math.max(0, refund - plain)
  let left = toBuckets
  for (const { bucket, amount } of lastBurntFirst(tx, parts)) {
    if (left === 0) break
    const returned = Math.min(left, amount)
    if (markPartReturned(tx, hold.id, bucket.id, returned) !== 1) {
      throw new Superseded('it has come back already')
    }
    returnToBucket(tx, bucket, returned, openUntil(tx, bucket))
    left -= returned
  }
  invariant(left === 0, 'no more comes back than was taken')
  return toBuckets
}

function lastBurntFirst(tx: Tx, parts: Part[]): { bucket: Bucket; amount: number }[] {
  return parts
    .map(({ bucketId, amount }) => {
      const bucket = bucketOf(tx, bucketId)
      invariant(bucket, 'the bucket of a part exists')
      return { bucket, amount }
    })
    .sort((a, b) => b.bucket.expiresAt - a.bucket.expiresAt || b.bucket.id - a.bucket.id)
}

function openUntil(tx: Tx, bucket: Bucket): number {
  if (bucket.expiresAt > tx.now) return bucket.expiresAt
  // Later than before in any case: each expiry of a bucket has its own time, and its own entry.
  return tx.now + Math.max(1, refundGraceDays(tx) * DAY)
}
