import { isoSeconds, SECOND } from '@/base/clock'
import { AppError } from '@/base/errors'
import type { Budget } from './budgets'
import type { Window } from './windows'

/** What stood in the way, as callers read it in `limit_name`. */
export type LimitName =
  | 'concurrent_jobs'
  | 'jobs_per_day'
  | 'tokens_per_day'
  | 'tokens_per_month'
  | 'micro_usd_per_day'
  | 'micro_usd_per_month'

/** Nobody knows when a job ends; most pictures take as long. */
const ASK_AGAIN_SECONDS = 5

export function tooManyAtOnce(limit: number): AppError {
  const limitName: LimitName = 'concurrent_jobs'
  return new AppError('concurrency_limit', {
    detail: { limit, limit_name: limitName, retry_after: ASK_AGAIN_SECONDS },
  })
}

/** `now` tells how long that is: for the header, and for whose clock goes wrong. */
export function usedUp(
  code: 'daily_limit' | 'spend_limit',
  name: LimitName,
  limit: number,
  { resetsAt }: Window,
  now: number,
): AppError {
  return new AppError(code, {
    detail: {
      limit,
      limit_name: name,
      resets_at: isoSeconds(resetsAt),
      retry_after: Math.ceil((resetsAt - now) / SECOND),
    },
  })
}

export function notInPlan(what: 'model' | 'kind'): AppError {
  const reason =
    what === 'model'
      ? 'The plan of this user does not include this model.'
      : 'The plan of this user does not include this kind of job.'
  return new AppError('forbidden', { detail: { reason } })
}

/** Whose budget it was is for the operator to know, and stands in the log. */
export class BudgetUsedUp extends AppError {
  constructor(readonly budget: Budget) {
    super('budget_exceeded', {
      detail: { resets_at: isoSeconds(budget.window.resetsAt) },
      internal: `the budget of the ${budget.of} is used up`,
    })
  }
}
