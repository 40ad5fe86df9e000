import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Owner } from './account'
import type { Origin } from './bucket'
import { expireDue, expireShortened } from './expire'

const shorten = command<{ realmId: number; userId: number; origin: string; now: number }>(
  `UPDATE token_buckets SET expires_at = $now
   WHERE user_id = $userId AND remaining > 0 AND expires_at > $now AND realm_id = $realmId
     AND origin = $origin`,
)
const shortenHeld = command<{ realmId: number; userId: number; origin: string; now: number }>(
  `UPDATE token_buckets SET expires_at = $now
   WHERE id IN (
     SELECT p.bucket_id FROM jobs j JOIN holds h ON h.job_id = j.id JOIN hold_parts p ON p.hold_id = h.id
     WHERE j.user_id = $userId AND j.status IN ('queued', 'running')
   ) AND expires_at > $now AND realm_id = $realmId AND origin = $origin`,
)

/**
 * All tokens of an origin expire now, before their time, and those that never would. What jobs hold of them
 * comes back, where it does, for the grace time only. Answers how many tokens went.
 */
export function expireEarly(
  tx: Tx,
  { realmId, userId, origin }: Owner & { origin: Exclude<Origin, 'purchase'> },
): number {
  // What is over by itself was not taken.
  expireDue(tx, userId)
  const of = { realmId, userId, origin, now: tx.now }
  shorten.run(tx, of)
  shortenHeld.run(tx, of)
  return expireShortened(tx, userId)
}
