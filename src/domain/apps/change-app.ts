import { AppError, invalidInput } from '@/base/errors'
import { formatId } from '@/base/ids'
import type { BudgetAction } from '@/db/schema'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { type App, findApp } from './find'
import { timeZoneOf } from './time-zone'

/** What is not named stays as it is; null takes a limit away. */
export type AppChange = {
  /** False: every call of the app is refused from now on. What was accepted goes on. */
  isEnabled?: boolean
  /** IANA name. What was counted today and this month stays counted under the day and month of its name. */
  timeZone?: string
  monthlyBudgetMicroUsd?: number | null
  budgetAction?: BudgetAction
  /** Tokens. */
  lowBalanceThreshold?: number | null
}

const MAX_THRESHOLD = 1_000_000_000_000
/** A billion dollars: what arithmetic takes with ease, and nobody means. */
const MAX_BUDGET_MICRO_USD = 1_000_000_000_000_000

const update = command<{
  id: number
  isEnabled: number
  timeZone: string
  monthlyBudgetMicroUsd: number | null
  budgetAction: string
  lowBalanceThreshold: number | null
  now: number
}>(
  `UPDATE apps SET is_enabled = $isEnabled, time_zone = $timeZone,
     monthly_budget_micro_usd = $monthlyBudgetMicroUsd, budget_action = $budgetAction,
     low_balance_threshold = $lowBalanceThreshold, updated_at = $now
   WHERE id = $id`,
)

/** Throws 404, and 400 naming the field. */
export async function changeApp(
  deps: Deps,
  actor: Actor,
  slug: string,
  change: AppChange,
): Promise<App> {
  const checked = check(change)
  return await write(deps.db, tx => {
    const app = findApp(tx, slug)
    if (!app) throw new AppError('not_found')
    const { isEnabled = app.isEnabled === 1, ...rest } = checked
    const { id, timeZone, monthlyBudgetMicroUsd, budgetAction, lowBalanceThreshold } = {
      ...app,
      ...rest,
    }
    update.run(tx, {
      id,
      isEnabled: Number(isEnabled),
      timeZone,
      monthlyBudgetMicroUsd,
      budgetAction,
      lowBalanceThreshold,
      now: tx.now,
    })
    record(tx, actor, 'app.change', formatId('app', id), { slug, ...checked })
    tx.after(() => deps.cache.clear())
    const changed = findApp(tx, slug)
    if (!changed) throw new Error('the app was just changed')
    return changed
  })
}

function check(change: AppChange): AppChange {
  const { monthlyBudgetMicroUsd: budget, lowBalanceThreshold: threshold } = change
  if (budget != null && !isWhole(budget, 0, MAX_BUDGET_MICRO_USD)) {
    throw invalidInput('monthly_budget_usd', 'must be an amount from 0 to 1,000,000,000')
  }
  if (threshold != null && !isWhole(threshold, 1, MAX_THRESHOLD)) {
    throw invalidInput('low_balance', `must be a whole number from 1 to ${MAX_THRESHOLD}`)
  }
  if (change.timeZone === undefined) return change
  const timeZone = timeZoneOf(change.timeZone)
  if (timeZone === null) {
    throw invalidInput('time_zone', 'must be the name of a time zone, such as Europe/Berlin')
  }
  return { ...change, timeZone }
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max
}
