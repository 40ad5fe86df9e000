import { AppError, invalidInput } from '@/base/errors'
import { formatId, type PlanId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once, type Scope } from '@/domain/idempotency'
import { checkPlan } from './check'
import { findPlan, listPlans, type Plan, type PlanFields } from './find'
import { insertPlan } from './save'
import { BLANK, TEMPLATES } from './templates'

export type NewPlan = Partial<PlanFields> & {
  /** Null: nothing is copied. */
  template: string | null
  /** Null: the template's. */
  name: string | null
}

/** A list of them is read whole, and nobody sells as many. */
export const MAX_PLANS = 200

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
      insertPlan(tx, { id, realmId: realm.id, name }, fields)
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
