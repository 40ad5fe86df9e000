import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { accountOf, type Owner } from './account'

export type Balance = {
  /** What can be spent: the sum of the next three. What has expired is not in it, swept up or not. */
  available: number
  /** Bought: never expires. */
  purchased: number
  subscription: number
  /** From all other origins. */
  bonus: number
  /** Held by what has not ended. */
  reserved: number
  /** Available and reserved. */
  totalAllocated: number
  /** Taken from the next grants. */
  owed: number
  /** What is lost first if nobody spends it. */
  nextExpiry: { amount: number; at: number } | null
}

const inBuckets = query<
  { userId: number; now: number },
  { due: number; subscription: number; bonus: number }
>(
  `SELECT coalesce(sum(remaining) FILTER (WHERE expires_at <= $now), 0) AS due,
     coalesce(sum(remaining) FILTER (WHERE expires_at > $now AND origin = 'subscription'), 0) AS subscription,
     coalesce(sum(remaining) FILTER (WHERE expires_at > $now AND origin <> 'subscription'), 0) AS bonus
   FROM token_buckets WHERE user_id = $userId AND remaining > 0`,
)
const sumDue = query<{ userId: number; now: number }, { due: number }>(
  `SELECT coalesce(sum(remaining), 0) AS due FROM token_buckets
   WHERE user_id = $userId AND remaining > 0 AND expires_at <= $now`,
)
const firstToExpire = query<
  { userId: number; now: number },
  { amount: number | null; at: number | null }
>(
  `SELECT sum(remaining) AS amount, expires_at AS at FROM token_buckets
   WHERE user_id = $userId AND remaining > 0 AND expires_at = (
     SELECT min(expires_at) FROM token_buckets
     WHERE user_id = $userId AND remaining > 0 AND expires_at > $now AND expires_at < 8640000000000000
   )`,
)

/** Writes nothing: what has expired is left out here and written by whoever moves tokens next, or by time. */
export function balanceOf(from: Tx | Db, realmId: RealmId, userId: UserId): Balance {
  const { balance, reserved, bucketed, owed } = accountOf(from, { realmId, userId })
  const now = nowOf(from)
  const buckets = bucketed > 0 ? inBuckets.get(from, { userId, now }) : null
  const first = bucketed > 0 ? firstToExpire.get(from, { userId, now }) : null
  const available = balance - (buckets?.due ?? 0)
  return {
    available,
    purchased: balance - bucketed,
    subscription: buckets?.subscription ?? 0,
    bonus: buckets?.bonus ?? 0,
    reserved,
    totalAllocated: available + reserved,
    owed,
    nextExpiry: first?.amount && first.at !== null ? { amount: first.amount, at: first.at } : null,
  }
}

/** What can be spent, and nothing else. */
export function availableOf(from: Tx | Db, owner: Owner): number {
  const { balance, bucketed } = accountOf(from, owner)
  return bucketed > 0 ? balance - dueOf(from, owner.userId) : balance
}

/** What lies in a user's buckets and has expired, with no entry that says so yet. */
export function dueOf(from: Tx | Db, userId: UserId): number {
  return sumDue.get(from, { userId, now: nowOf(from) })?.due ?? 0
}

function nowOf(from: Tx | Db): number {
  return 'now' in from ? from.now : from.clock.now()
}
