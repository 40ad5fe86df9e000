import type { PlanId, RealmId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const update = command<{ realmId: number; planId: number | null }>(
  'UPDATE realms SET default_plan_id = $planId WHERE id = $realmId',
)

/** The caller has checked that the plan is one of this realm. */
export function setDefaultPlanId(tx: Tx, realmId: RealmId, planId: PlanId | null): void {
  update.run(tx, { realmId, planId })
}
