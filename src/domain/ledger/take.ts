import { AppError } from '@/base/errors'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import { accountOf, type Owner, takeMixed, takePlain } from './account'
import { type Bucket, firstBucket, nextBuckets, takeFromBucket } from './bucket'
import { expireDue } from './expire'
import type { Part } from './hold-rows'

/** Most users have a handful of buckets; whoever has more is read again, with ever more of them. */
const BUCKETS_AT_FIRST = 8

/**
 * Takes tokens out of the balance: what expires first goes first, plain tokens last. `into` says whether
 * they are reserved or gone. Answers the balance that is left and what came from which bucket. Throws 402
 * `insufficient_tokens` with what there is and what was asked for.
 */
export function take(
  tx: Tx,
  owner: Owner,
  amount: number,
  into: 'reserved' | 'spent',
): { balance: number; parts: Part[] } {
  const reserved = into === 'reserved' ? amount : 0
  const plain = takePlain(tx, owner, amount, reserved)
  if (plain) return { balance: plain.balance, parts: [] }

  const burnt = chooseBurnt(tx, owner, amount)
  const bucketed = burnt.reduce((sum, one) => sum + one.amount, 0)
  const after = takeMixed(tx, owner, amount, reserved, bucketed)
  if (!after) {
    const { balance } = accountOf(tx, owner)
    throw new AppError('insufficient_tokens', { detail: { balance, required: amount } })
  }
  for (const one of burnt) takeFromBucket(tx, one.bucket, one.amount)
  const parts = burnt.map(one => ({ bucketId: one.bucket.id, amount: one.amount }))
  return { balance: after.balance, parts }
}

type Burnt = { bucket: Bucket; amount: number }

/** Which buckets pay how much of it. What is over is expired first. */
function chooseBurnt(tx: Tx, owner: Owner, amount: number): Burnt[] {
  const first = firstBucket(tx, owner)
  if (!first) return []
  if (first.expiresAt <= tx.now) {
    invariant(expireDue(tx, owner.userId) > 0, 'what is over expires')
    return chooseBurnt(tx, owner, amount)
  }
  if (first.remaining >= amount) return [{ bucket: first, amount }]
  for (let limit = BUCKETS_AT_FIRST; ; limit *= BUCKETS_AT_FIRST) {
    const buckets = nextBuckets(tx, owner, limit)
    const burnt = burn(buckets, amount)
    const isCovered = burnt.reduce((sum, one) => sum + one.amount, 0) === amount
    if (isCovered || buckets.length < limit) return burnt
  }
}

function burn(buckets: Bucket[], amount: number): Burnt[] {
  let left = amount
  return buckets.flatMap(bucket => {
    const taken = Math.min(left, bucket.remaining)
    left -= taken
    return taken > 0 ? [{ bucket, amount: taken }] : []
  })
}
