import { z } from 'zod'
import type { RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import { BUDGET_ACTIONS, type BudgetAction } from '@/db/schema'
import type { Tx } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import { type Setting, settingOf } from '@/domain/settings'
import { enqueue } from '@/queue/enqueue'
import { takeUpTo, usedOf } from './counters'
import { BudgetUsedUp } from './refuse'
import type { Wanted } from './take'
import { counterOf, type Name, type Part, type Taken } from './taken'
import { monthAt, type Window } from './windows'

/** At which percent somebody is told, once a month each. */
export const ALERT_AT = [50, 80, 95, 100] as const

/** What live jobs may cost in a month: those of one app, or of all of them. */
export type Budget = {
  of: 'app' | 'hub'
  /** 0: the hub. */
  realmId: RealmId | 0
  /** Null: the hub. */
  app: string | null
  microUsd: number
  action: BudgetAction
  window: Window
}

/** Changed without a release; an app's own action stands at the app. */
export const HUB_ACTION: Setting<BudgetAction> = {
  name: 'budgets.hub_action',
  schema: z.enum(BUDGET_ACTIONS),
  usual: 'refuse',
  description: 'What happens at the end of MONTHLY_BUDGET_USD: refuse new live jobs, or only warn.',
}

type With = Pick<Deps, 'config' | 'db' | 'cache' | 'log'>

const NAME = { app: 'app_budget', hub: 'hub_budget' } as const satisfies Record<string, Name>
/** The hub's month is nobody's in particular. */
const HUB_ZONE = 'UTC'

/** Those that stand over the jobs of this app. */
export function budgetsOver(deps: With, realm: Realm, now: number): Budget[] {
  const { monthlyBudgetMicroUsd, budgetAction, timeZone, id, appSlug } = realm
  const budgets: Budget[] = []
  if (realm.mode !== 'live') return budgets
  if (monthlyBudgetMicroUsd !== null) {
    budgets.push({
      of: 'app',
      realmId: id,
      app: appSlug,
      microUsd: monthlyBudgetMicroUsd,
      action: budgetAction,
      window: monthAt(now, timeZone),
    })
  }
  const hub = hubBudget(deps, now)
  return hub ? [...budgets, hub] : budgets
}

export function hubBudget(deps: With, now: number): Budget | null {
  const { monthlyBudgetMicroUsd: microUsd } = deps.config
  if (microUsd === null) return null
  const window = monthAt(now, HUB_ZONE)
  const action = settingOf(deps, HUB_ACTION)
  return { of: 'hub', realmId: 0, app: null, microUsd, action, window }
}

/** Reserves the worst cost of one attempt. Throws 403 `budget_exceeded` where that does not fit any more. */
export function takeOfBudgets(tx: Tx, deps: With, wanted: Wanted): Taken {
  const { realm } = wanted
  return budgetsOver(deps, realm, tx.now).map(budget => {
    const { of, microUsd, action, window } = budget
    const amount = wanted.worstMicroUsd()
    const name = NAME[of]
    const part: Part = [name, window.period, amount]
    if (amount === 0) return part
    const counter = counterOf({ realmId: realm.id, userId: wanted.userId }, name, window.period)
    const cap = action === 'warn' ? Number.MAX_SAFE_INTEGER : microUsd
    if (!takeUpTo(tx, counter, amount, cap)) throw new BudgetUsedUp(budget)
    const used = usedOf(tx, counter)
    const isAlert = ALERT_AT.some(
      percent => reaches(used, percent, microUsd) && !reaches(used - amount, percent, microUsd),
    )
    if (isAlert) watchSoon(tx)
    return part
  })
}

/** The same order as the schedule's: at most one of them waits. */
function watchSoon(tx: Tx) {
  enqueue(tx, { kind: 'budgets.watch', pool: 'chores', payload: {}, uniqueKey: 'budgets.watch' })
}

export function reaches(usedMicroUsd: number, percent: number, budgetMicroUsd: number): boolean {
  return usedMicroUsd * 100 >= percent * budgetMicroUsd
}

export function usedOfBudget(from: Tx | Db, { of, realmId, window }: Budget): number {
  return usedOf(from, { realmId, userId: 0, name: NAME[of], period: window.period })
}

/** Where a live job's cost is counted when nothing was reserved: no budget stood when it was accepted. */
export function budgetWindows(
  realm: Pick<Realm, 'timeZone'>,
  at: number,
): [name: Name, period: string][] {
  return [
    [NAME.app, monthAt(at, realm.timeZone).period],
    [NAME.hub, monthAt(at, HUB_ZONE).period],
  ]
}
