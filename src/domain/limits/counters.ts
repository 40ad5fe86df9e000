import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { periodBefore } from './windows'

/** Days and months of a counter that are over: some jobs end late, and nobody asks about older ones. */
const PERIODS_KEPT = 8

/** One row: what of a cap is used up in a period. Realm 0 is the hub, user 0 the whole app. */
export type Counter = { realmId: RealmId | 0; userId: UserId | 0; name: string; period: string }

// One statement looks and takes: between a look and a later write another call could take the same rest.
// Without RETURNING, which would double its time, and this one runs for nearly every job and cap.
const addWithin = command<Counter & { amount: number; cap: number }>(
  `UPDATE counters SET used = used + $amount
   WHERE realm_id = $realmId AND user_id = $userId AND name = $name AND period = $period
     AND used + $amount <= $cap`,
)
const begin = command<Counter & { amount: number }>(
  `INSERT INTO counters (realm_id, user_id, name, period, used)
   VALUES ($realmId, $userId, $name, $period, $amount)
   ON CONFLICT DO NOTHING`,
)
const subtract = command<Counter & { amount: number }>(
  `UPDATE counters SET used = max(used - $amount, 0)
   WHERE realm_id = $realmId AND user_id = $userId AND name = $name AND period = $period`,
)
const read = query<Counter, { used: number }>(
  `SELECT used FROM counters
   WHERE realm_id = $realmId AND user_id = $userId AND name = $name AND period = $period`,
)
const removeOlder = command<Counter>(
  `DELETE FROM counters
   WHERE realm_id = $realmId AND user_id = $userId AND name = $name AND period < $period`,
)

/** False when that would be more than `cap`; then nothing is taken. */
export function takeUpTo(tx: Tx, counter: Counter, amount: number, cap: number): boolean {
  const { realmId, userId, name, period } = counter
  if (addWithin.run(tx, { realmId, userId, name, period, amount, cap }) === 1) return true
  // It is not there yet, or there is too little left of it.
  if (amount > cap || begin.run(tx, { realmId, userId, name, period, amount }) === 0) return false
  // Whoever begins a period tidies up behind it, so that nobody has to walk over all counters.
  removeOlder.run(tx, { ...counter, period: periodBefore(period, PERIODS_KEPT) })
  return true
}

/** A fact has no cap. */
export function add(tx: Tx, counter: Counter, amount: number): void {
  takeUpTo(tx, counter, amount, Number.MAX_SAFE_INTEGER)
}

/** Nothing happens where the row has been forgotten: a job must be able to end, however old it is. */
export function giveBack(tx: Tx, counter: Counter, amount: number): void {
  subtract.run(tx, { ...counter, amount })
}

export function usedOf(from: Tx | Db, counter: Counter): number {
  return read.get(from, counter)?.used ?? 0
}
