import { mustChangeOne } from '@/base/errors'
import type { PlanId, RealmId, SubscriptionId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import { findById, hadOneBefore } from '@/domain/users'
import { defaultPlanOf, type Plan, type PlanFields } from './find'
import { numberAt, startOf } from './periods'
import { begin, heirOf, renewUntilNow } from './renew'
import { activeOf, BY_DEFAULT, newestByDefault, planOf, type Subscription } from './subscription'
import { grantPeriod } from './tokens'

/** What a user's plan allows now. A limit that is null is none. */
export type Entitlement = Pick<
  PlanFields,
  | 'maxConcurrent'
  | 'jobsPerDay'
  | 'tokensPerDay'
  | 'tokensPerMonth'
  | 'microUsdPerDay'
  | 'microUsdPerMonth'
  | 'models'
  | 'kinds'
  | 'strategy'
  | 'priority'
  | 'hasWatermark'
  | 'maxUploadBytes'
> & {
  /** Null: the default plan, which begins with the user's next job. */
  subscriptionId: SubscriptionId | null
  planId: PlanId
  planName: string
}

const reopen = command<{
  id: number
  planId: number
  periodNumber: number
  periodStart: number
  periodEnd: number
  tokens: number
  now: number
}>(
  `UPDATE subscriptions SET state = 'active', ended_at = NULL, is_cancelled = 0, plan_id = $planId,
     period_number = $periodNumber, period_start = $periodStart, period_end = $periodEnd,
     period_tokens = $tokens, updated_at = $now
   WHERE id = $id AND state = 'ended'`,
)

/**
 * Renews what is due, so that nobody meets a 402 because a minute has not passed, and begins a subscription
 * on the default plan for a user who has none. Null: no plan, and no limits of one.
 */
export function entitlementFor(
  tx: Tx,
  deps: Pick<Deps, 'secrets'>,
  realm: Realm,
  userId: UserId,
): Entitlement | null {
  const running = runningOf(tx, realm.id, userId) ?? beginByDefault(tx, deps, realm, userId)
  return running && entitlementOf(running.id, planOf(tx, running))
}

/** The same for whoever only looks. */
export function readEntitlement(
  from: Db | Tx,
  realm: Pick<Realm, 'id'>,
  userId: UserId,
): Entitlement | null {
  const running = peek(from, realm.id, userId)
  if (running) return entitlementOf(running.id, planOf(from, running))
  const plan = defaultPlanOf(from, realm.id)
  return plan && entitlementOf(null, plan)
}

/** When the plan brings tokens again; null: it does not, or ends before. */
export function nextReplenishmentAt(
  from: Db | Tx,
  realm: Pick<Realm, 'id'>,
  userId: UserId,
): number | null {
  const running = peek(from, realm.id, userId)
  return running && replenishedAt(from, running)
}

export function replenishedAt(from: Db | Tx, running: Subscription): number | null {
  const heir = heirOf(from, running)
  return heir && heir.tokensPerPeriod > 0 ? running.periodEnd : null
}

/** The subscription as it is now, renewed. */
export function runningOf(tx: Tx, realmId: RealmId, userId: UserId): Subscription | null {
  const found = activeOf(tx, realmId, userId)
  return found && renewUntilNow(tx, found)
}

/** As it will be found once it is renewed, without touching it. */
export function peek(from: Db | Tx, realmId: RealmId, userId: UserId): Subscription | null {
  const found = activeOf(from, realmId, userId)
  const now = 'db' in from ? from.now : from.clock.now()
  if (!found || found.periodEnd > now) return found
  const heir = heirOf(from, found)
  if (!heir) return null
  const isSamePeriod = heir.period === planOf(from, found).period
  const anchorAt = isSamePeriod ? found.anchorAt : found.periodEnd
  return { ...found, nextPlanId: null, ...periodAt(anchorAt, heir, now) }
}

function periodAt(anchorAt: number, plan: Plan, now: number) {
  const periodNumber = numberAt(anchorAt, plan.period, now)
  return {
    planId: plan.id,
    anchorAt,
    periodNumber,
    periodStart: startOf(anchorAt, plan.period, periodNumber),
    periodEnd: startOf(anchorAt, plan.period, periodNumber + 1),
    periodTokens: plan.tokensPerPeriod,
  }
}

function beginByDefault(
  tx: Tx,
  deps: Pick<Deps, 'secrets'>,
  realm: Realm,
  userId: UserId,
): Subscription | null {
  const plan = defaultPlanOf(tx, realm.id)
  if (!plan) return null
  const earlier = newestByDefault(tx, realm.id, userId)
  if (earlier && planOf(tx, earlier).period === plan.period) {
    return goOnByDefault(tx, earlier, plan)
  }
  const { externalId } = findById(tx, realm.id, userId) ?? { externalId: null }
  // Somebody who had themselves erased and came back gets no first tokens a second time.
  const withoutTokens = externalId === null || hadOneBefore(tx, deps.secrets, realm, externalId)
  const of = { realmId: realm.id, userId, source: BY_DEFAULT, anchorAt: tx.now }
  return begin(tx, of, plan, { withoutTokens })
}

/** With the periods that it had: buying and giving back brings the tokens of none of them twice. */
function goOnByDefault(tx: Tx, earlier: Subscription, plan: Plan): Subscription {
  const period = periodAt(earlier.anchorAt, plan, tx.now)
  const wasBegun = period.periodNumber <= earlier.periodNumber
  const periodTokens = wasBegun
    ? Math.max(earlier.periodTokens, plan.tokensPerPeriod)
    : plan.tokensPerPeriod
  const { planId, periodNumber, periodStart, periodEnd } = period
  const change = { planId, periodNumber, periodStart, periodEnd, tokens: periodTokens, now: tx.now }
  mustChangeOne(reopen.run(tx, { id: earlier.id, ...change }), 'the subscription is active')
  const running = { ...earlier, ...period, periodTokens, nextPlanId: null, isCancelled: 0 as const }
  if (!wasBegun) grantPeriod(tx, running, plan)
  return running
}

function entitlementOf(subscriptionId: SubscriptionId | null, plan: Plan): Entitlement {
  return {
    subscriptionId,
    planId: plan.id,
    planName: plan.name,
    maxConcurrent: plan.maxConcurrent,
    jobsPerDay: plan.jobsPerDay,
    tokensPerDay: plan.tokensPerDay,
    tokensPerMonth: plan.tokensPerMonth,
    microUsdPerDay: plan.microUsdPerDay,
    microUsdPerMonth: plan.microUsdPerMonth,
    models: plan.models,
    kinds: plan.kinds,
    strategy: plan.strategy,
    priority: plan.priority,
    hasWatermark: plan.hasWatermark,
    maxUploadBytes: plan.maxUploadBytes,
  }
}
