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

const add = command<{
  realmId: number
  day: number
  modelId: number
  provider: string
  userId: number
  succeeded: number
  failed: number
  cancelled: number
  outputs: number
  tokens: number
  costMicroUsd: number
  durationMs: number
}>(
  `INSERT INTO usage_daily (realm_id, day, model_id, provider, user_id, jobs, succeeded, failed, cancelled,
     outputs, tokens, cost_micro_usd, duration_ms)
   VALUES ($realmId, $day, $modelId, $provider, $userId, 1, $succeeded, $failed, $cancelled, $outputs, $tokens,
     $costMicroUsd, $durationMs)
   ON CONFLICT DO UPDATE SET jobs = jobs + 1, succeeded = succeeded + excluded.succeeded,
     failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
     outputs = outputs + excluded.outputs, tokens = tokens + excluded.tokens,
     cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd, duration_ms = duration_ms + excluded.duration_ms`,
)

/** Adds one ended job to its day, in the write that ends it: history cannot be rebuilt after retention. */
export function record(tx: Tx, end: JobEnd): void {
  add.run(tx, {
    realmId: end.realmId,
    day: dayOf(tx.now),
    modelId: end.modelId,
    provider: end.provider,
    userId: end.userId,
    succeeded: Number(end.status === 'succeeded'),
    failed: Number(end.status === 'failed'),
    cancelled: Number(end.status === 'cancelled'),
    outputs: end.outputs,
    tokens: end.tokens,
    costMicroUsd: end.costMicroUsd,
    durationMs: end.durationMs,
  })
}

const addCost = command<{
  realmId: number
  day: number
  modelId: number
  provider: string
  userId: number
  costMicroUsd: number
}>(
  `UPDATE usage_daily SET cost_micro_usd = cost_micro_usd + $costMicroUsd
   WHERE realm_id = $realmId AND day = $day AND model_id = $modelId AND provider = $provider
     AND user_id = $userId`,
)

/** A cost that became known later goes to the day on which its job ended. */
export function recordCost(
  tx: Tx,
  late: Pick<JobEnd, 'realmId' | 'modelId' | 'provider' | 'userId' | 'costMicroUsd'> & {
    completedAt: number
  },
): void {
  const { completedAt, ...where } = late
  addCost.run(tx, { ...where, day: dayOf(completedAt) })
}
