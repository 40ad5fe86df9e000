import type { UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { Realm } from '@/deps'
import type { Entitlement } from '@/domain/plans'
import { usedOf } from './counters'
import { counterOf, type Name } from './taken'
import { dayAt, monthAt, type Window } from './windows'

/** What a user has used up. A number of a limit that the plan does not have is not counted: null. */
export type UserUsage = {
  jobsToday: number
  tokensToday: number | null
  tokensThisMonth: number | null
  microUsdToday: number | null
  microUsdThisMonth: number | null
}

/** When the user's day and month end, and what of the plan's caps is used in them; null without a plan. */
export function usageOfUser(
  db: Db,
  realm: Realm,
  userId: UserId,
  plan: Entitlement | null,
): { used: UserUsage | null; dayEndsAt: number; monthEndsAt: number } {
  const now = db.clock.now()
  const day = dayAt(now, realm.timeZone)
  const month = monthAt(now, realm.timeZone)
  const used = (name: Name, { period }: Window) =>
    usedOf(db, counterOf({ realmId: realm.id, userId }, name, period))
  const capped = (limit: number | null, name: Name, window: Window) =>
    limit === null ? null : used(name, window)
  return {
    used: plan && {
      jobsToday: used('jobs_day', day),
      tokensToday: capped(plan.tokensPerDay, 'tokens_day', day),
      tokensThisMonth: capped(plan.tokensPerMonth, 'tokens_month', month),
      microUsdToday: capped(plan.microUsdPerDay, 'cost_day', day),
      microUsdThisMonth: capped(plan.microUsdPerMonth, 'cost_month', month),
    },
    dayEndsAt: day.resetsAt,
    monthEndsAt: month.resetsAt,
  }
}
