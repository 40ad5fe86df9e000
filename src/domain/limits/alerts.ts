import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query, returning } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { append } from '@/domain/events'
import { tellOperator } from '@/domain/webhooks'
import { allBudgets, stateOf } from './budget-state'
import { ALERT_AT, type Budget, reaches, usedOfBudget } from './budgets'
import type { BudgetUsedUp } from './refuse'

type Alert = { realmId: number; month: number; percent: number }

// A row speaks of the budget as it was: when that is raised, what was said at less is said anew.
const say = returning<
  Alert & { spent: number; threshold: number; now: number },
  { percent: number }
>(
  `INSERT INTO budget_alerts (realm_id, month, percent, spent_micro_usd, created_at)
   VALUES ($realmId, $month, $percent, $spent, $now)
   ON CONFLICT DO UPDATE SET spent_micro_usd = excluded.spent_micro_usd, created_at = excluded.created_at
     WHERE spent_micro_usd < $threshold
   RETURNING percent`,
)
const said = query<Alert, { spent: number }>(
  `SELECT spent_micro_usd AS spent FROM budget_alerts
   WHERE realm_id = $realmId AND month = $month AND percent = $percent`,
)

/** Says of every budget what it has reached and was not said this month. */
export async function watchBudgets(deps: Deps): Promise<void> {
  const budgets = allBudgets(deps, deps.db.clock.now())
  const due = budgets.filter(budget =>
    reachedBy(deps.db, budget).some(percent => isNew(deps.db, budget, percent)),
  )
  if (due.length === 0) return
  await write(deps.db, tx => {
    for (const budget of due) {
      for (const percent of reachedBy(tx, budget)) alert(tx, deps, budget, percent)
    }
  })
}

/**
 * A job was refused, and its own write undone: the last of a budget is often too little for a job and never
 * spent, but for whoever waits for a picture it is at its end.
 */
export async function noteRefusal(deps: Deps, { budget }: BudgetUsedUp): Promise<void> {
  if (!isNew(deps.db, budget, 100)) return
  try {
    await write(deps.db, tx => {
      for (const percent of ALERT_AT) alert(tx, deps, budget, percent)
    })
  } catch (error) {
    // The caller hears of the budget, and the next one who is refused brings it up again.
    deps.log.warn('the end of a budget could not be told', { error })
  }
}

function reachedBy(from: Db | Tx, budget: Budget): number[] {
  const used = usedOfBudget(from, budget)
  return ALERT_AT.filter(percent => reaches(used, percent, budget.microUsd))
}

function isNew(db: Db, budget: Budget, percent: number): boolean {
  const row = said.get(db, { ...keyOf(budget), percent })
  return row === null || row.spent < thresholdOf(budget, percent)
}

function alert(tx: Tx, deps: Deps, budget: Budget, percent: number) {
  const { of, app, realmId, microUsd } = budget
  const { state, spentMicroUsd, action, month, resetsAt } = stateOf(tx, budget)
  const threshold = thresholdOf(budget, percent)
  const row = say.get(tx, {
    ...keyOf(budget),
    percent,
    spent: Math.max(spentMicroUsd, threshold),
    threshold,
    now: tx.now,
  })
  if (!row) return
  const data = {
    budget: of,
    app,
    percent,
    state,
    spent_micro_usd: spentMicroUsd,
    budget_micro_usd: microUsd,
    action,
    month,
    resets_at: isoSeconds(resetsAt),
  }
  const id = append(tx, { realmId, type: TYPE, jobId: null, data })
  const body = { id: formatId('event', id), event: TYPE, created_at: isoSeconds(tx.now), ...data }
  tellOperator(tx, deps, { id, type: TYPE, body })
  tx.after(() => deps.log.warn('budget alert', data))
}

const TYPE = 'budget.alert'

function keyOf({ realmId, window }: Budget): Omit<Alert, 'percent'> {
  return { realmId, month: Number(window.period.replace('-', '')) }
}

/** Micro-USD, rounded up: below it the percent is not reached. */
function thresholdOf({ microUsd }: Budget, percent: number): number {
  return Math.ceil((microUsd * percent) / 100)
}
