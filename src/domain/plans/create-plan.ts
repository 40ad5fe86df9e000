import { AppError, invalidInput } from '@/base/errors'
import { formatId, type PlanId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once, type Scope } from '@/domain/idempotency'
import { checkPlan } from './check'
import { findPlan, listPlans, type Plan, type PlanFields } from './find'
import { BLANK, TEMPLATES } from './templates'

export type NewPlan = Partial<PlanFields> & {
  /** Null: nothing is copied. */
  template: string | null
  /** Null: the template's. */
  name: string | null
}

/** A list of them is read whole, and nobody sells as many. */
export const MAX_PLANS = 200

export type SavedFields = {
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

const insert = command<{
  id: number
  realmId: number
  name: string
  displayName: string
  tokensPerPeriod: number
  period: string
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
  now: number
}>(
  `INSERT INTO plans (id, realm_id, name, display_name, tokens_per_period, period, is_rollover,
     max_concurrent, jobs_per_day, tokens_per_day, tokens_per_month, micro_usd_per_day, micro_usd_per_month,
     models, kinds, strategy, priority, has_watermark, max_upload_bytes, is_enabled, created_at, updated_at)
   VALUES ($id, $realmId, $name, $displayName, $tokensPerPeriod, $period, $isRollover, $maxConcurrent,
     $jobsPerDay, $tokensPerDay, $tokensPerMonth, $microUsdPerDay, $microUsdPerMonth, $models, $kinds,
     $strategy, $priority, $hasWatermark, $maxUploadBytes, $isEnabled, $now, $now)`,
)

/**
 * A plan of one realm, from a template or from nothing. Throws 400 with the fields that are wrong, and 409
 * `conflict` when the realm has one of this name, or has as many as it may.
 */
export async function createPlan(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  input: NewPlan,
  scope: Scope | null = null,
): Promise<{ plan: Plan; isReplay: boolean }> {
  return await write(deps.db, tx => {
    const { answer: plan, isReplay } = once<Plan>(tx, scope, () => {
      const { name, fields } = whole(input)
      checkPlan(tx, name, fields)
      const isTaken = findPlan(tx, realm.id, name) !== null
      if (isTaken || listPlans(tx, realm.id).length >= MAX_PLANS) throw new AppError('conflict')
      const id = tx.id<PlanId>()
      const { period } = fields
      insert.run(tx, { id, realmId: realm.id, name, period, ...saved(fields), now: tx.now })
      record(tx, actor, 'plan.create', formatId('plan', id), { name, ...fields })
      const made = { ...fields, id, realmId: realm.id, name, createdAt: tx.now, updatedAt: tx.now }
      return { status: 201, answer: made }
    })
    return { plan, isReplay }
  })
}

function whole(input: NewPlan): { name: string; fields: PlanFields } {
  const { template, name: given, ...changes } = input
  const base = template === null ? null : TEMPLATES[template]
  if (base === undefined || (template !== null && !Object.hasOwn(TEMPLATES, template))) {
    throw invalidInput('template', `must be one of ${Object.keys(TEMPLATES).join(', ')}`)
  }
  const name = given ?? template
  if (name === null) throw invalidInput('name', 'is required where no template is copied')
  return { name, fields: { ...BLANK, displayName: name, ...base, ...changes } }
}

/** As the columns take it. The period is not among what can be changed. */
export function saved(fields: PlanFields): SavedFields {
  const { period: _, ...rest } = fields
  return {
    displayName: rest.displayName,
    tokensPerPeriod: rest.tokensPerPeriod,
    isRollover: Number(rest.isRollover),
    maxConcurrent: rest.maxConcurrent,
    jobsPerDay: rest.jobsPerDay,
    tokensPerDay: rest.tokensPerDay,
    tokensPerMonth: rest.tokensPerMonth,
    microUsdPerDay: rest.microUsdPerDay,
    microUsdPerMonth: rest.microUsdPerMonth,
    models: rest.models && JSON.stringify(rest.models),
    kinds: rest.kinds && JSON.stringify(rest.kinds),
    strategy: rest.strategy,
    priority: rest.priority,
    hasWatermark: Number(rest.hasWatermark),
    maxUploadBytes: rest.maxUploadBytes,
    isEnabled: Number(rest.isEnabled),
  }
}
