import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { recordCost } from '@/domain/usage'

type Late = {
  realmId: RealmId
  modelId: ModelId
  userId: UserId
  provider: string | null
  completedAt: number
  before: number
}

const find = query<{ id: number }, Late>(
  `SELECT realm_id AS realmId, model_id AS modelId, user_id AS userId, provider_used AS provider,
     completed_at AS completedAt, cost_micro_usd AS before
   FROM jobs WHERE id = $id AND status NOT IN ('queued', 'running')`,
)
const raise = command<{ id: number; cost: number }>(
  'UPDATE jobs SET cost_micro_usd = $cost WHERE id = $id',
)

/**
 * What an ended job cost in all, where that became known later: a cancelled one may have been worked on. Said
 * again it changes nothing, and what was counted is never counted down.
 */
export function bookLate(tx: Tx, id: JobId, totalMicroUsd: number): void {
  const job = find.get(tx, { id })
  if (!job || job.before >= totalMicroUsd) return
  raise.run(tx, { id, cost: totalMicroUsd })
  const { before, provider, ...where } = job
  recordCost(tx, { ...where, provider: provider ?? '', costMicroUsd: totalMicroUsd - before })
}
