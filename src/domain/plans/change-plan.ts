import { AppError, invalidInput } from '@/base/errors'
import { formatId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { setDefaultPlanId } from '@/domain/apps'
import { record } from '@/domain/audit'
import { checkPlan } from './check'
import { defaultPlanOf, findPlan, type Plan, type PlanFields, planById } from './find'
import { updatePlan } from './save'

/** Neither its name nor its period: periods that have begun are counted in it. */
export type PlanChange = Partial<Omit<PlanFields, 'period'>>

const remove = command<{ id: number }>('DELETE FROM plans WHERE id = $id')
const isSubscribed = query<{ id: number }, { found: number }>(
  `SELECT EXISTS (SELECT 1 FROM subscriptions WHERE plan_id = $id)
     OR EXISTS (SELECT 1 FROM subscriptions WHERE next_plan_id = $id) AS found`,
)

/**
 * Limits hold from the next job on; tokens from the next period on. Throws 404, 400 with the fields that are
 * wrong, and 409 `conflict` when the default plan would be switched off.
 */
export async function changePlan(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  name: string,
  change: PlanChange,
): Promise<Plan> {
  return await write(deps.db, tx => {
    const plan = mustFind(tx, realm, name)
    const fields: PlanFields = { ...plan, ...change, period: plan.period }
    checkPlan(tx, name, fields)
    if (!fields.isEnabled && isDefault(tx, plan)) throw new AppError('conflict')
    updatePlan(tx, plan.id, fields)
    record(tx, actor, 'plan.change', formatId('plan', plan.id), { name, ...change })
    const changed = planById(tx, plan.id)
    invariant(changed, 'the plan was just saved')
    return changed
  })
}

/**
 * Only what nobody ever had: what somebody had explains their ledger, and is switched off instead. Throws
 * 404, and 409 `conflict` for one that somebody has or had, or that is the default.
 */
export async function removePlan(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  name: string,
): Promise<void> {
  await write(deps.db, tx => {
    const plan = mustFind(tx, realm, name)
    const isUsed = isSubscribed.get(tx, { id: plan.id })?.found === 1
    if (isUsed || isDefault(tx, plan)) throw new AppError('conflict')
    remove.run(tx, { id: plan.id })
    record(tx, actor, 'plan.remove', formatId('plan', plan.id), { name })
  })
}

/**
 * The plan of users who have no subscription of their own, from their next job on; those who have the old
 * default get the new one when their period ends. Null: none. Throws 400 for a plan that
 * is not there or is switched off.
 */
export async function setDefaultPlan(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  name: string | null,
): Promise<Plan | null> {
  return await write(deps.db, tx => {
    const plan = name === null ? null : findPlan(tx, realm.id, name)
    if (name !== null && !plan) throw invalidInput('plan', 'is no plan of this app')
    if (plan && !plan.isEnabled) throw invalidInput('plan', 'is switched off')
    setDefaultPlanId(tx, realm.id, plan?.id ?? null)
    record(tx, actor, 'plan.set_default', formatId('app', realm.appId), { mode: realm.mode, name })
    // What is known of the realm is kept with its keys.
    tx.after(() => deps.cache.clear())
    return plan
  })
}

function mustFind(tx: Tx, realm: Realm, name: string): Plan {
  const plan = findPlan(tx, realm.id, name)
  if (!plan) throw new AppError('not_found')
  return plan
}

function isDefault(tx: Tx, plan: Plan): boolean {
  return defaultPlanOf(tx, plan.realmId)?.id === plan.id
}
