import { Superseded } from '@/base/errors'
import type { BucketId, RealmId, UserId } from '@/base/ids'
import { NEVER } from '@/db/schema'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Owner } from './account'

/** Where tokens come from. What was bought is plain and has no bucket; each other grant fills one. */
export const ORIGINS = ['purchase', 'subscription', 'bonus', 'welcome', 'admin'] as const
export type Origin = (typeof ORIGINS)[number]

export type Bucket = {
  id: BucketId
  realmId: RealmId
  userId: UserId
  remaining: number
  expiresAt: number
}

const insert = command<{
  id: number
  realmId: number
  userId: number
  origin: string
  amount: number
  expiresAt: number
  now: number
}>(
  `INSERT INTO token_buckets (id, realm_id, user_id, origin, granted, remaining, expires_at, created_at)
   VALUES ($id, $realmId, $userId, $origin, $amount, $amount, $expiresAt, $now)`,
)
const select = query<{ id: number }, Bucket>(
  `SELECT id, realm_id AS realmId, user_id AS userId, remaining, expires_at AS expiresAt
   FROM token_buckets WHERE id = $id`,
)
const nextSpent = query<{ userId: number; limit: number }, Bucket>(
  `SELECT id, realm_id AS realmId, user_id AS userId, remaining, expires_at AS expiresAt
   FROM token_buckets WHERE user_id = $userId AND remaining > 0 ORDER BY expires_at, id LIMIT $limit`,
)
const firstSpent = query<{ userId: number }, Bucket>(
  `SELECT id, realm_id AS realmId, user_id AS userId, remaining, expires_at AS expiresAt
   FROM token_buckets WHERE user_id = $userId AND remaining > 0 ORDER BY expires_at, id LIMIT 1`,
)
const lower = command<{ id: number; remaining: number; amount: number }>(
  `UPDATE token_buckets SET remaining = remaining - $amount
   WHERE id = $id AND remaining = $remaining AND remaining >= $amount`,
)
const raise = command<{ id: number; remaining: number; amount: number; expiresAt: number }>(
  `UPDATE token_buckets SET remaining = remaining + $amount, expires_at = $expiresAt
   WHERE id = $id AND remaining = $remaining`,
)

/** `expiresAt` null: never. */
export function fillBucket(
  tx: Tx,
  owner: Owner,
  fill: { origin: Origin; amount: number; expiresAt: number | null },
): BucketId {
  const id = tx.id<BucketId>()
  insert.run(tx, {
    id,
    realmId: owner.realmId,
    userId: owner.userId,
    origin: fill.origin,
    amount: fill.amount,
    expiresAt: fill.expiresAt ?? NEVER,
    now: tx.now,
  })
  return id
}

export function bucketOf(tx: Tx, id: BucketId): Bucket | null {
  return select.get(tx, { id })
}

/** The first one to spend from: mostly it is enough, and one row costs a fifth of a list of one. */
export function firstBucket(tx: Tx, owner: Owner): Bucket | null {
  return firstSpent.get(tx, { userId: owner.userId })
}

/** The first ones to spend from: what expires first comes first. */
export function nextBuckets(tx: Tx, owner: Owner, limit: number): Bucket[] {
  return nextSpent.all(tx, { userId: owner.userId, limit })
}

/** The account is moved by the caller, in the same write. */
export function takeFromBucket(tx: Tx, bucket: Bucket, amount: number): void {
  const changed = lower.run(tx, { id: bucket.id, remaining: bucket.remaining, amount })
  if (changed !== 1) throw new Superseded('the bucket has changed')
}

/** The account is moved by the caller, in the same write. */
export function returnToBucket(tx: Tx, bucket: Bucket, amount: number, expiresAt: number): void {
  const changed = raise.run(tx, {
    id: bucket.id,
    remaining: bucket.remaining,
    amount,
    expiresAt,
  })
  if (changed !== 1) throw new Superseded('the bucket has changed')
}
