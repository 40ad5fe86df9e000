import { DAY, MINUTE } from '@/base/clock'
import { invalidInput, mustChangeOne } from '@/base/errors'
import { formatId, type UserId } from '@/base/ids'
import { command } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once } from '@/domain/idempotency'
import { ensure, type User } from '@/domain/users'
import { runningOf } from './entitlement'
import { findPlan, type Plan } from './find'
import { begin, renewUntilNow } from './renew'
import { BY_DEFAULT, closeSubscription, planOf, type Subscription } from './subscription'
import { grantUpgrade } from './tokens'
import { type Answered, type Idempotency, scopeFor, viewOf } from './view'

/**
 * What an upgrade in the middle of a period brings. `tokens`: what it has more, for the share that is left.
 * `none`: nothing before the next period. `restart`: a period of its own, with all its tokens.
 */
export const PRORATIONS = ['tokens', 'none', 'restart'] as const
export type Proration = (typeof PRORATIONS)[number]

export const WHENS = ['now', 'period_end'] as const
export type When = (typeof WHENS)[number]

export type SubscriptionOrder = {
  /** Name of the plan. */
  plan: string
  /** When it began, as a store says; null: now. */
  periodStart: number | null
  source: string
  proration: Proration | null
  when: When | null
}

/** A purchase is reported late, and an app that moves here brings subscriptions of last year. */
export const MAX_LATE_MS = 366 * DAY
/** Clocks of other servers go ahead a little; beyond that it would be an order for later. */
export const MAX_EARLY_MS = 5 * MINUTE
export const USUAL_SOURCE = 'api'
const SOURCE = /^[a-z0-9][a-z0-9_.-]{0,49}$/

const change = command<{
  id: number
  fromPlanId: number
  periodNumber: number
  planId: number
  tokens: number
  now: number
}>(
  `UPDATE subscriptions SET plan_id = $planId, next_plan_id = NULL, is_cancelled = 0,
     period_tokens = max(period_tokens, $tokens), updated_at = $now
   WHERE id = $id AND state = 'active' AND plan_id = $fromPlanId AND period_number = $periodNumber`,
)
const plan = command<{ id: number; planId: number; nextPlanId: number | null; now: number }>(
  `UPDATE subscriptions SET next_plan_id = $nextPlanId, is_cancelled = 0, updated_at = $now
   WHERE id = $id AND state = 'active' AND plan_id = $planId`,
)

/**
 * Gives a user a plan, or another one; the user is made when unknown. For the plan that the user has already
 * it only takes back a cancellation and a change to come, so the same order twice has one effect. Throws 400
 * with the field that is wrong.
 */
export async function subscribe(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
  order: SubscriptionOrder,
  idempotency: Idempotency = null,
): Promise<Answered> {
  return await write(deps.db, tx => {
    const { user } = ensure(tx, deps.secrets, { realm, externalId, mayHaveWelcomeGrant: true })
    const scope = scopeFor(user, 'subscribe', idempotency)
    const { answer, isReplay } = once(tx, scope, () => {
      const changed = place(tx, realm, user, order)
      record(tx, actor, 'subscription.set', formatId('subscription', changed.id), {
        user: formatId('user', user.id),
        plan: order.plan,
        source: order.source,
      })
      return { status: 200, answer: viewOf(tx, changed) }
    })
    return { subscription: answer, isReplay }
  })
}

function place(tx: Tx, realm: Realm, user: User, order: SubscriptionOrder): Subscription {
  const wanted = findPlan(tx, realm.id, order.plan)
  if (!wanted) throw invalidInput('plan', 'is no plan of this app; GET /api/v1/plans lists them')
  checkSource(order.source)
  const running = runningOf(tx, realm.id, user.id)
  const isOwn = running !== null && running.source !== BY_DEFAULT
  if (!wanted.isEnabled && !(isOwn && running.planId === wanted.id)) {
    throw invalidInput('plan', 'is switched off: nobody new gets it')
  }
  return isOwn
    ? changeOver(tx, running, wanted, order)
    : beginOwn(tx, user.id, realm, running, wanted, order)
}

function checkSource(source: string): void {
  if (SOURCE.test(source) && source !== BY_DEFAULT) return
  throw invalidInput('source', 'must be 1 to 50 of a-z 0-9 _ . -, and not `default`')
}

function anchorOf(tx: Tx, periodStart: number | null): number {
  if (periodStart === null) return tx.now
  if (periodStart > tx.now + MAX_EARLY_MS) {
    throw invalidInput('period_start', 'must not lie in the future')
  }
  if (periodStart < tx.now - MAX_LATE_MS) {
    throw invalidInput('period_start', 'must not lie more than 366 days back')
  }
  return Math.min(periodStart, tx.now)
}

/** What was bought has periods of its own, whatever the default plan was about to do. */
function beginOwn(
  tx: Tx,
  userId: UserId,
  realm: Realm,
  byDefault: Subscription | null,
  wanted: Plan,
  { source, periodStart }: SubscriptionOrder,
): Subscription {
  const anchorAt = anchorOf(tx, periodStart)
  if (byDefault) closeSubscription(tx, byDefault, tx.now)
  return beginUntilNow(tx, { realmId: realm.id, userId, source, anchorAt }, wanted)
}

/** One that began earlier has had periods: they are made up for, each with its tokens. */
function beginUntilNow(tx: Tx, of: Parameters<typeof begin>[1], wanted: Plan): Subscription {
  const running = renewUntilNow(tx, begin(tx, of, wanted))
  if (!running) throw invalidInput('plan', 'ends before it begins')
  return running
}

function changeOver(
  tx: Tx,
  running: Subscription,
  wanted: Plan,
  order: SubscriptionOrder,
): Subscription {
  if (running.planId === wanted.id) return planNext(tx, running, null)
  const own = planOf(tx, running)
  const isSamePeriod = own.period === wanted.period
  const isRestart = order.proration === 'restart' || order.periodStart !== null
  if (order.when === 'period_end' && isRestart) {
    throw invalidInput('when', 'must be `now` where a period begins')
  }
  const isLater = order.when === null ? !isRestart && isLess(wanted, own) : order.when !== 'now'
  if (isLater) return planNext(tx, running, wanted)
  const proration = order.proration ?? (isRestart || !isSamePeriod ? 'restart' : 'tokens')
  if (proration === 'restart') return restart(tx, running, wanted, order)
  if (order.periodStart !== null) {
    throw invalidInput('period_start', 'begins a period: only with proration `restart`')
  }
  if (!isSamePeriod) {
    throw invalidInput('proration', 'must be `restart`: the periods of the plans differ')
  }
  return changeNow(tx, running, wanted, proration)
}

/** By tokens in the same time, exact: a month is counted as thirty days. Equal is no less. */
function isLess(wanted: Plan, own: Plan): boolean {
  return wanted.tokensPerPeriod * DAYS[own.period] < own.tokensPerPeriod * DAYS[wanted.period]
}
const DAYS = { day: 1, week: 7, month: 30 }

function planNext(tx: Tx, running: Subscription, next: Plan | null): Subscription {
  const nextPlanId = next?.id ?? null
  const { id, planId } = running
  mustChangeOne(plan.run(tx, { id, planId, nextPlanId, now: tx.now }), 'the plan has changed')
  return { ...running, nextPlanId, isCancelled: 0 }
}

/** Tokens that are there already stay as long as they would have. */
function restart(
  tx: Tx,
  running: Subscription,
  wanted: Plan,
  order: SubscriptionOrder,
): Subscription {
  const anchorAt = anchorOf(tx, order.periodStart)
  if (anchorAt < running.periodStart) {
    throw invalidInput('period_start', 'must not lie before the period that runs')
  }
  closeSubscription(tx, running, tx.now)
  return beginUntilNow(tx, { ...running, source: order.source, anchorAt }, wanted)
}

function changeNow(
  tx: Tx,
  running: Subscription,
  wanted: Plan,
  proration: 'tokens' | 'none',
): Subscription {
  const tokens = wanted.tokensPerPeriod
  const { id, planId: fromPlanId, periodNumber } = running
  const to = { id, fromPlanId, periodNumber, planId: wanted.id, tokens, now: tx.now }
  mustChangeOne(change.run(tx, to), 'the plan has changed')
  if (proration === 'tokens') grantUpgrade(tx, running, wanted)
  return {
    ...running,
    planId: wanted.id,
    nextPlanId: null,
    isCancelled: 0,
    periodTokens: Math.max(running.periodTokens, tokens),
  }
}
