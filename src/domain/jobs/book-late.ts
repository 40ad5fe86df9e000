import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import { returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { recordCost } from '@/domain/usage'

const add = returning<
  { id: number; cost: number },
  {
    realmId: RealmId
    modelId: ModelId
    userId: UserId
    provider: string | null
    completedAt: number
  }
>(
  `UPDATE jobs SET cost_micro_usd = cost_micro_usd + $cost
   WHERE id = $id AND status NOT IN ('queued', 'running')
   RETURNING realm_id AS realmId, model_id AS modelId, user_id AS userId, provider_used AS provider,
     completed_at AS completedAt`,
)

/** A vendor's charge that became known when the job had ended: a cancelled one may have been worked on. */
export function bookLate(tx: Tx, id: JobId, costMicroUsd: number): void {
  if (costMicroUsd === 0) return
  const job = add.get(tx, { id, cost: costMicroUsd })
  if (job) recordCost(tx, { ...job, provider: job.provider ?? '', costMicroUsd })
}
