import type { Tx } from '@/db/write'
import { findRealm } from '@/domain/apps'
import { budgetWindows } from './budgets'
import { add, giveBack } from './counters'
import { counterOf, isInMoney, type Name, type Part, type Taken, type Where } from './taken'

export type JobEnd = {
  outcome: 'succeeded' | 'failed' | 'cancelled'
  /** What the user paid in the end. */
  tokensKept: number
  /** As far as it is known now. */
  costMicroUsd: number
}

/**
 * A job has ended, in this write: what it took becomes what it did use, in the windows from which it was
 * taken. Answers what it stands for from now on.
 *
 * - Tokens: what the user kept to pay.
 * - Jobs of the day: a failed one is given back, a cancelled one is not, else a cap could be run past by
 *   cancelling.
 * - Dollars: the real cost instead of the worst one. Those of a cancelled job stay reserved until its vendor
 *   has been told, when `bookCost` says what it came to. Those of a success of which nobody said what it
 *   cost stay as they were reserved: unknown is not free.
 */
export function give(tx: Tx, where: Where, taken: Taken | null, end: JobEnd): Taken | null {
  const { outcome, tokensKept, costMicroUsd } = end
  const isCostOpen = outcome === 'cancelled' || (outcome === 'succeeded' && costMicroUsd === 0)
  const after = (taken ?? []).map(part => {
    const [name, , amount] = part
    if (name === 'jobs_day') return outcome === 'failed' ? change(tx, where, part, 0) : part
    if (!isInMoney(name)) return change(tx, where, part, tokensKept)
    return change(tx, where, part, isCostOpen ? amount : costMicroUsd)
  })
  return withBudgets(tx, where, after, costMicroUsd, tx.now)
}

/**
 * What an ended job cost in all, where that became known later. `endedAt` says in which month it is counted
 * where nothing was reserved for it.
 */
export function bookCost(
  tx: Tx,
  where: Where,
  taken: Taken | null,
  costMicroUsd: number,
  endedAt: number,
): Taken | null {
  const after = (taken ?? []).map(part =>
    isInMoney(part[0]) ? change(tx, where, part, costMicroUsd) : part,
  )
  return withBudgets(tx, where, after, costMicroUsd, endedAt)
}

function change(tx: Tx, where: Where, [name, period, amount]: Part, to: number): Part {
  const counter = counterOf(where, name, period)
  if (to > amount) add(tx, counter, to - amount)
  if (to < amount) giveBack(tx, counter, amount - to)
  return [name, period, to]
}

/**
 * Money that was spent is counted whether or not a budget stands, so that one that is set in the middle of a
 * month begins with what is true.
 */
function withBudgets(
  tx: Tx,
  where: Where,
  taken: Taken,
  costMicroUsd: number,
  at: number,
): Taken | null {
  const has = (name: Name) => taken.some(part => part[0] === name)
  if (costMicroUsd > 0 && !(has('app_budget') && has('hub_budget'))) {
    const realm = findRealm(tx, where.realmId)
    if (realm?.mode === 'live') {
      for (const [name, period] of budgetWindows(realm, at)) {
        if (!has(name)) taken.push(change(tx, where, [name, period, 0], costMicroUsd))
      }
    }
  }
  return taken.length > 0 ? taken : null
}
