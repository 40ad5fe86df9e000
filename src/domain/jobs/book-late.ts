import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { bookCost, readTaken, writeTaken } from '@/domain/limits'
import { recordCost } from '@/domain/usage'

type Late = {
  realmId: RealmId
  modelId: ModelId
  userId: UserId
  provider: string | null
  completedAt: number
  before: number
  taken: string | null
}

const find = query<{ id: number }, Late>(
  `SELECT realm_id AS realmId, model_id AS modelId, user_id AS userId, provider_used AS provider,
     completed_at AS completedAt, cost_micro_usd AS before, taken
   FROM jobs WHERE id = $id AND status NOT IN ('queued', 'running')`,
)
const raise = command<{ id: number; cost: number; taken: string | null }>(
  'UPDATE jobs SET cost_micro_usd = $cost, taken = $taken WHERE id = $id',
)

/**
 * What an ended job cost in all, where that became known later: a cancelled one may have been worked on. Its
 * caps and budgets count that from now on, and no longer what was reserved. Said again it changes nothing,
 * and what was counted is never counted down.
 */
export function bookLate(tx: Tx, id: JobId, totalMicroUsd: number): void {
  const job = find.get(tx, { id })
  if (!job) return
  const { before, provider, taken, ...where } = job
  const cost = Math.max(before, totalMicroUsd)
  const now = writeTaken(bookCost(tx, where, readTaken(taken), cost, where.completedAt))
  if (cost === before && now === taken) return
  raise.run(tx, { id, cost, taken: now })
  if (cost === before) return
  recordCost(tx, { ...where, provider: provider ?? '', costMicroUsd: cost - before })
}
