import type { UserId } from '@/base/ids'
import type { Tx } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import type { Entitlement } from '@/domain/plans'
import { takeOfBudgets } from './budgets'
import { add, takeUpTo } from './counters'
import { type LimitName, notInPlan, tooManyAtOnce, usedUp } from './refuse'
import { counterOf, type Name, type Part, type Taken } from './taken'
import { dayAt, monthAt, type Window } from './windows'

/** A job that is about to be accepted. */
export type Wanted = {
  realm: Realm
  userId: UserId
  /** Null: no plan, and no limits of one. */
  entitlement: Entitlement | null
  model: { name: string; kind: string }
  /** The most that the job can cost the user. */
  tokens: number
  /** The most that one attempt may cost us, micro-USD. Asked for only where a cap in dollars stands. */
  worstMicroUsd: () => number
  /** How many jobs of the user are queued or running, counted no further than `most`. */
  activeUpTo: (most: number) => number
}

type Cap = {
  name: Name
  limitName: LimitName
  code: 'daily_limit' | 'spend_limit'
  window: Window
  limit: number | null
  amount: number
}

/**
 * Takes what a job may use up of the caps of its user's plan and of the budgets, in the transaction that
 * accepts the job and before its hold. Answers what was taken, for `give`; null: nothing limits this job.
 *
 * Throws 403 `forbidden` for a model or kind that the plan does not include, 429 `concurrency_limit`,
 * `daily_limit` and `spend_limit`, and 403 `budget_exceeded`. Nothing is taken then: the write is undone.
 */
export function take(tx: Tx, deps: Deps, wanted: Wanted): Taken | null {
  const taken = wanted.entitlement ? takeOfPlan(tx, wanted, wanted.entitlement) : []
  taken.push(...takeOfBudgets(tx, deps, wanted))
  return taken.length > 0 ? taken : null
}

function takeOfPlan(tx: Tx, wanted: Wanted, plan: Entitlement): Taken {
  const { model } = wanted
  if (plan.models !== null && !plan.models.includes(model.name)) throw notInPlan('model')
  if (plan.kinds !== null && !plan.kinds.includes(model.kind)) throw notInPlan('kind')
  const { maxConcurrent } = plan
  if (maxConcurrent !== null && wanted.activeUpTo(maxConcurrent) >= maxConcurrent) {
    throw tooManyAtOnce(maxConcurrent)
  }
  return capsOf(tx, wanted, plan).map(cap => takeOne(tx, wanted, cap))
}

function capsOf(tx: Tx, { realm, tokens, worstMicroUsd }: Wanted, plan: Entitlement): Cap[] {
  const day = dayAt(tx.now, realm.timeZone)
  const month = monthAt(tx.now, realm.timeZone)
  const caps: Cap[] = []
  const cap = (
    name: Name,
    limitName: LimitName,
    window: Window,
    limit: number | null,
    amount: number,
  ) => caps.push({ name, limitName, code: 'spend_limit', window, limit, amount })
  // Jobs are counted without a cap too: the app shows how many there were.
  caps.push({
    name: 'jobs_day',
    limitName: 'jobs_per_day',
    code: 'daily_limit',
    window: day,
    limit: plan.jobsPerDay,
    amount: 1,
  })
  if (tokens > 0 && plan.tokensPerDay !== null) {
    cap('tokens_day', 'tokens_per_day', day, plan.tokensPerDay, tokens)
  }
  if (tokens > 0 && plan.tokensPerMonth !== null) {
    cap('tokens_month', 'tokens_per_month', month, plan.tokensPerMonth, tokens)
  }
  // Jobs of test keys cost nobody a cent.
  if (realm.mode !== 'live') return caps
  if (plan.microUsdPerDay !== null) {
    cap('cost_day', 'micro_usd_per_day', day, plan.microUsdPerDay, worstMicroUsd())
  }
  if (plan.microUsdPerMonth !== null) {
    cap('cost_month', 'micro_usd_per_month', month, plan.microUsdPerMonth, worstMicroUsd())
  }
  return caps
}

function takeOne(tx: Tx, { realm, userId }: Wanted, cap: Cap): Part {
  const { name, window, limit, amount } = cap
  const { period } = window
  const counter = counterOf({ realmId: realm.id, userId }, name, period)
  // What costs nothing stands for nothing yet, and at its end for what it did cost.
  if (amount === 0) return [name, period, 0]
  if (limit === null) add(tx, counter, amount)
  else if (!takeUpTo(tx, counter, amount, limit)) {
    throw usedUp(cap.code, cap.limitName, limit, window, tx.now)
  }
  return [name, period, amount]
}
