import { dayOf } from '@/base/clock'
import type { ModelId, RealmId, UserId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

export type JobEnd = {
  realmId: RealmId
  userId: UserId
  modelId: ModelId
  /** Empty when no provider was ever asked. */
  provider: string
  status: 'succeeded' | 'failed' | 'cancelled'
  outputs: number
  /** What the user paid in the end. */
  tokens: number
  costMicroUsd: number
  durationMs: number
}

type Added = {
  realmId: number
  day: number
  modelId: number
  provider: string
  succeeded: number
  failed: number
  cancelled: number
  outputs: number
  tokens: number
  costMicroUsd: number
  durationMs: number
}

const addToUser = command<Added & { userId: number }>(
  `INSERT INTO usage_daily (realm_id, day, model_id, provider, user_id, jobs, succeeded, failed, cancelled,
     outputs, tokens, cost_micro_usd, duration_ms)
   VALUES ($realmId, $day, $modelId, $provider, $userId, 1, $succeeded, $failed, $cancelled, $outputs, $tokens,
     $costMicroUsd, $durationMs)
   ON CONFLICT DO UPDATE SET jobs = jobs + 1, succeeded = succeeded + excluded.succeeded,
     failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
     outputs = outputs + excluded.outputs, tokens = tokens + excluded.tokens,
     cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd, duration_ms = duration_ms + excluded.duration_ms`,
)
const addToAll = command<Added>(
  `INSERT INTO usage_daily_total (realm_id, day, model_id, provider, jobs, succeeded, failed, cancelled, outputs,
     tokens, cost_micro_usd, duration_ms)
   VALUES ($realmId, $day, $modelId, $provider, 1, $succeeded, $failed, $cancelled, $outputs, $tokens,
     $costMicroUsd, $durationMs)
   ON CONFLICT DO UPDATE SET jobs = jobs + 1, succeeded = succeeded + excluded.succeeded,
     failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
     outputs = outputs + excluded.outputs, tokens = tokens + excluded.tokens,
     cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd, duration_ms = duration_ms + excluded.duration_ms`,
)

/**
 * Adds one ended job to its day, in the write that ends it: history cannot be rebuilt after retention. Once
 * for its user and once for all of them, so that a report reads few rows.
 */
export function record(tx: Tx, end: JobEnd): void {
  const { userId, status, ...rest } = end
  const added = {
    ...rest,
    day: dayOf(tx.now),
    succeeded: Number(status === 'succeeded'),
    failed: Number(status === 'failed'),
    cancelled: Number(status === 'cancelled'),
  }
  addToUser.run(tx, { ...added, userId })
  addToAll.run(tx, added)
}

type LateCost = {
  realmId: number
  day: number
  modelId: number
  provider: string
  costMicroUsd: number
}

const addCostToUser = command<LateCost & { userId: number }>(
  `UPDATE usage_daily SET cost_micro_usd = cost_micro_usd + $costMicroUsd
   WHERE realm_id = $realmId AND day = $day AND user_id = $userId AND model_id = $modelId
     AND provider = $provider`,
)
const addCostToAll = command<LateCost>(
  `UPDATE usage_daily_total SET cost_micro_usd = cost_micro_usd + $costMicroUsd
   WHERE realm_id = $realmId AND day = $day AND model_id = $modelId AND provider = $provider`,
)

/** A cost that became known later goes to the day on which its job ended. */
export function recordCost(
  tx: Tx,
  late: Pick<JobEnd, 'realmId' | 'modelId' | 'provider' | 'userId' | 'costMicroUsd'> & {
    completedAt: number
  },
): void {
  const { completedAt, userId, ...rest } = late
  const added = { ...rest, day: dayOf(completedAt) }
  addCostToUser.run(tx, { ...added, userId })
  addCostToAll.run(tx, added)
}
