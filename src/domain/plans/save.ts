import type { PlanId, RealmId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { PlanFields } from './find'

/** As the columns take it. The period is not among what can be changed. */
type SavedFields = {
  displayName: string
  tokensPerPeriod: number
  isRollover: number
  maxConcurrent: number | null
  jobsPerDay: number | null
  tokensPerDay: number | null
  tokensPerMonth: number | null
  microUsdPerDay: number | null
  microUsdPerMonth: number | null
  models: string | null
  kinds: string | null
  strategy: string | null
  priority: number | null
  hasWatermark: number
  maxUploadBytes: number | null
  isEnabled: number
}

const insert = command<
  SavedFields & { id: number; realmId: number; name: string; period: string; now: number }
>(
  `INSERT INTO plans (id, realm_id, name, display_name, tokens_per_period, period, is_rollover,
     max_concurrent, jobs_per_day, tokens_per_day, tokens_per_month, micro_usd_per_day, micro_usd_per_month,
     models, kinds, strategy, priority, has_watermark, max_upload_bytes, is_enabled, created_at, updated_at)
   VALUES ($id, $realmId, $name, $displayName, $tokensPerPeriod, $period, $isRollover, $maxConcurrent,
     $jobsPerDay, $tokensPerDay, $tokensPerMonth, $microUsdPerDay, $microUsdPerMonth, $models, $kinds,
     $strategy, $priority, $hasWatermark, $maxUploadBytes, $isEnabled, $now, $now)`,
)

const update = command<SavedFields & { id: number; now: number }>(
  `UPDATE plans SET display_name = $displayName, tokens_per_period = $tokensPerPeriod,
     is_rollover = $isRollover, max_concurrent = $maxConcurrent, jobs_per_day = $jobsPerDay,
     tokens_per_day = $tokensPerDay, tokens_per_month = $tokensPerMonth, micro_usd_per_day = $microUsdPerDay,
     micro_usd_per_month = $microUsdPerMonth, models = $models, kinds = $kinds, strategy = $strategy,
     priority = $priority, has_watermark = $hasWatermark, max_upload_bytes = $maxUploadBytes,
     is_enabled = $isEnabled, updated_at = $now
   WHERE id = $id`,
)

export function insertPlan(
  tx: Tx,
  plan: { id: PlanId; realmId: RealmId; name: string },
  fields: PlanFields,
): void {
  insert.run(tx, { ...plan, period: fields.period, ...saved(fields), now: tx.now })
}

export function updatePlan(tx: Tx, id: PlanId, fields: PlanFields): void {
  update.run(tx, { id, ...saved(fields), now: tx.now })
}

function saved(fields: PlanFields): SavedFields {
  return {
    displayName: fields.displayName,
    tokensPerPeriod: fields.tokensPerPeriod,
    isRollover: Number(fields.isRollover),
    maxConcurrent: fields.maxConcurrent,
    jobsPerDay: fields.jobsPerDay,
    tokensPerDay: fields.tokensPerDay,
    tokensPerMonth: fields.tokensPerMonth,
    microUsdPerDay: fields.microUsdPerDay,
    microUsdPerMonth: fields.microUsdPerMonth,
    models: fields.models && JSON.stringify(fields.models),
    kinds: fields.kinds && JSON.stringify(fields.kinds),
    strategy: fields.strategy,
    priority: fields.priority,
    hasWatermark: Number(fields.hasWatermark),
    maxUploadBytes: fields.maxUploadBytes,
    isEnabled: Number(fields.isEnabled),
  }
}
