import type { Db } from '@/db/open'
import type { BudgetAction } from '@/db/schema'
import type { Tx } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import { listLiveRealms } from '@/domain/apps'
import { type Budget, budgetsOver, hubBudget, reaches, usedOfBudget } from './budgets'

export type BudgetStanding = 'safe' | 'warning' | 'critical' | 'exceeded'

/** How a budget stands in its month. */
export type BudgetState = {
  of: Budget['of']
  /** Its slug; null: the hub's own. */
  app: string | null
  state: BudgetStanding
  /** With what is reserved for jobs that have not ended. */
  spentMicroUsd: number
  budgetMicroUsd: number
  /** Rounded down; 100 for a budget of nothing. */
  percent: number
  action: BudgetAction
  /** `2026-01` */
  month: string
  resetsAt: number
}

/** Null where none stands, and for test keys: their jobs cost nothing. */
export function budgetStateOf(
  deps: Pick<Deps, 'config' | 'db' | 'cache' | 'log'>,
  realm: Realm,
): { app: BudgetState | null; hub: BudgetState | null } {
  const states = budgetsOver(deps, realm, deps.db.clock.now()).map(budget =>
    stateOf(deps.db, budget),
  )
  return {
    app: states.find(({ of }) => of === 'app') ?? null,
    hub: states.find(({ of }) => of === 'hub') ?? null,
  }
}

/** Every one of this month: the hub's own first. */
export function everyBudget(deps: Pick<Deps, 'config' | 'db' | 'cache' | 'log'>): BudgetState[] {
  return allBudgets(deps, deps.db.clock.now()).map(budget => stateOf(deps.db, budget))
}

/** Those of this month: the hub's own first. */
export function allBudgets(
  deps: Pick<Deps, 'config' | 'db' | 'cache' | 'log'>,
  now: number,
): Budget[] {
  const hub = hubBudget(deps, now)
  const ofApps = listLiveRealms(deps.db).flatMap(realm =>
    budgetsOver(deps, realm, now).filter(({ of }) => of === 'app'),
  )
  return hub ? [hub, ...ofApps] : ofApps
}

export function stateOf(from: Db | Tx, budget: Budget): BudgetState {
  const { of, app, microUsd, action, window } = budget
  const spentMicroUsd = usedOfBudget(from, budget)
  return {
    of,
    app,
    state: standing(spentMicroUsd, microUsd),
    spentMicroUsd,
    budgetMicroUsd: microUsd,
    percent: microUsd === 0 ? 100 : Math.floor((spentMicroUsd * 100) / microUsd),
    action,
    month: window.period,
    resetsAt: window.resetsAt,
  }
}

function standing(used: number, budget: number): BudgetStanding {
  if (reaches(used, 100, budget)) return 'exceeded'
  if (reaches(used, 90, budget)) return 'critical'
  return reaches(used, 70, budget) ? 'warning' : 'safe'
}
