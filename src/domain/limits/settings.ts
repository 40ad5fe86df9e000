import { invalidInput } from '@/base/errors'
import type { BudgetAction } from '@/db/schema'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { UNKNOWN_COST } from '@/domain/routing'
import { saveSetting, settingOf } from '@/domain/settings'
import { HUB_ACTION } from './budgets'

export type BudgetSettings = {
  /** What happens at the end of the hub's own budget. */
  hubAction: BudgetAction
  /** What a job is taken to cost where no route of its model has a rate. */
  unknownCostMicroUsd: number
}

export function budgetSettings(deps: Deps): BudgetSettings {
  return {
    hubAction: settingOf(deps, HUB_ACTION),
    unknownCostMicroUsd: settingOf(deps, UNKNOWN_COST),
  }
}

/** What is not named stays as it is. Throws 400 naming the field. */
export async function setBudgetSettings(
  deps: Deps,
  actor: Actor,
  change: Partial<BudgetSettings>,
): Promise<BudgetSettings> {
  const { hubAction, unknownCostMicroUsd } = change
  if (!UNKNOWN_COST.schema.optional().safeParse(unknownCostMicroUsd).success) {
    throw invalidInput('unknown_cost_usd', 'must be an amount of at least 0')
  }
  await write(deps.db, tx => {
    if (hubAction !== undefined) saveSetting(tx, HUB_ACTION, hubAction)
    if (unknownCostMicroUsd !== undefined) saveSetting(tx, UNKNOWN_COST, unknownCostMicroUsd)
    record(tx, actor, 'settings.change', 'budgets', change)
    tx.after(() => deps.cache.clear())
  })
  // Of a shell beside a server: its own hint has run by now, and the server hears of the commit.
  return budgetSettings(deps)
}
