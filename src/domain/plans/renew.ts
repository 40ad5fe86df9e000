import { mustChangeOne } from '@/base/errors'
import type { PlanId, SubscriptionId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { expireDue } from '@/domain/ledger'
import { findById } from '@/domain/users'
import { defaultPlanOf, type Plan, planById } from './find'
import { startOf } from './periods'
import {
  activeOfId,
  BY_DEFAULT,
  closeSubscription,
  insertSubscription,
  planOf,
  type Subscription,
} from './subscription'
import { grantPeriod } from './tokens'

const advance = command<{
  id: number
  periodNumber: number
  planId: number
  periodEnd: number
  nextEnd: number
  tokens: number
  now: number
}>(
  `UPDATE subscriptions SET period_number = period_number + 1, plan_id = $planId, next_plan_id = NULL,
     period_start = $periodEnd, period_end = $nextEnd, period_tokens = $tokens, updated_at = $now
   WHERE id = $id AND state = 'active' AND period_number = $periodNumber AND period_end = $periodEnd`,
)
const due = query<
  { now: number; afterEnd: number; afterId: number; limit: number },
  { id: SubscriptionId; periodEnd: number }
>(
  `SELECT id, period_end AS periodEnd FROM subscriptions
   WHERE state = 'active' AND period_end <= $now AND (period_end, id) > ($afterEnd, $afterId)
   ORDER BY period_end, id LIMIT $limit`,
)

/** Enough to share commits, and a list that costs nothing to keep. */
const BATCH = 64
/** Periods of one subscription in one write: a daily plan after a year of sleep takes a few turns. */
const PERIODS_AT_ONCE = 50

/** Every subscription whose period has ended, each period once. Throws when some could not be renewed. */
export async function renewAllDue(deps: Deps, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = []
  let after = { periodEnd: 0, id: 0 }
  while (!signal.aborted) {
    const rows = due.all(deps.db, {
      now: deps.clock.now(),
      afterEnd: after.periodEnd,
      afterId: after.id,
      limit: BATCH,
    })
    const answers = await Promise.allSettled(rows.map(({ id }) => renewOut(deps, id)))
    failures.push(...answers.flatMap(one => (one.status === 'rejected' ? [one.reason] : [])))
    const last = rows.at(-1)
    if (!last) break
    after = last
  }
  // One that cannot be renewed stops nobody else.
  if (failures.length > 0) {
    throw new Error(`${failures.length} subscriptions could not be renewed`, { cause: failures[0] })
  }
}

async function renewOut(deps: Deps, id: SubscriptionId): Promise<void> {
  let next: SubscriptionId | null = id
  while (next !== null) {
    const at: SubscriptionId = next
    next = await write(deps.db, tx => {
      const subscription = activeOfId(tx, at)
      const running = subscription && renewUntilNow(tx, subscription, PERIODS_AT_ONCE)
      return running && running.periodEnd <= tx.now ? running.id : null
    })
  }
}

/** As many periods as have ended, at most `limit`, in order. Null: it has ended with one of them. */
export function renewUntilNow(
  tx: Tx,
  subscription: Subscription,
  limit = Number.POSITIVE_INFINITY,
): Subscription | null {
  let running: Subscription | null = subscription
  for (let i = 0; i < limit && running && running.periodEnd <= tx.now; i++) {
    running = renew(tx, running)
  }
  return running
}

/**
 * Once: the change names the period that it leaves, and the ledger knows the period by its number. What was
 * not spent goes first, so that also after a long sleep the ledger reads as if nobody had slept.
 */
function renew(tx: Tx, subscription: Subscription): Subscription | null {
  const { id, realmId, userId, periodNumber, periodEnd, anchorAt } = subscription
  expireDue(tx, userId)
  const isErased = findById(tx, realmId, userId)?.externalId == null
  const heir = isErased ? null : heirOf(tx, subscription)
  if (!heir) {
    closeSubscription(tx, subscription, periodEnd)
    return null
  }
  if (heir.period !== planOf(tx, subscription).period) {
    closeSubscription(tx, subscription, periodEnd)
    return begin(tx, { ...subscription, anchorAt: periodEnd }, heir)
  }
  const nextEnd = startOf(anchorAt, heir.period, periodNumber + 2)
  const tokens = heir.tokensPerPeriod
  const change = { id, periodNumber, planId: heir.id, periodEnd, nextEnd, tokens, now: tx.now }
  mustChangeOne(advance.run(tx, change), 'the period was renewed')
  const renewed: Subscription = {
    ...subscription,
    planId: heir.id,
    nextPlanId: null,
    periodNumber: periodNumber + 1,
    periodStart: periodEnd,
    periodEnd: nextEnd,
    periodTokens: tokens,
  }
  grantPeriod(tx, renewed, heir)
  return renewed
}

/** The plan of the period after this one; null: there is none. */
export function heirOf(from: Db | Tx, subscription: Subscription): Plan | null {
  if (subscription.isCancelled) return null
  if (subscription.source === BY_DEFAULT) return defaultPlanOf(from, subscription.realmId)
  const id: PlanId = subscription.nextPlanId ?? subscription.planId
  return planById(from, id)
}

/** The first period, with its tokens unless they are to be waited for. */
export function begin(
  tx: Tx,
  of: Pick<Subscription, 'realmId' | 'userId' | 'source' | 'anchorAt'>,
  plan: Plan,
  options: { withoutTokens?: boolean } = {},
): Subscription {
  const { realmId, userId, source, anchorAt } = of
  const begun = insertSubscription(tx, {
    realmId,
    userId,
    source,
    anchorAt,
    planId: plan.id,
    periodNumber: 0,
    periodStart: anchorAt,
    periodEnd: startOf(anchorAt, plan.period, 1),
    periodTokens: plan.tokensPerPeriod,
  })
  if (!options.withoutTokens) grantPeriod(tx, begun, plan)
  return begun
}
