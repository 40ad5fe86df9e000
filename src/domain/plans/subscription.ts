import { mustChangeOne } from '@/base/errors'
import type { PlanId, RealmId, SubscriptionId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { type Plan, planById } from './find'

/** Who has which plan, and which of its periods runs. */
export type Subscription = {
  id: SubscriptionId
  realmId: RealmId
  userId: UserId
  planId: PlanId
  /** Takes over when the period ends; null: it goes on as it is. */
  nextPlanId: PlanId | null
  /** The app's own word for where it was bought, or BY_DEFAULT. */
  source: string
  anchorAt: number
  periodNumber: number
  periodStart: number
  periodEnd: number
  /** The most tokens a period that this period was counted at: what an upgrade adds to. */
  periodTokens: number
  /** Ends with its period. */
  isCancelled: 0 | 1
  createdAt: number
}

/** The source of a subscription that nobody ordered: its plan is the default of the realm. */
export const BY_DEFAULT = 'default'

const COLUMNS = `id, realm_id AS realmId, user_id AS userId, plan_id AS planId, next_plan_id AS nextPlanId,
  source, anchor_at AS anchorAt, period_number AS periodNumber, period_start AS periodStart,
  period_end AS periodEnd, period_tokens AS periodTokens, is_cancelled AS isCancelled,
  created_at AS createdAt`

const active = query<{ realmId: number; userId: number }, Subscription>(
  `SELECT ${COLUMNS} FROM subscriptions
   WHERE user_id = $userId AND state = 'active' AND realm_id = $realmId`,
)
const activeById = query<{ id: number }, Subscription>(
  `SELECT ${COLUMNS} FROM subscriptions WHERE id = $id AND state = 'active'`,
)
const newestOfSource = query<{ realmId: number; userId: number; source: string }, Subscription>(
  `SELECT ${COLUMNS} FROM subscriptions
   WHERE user_id = $userId AND realm_id = $realmId AND source = $source ORDER BY id DESC LIMIT 1`,
)
const insert = command<{
  id: number
  realmId: number
  userId: number
  planId: number
  source: string
  anchorAt: number
  periodNumber: number
  periodStart: number
  periodEnd: number
  periodTokens: number
  now: number
}>(
  `INSERT INTO subscriptions (id, realm_id, user_id, plan_id, state, source, anchor_at, period_number,
     period_start, period_end, period_tokens, created_at, updated_at)
   VALUES ($id, $realmId, $userId, $planId, 'active', $source, $anchorAt, $periodNumber, $periodStart,
     $periodEnd, $periodTokens, $now, $now)`,
)
const close = command<{ id: number; endedAt: number; now: number }>(
  `UPDATE subscriptions SET state = 'ended', ended_at = $endedAt, next_plan_id = NULL, updated_at = $now
   WHERE id = $id AND state = 'active'`,
)

export function activeOf(from: Db | Tx, realmId: RealmId, userId: UserId): Subscription | null {
  return active.get(from, { realmId, userId })
}

export function activeOfId(tx: Tx, id: SubscriptionId): Subscription | null {
  return activeById.get(tx, { id })
}

/** The one that the default plan gave this user once, active or ended. */
export function newestByDefault(tx: Tx, realmId: RealmId, userId: UserId): Subscription | null {
  return newestOfSource.get(tx, { realmId, userId, source: BY_DEFAULT })
}

export function planOf(from: Db | Tx, { planId }: Pick<Subscription, 'planId'>): Plan {
  const plan = planById(from, planId)
  invariant(plan, 'a plan that somebody has is not removed')
  return plan
}

export function insertSubscription(
  tx: Tx,
  row: Omit<Subscription, 'id' | 'nextPlanId' | 'isCancelled' | 'createdAt'>,
): Subscription {
  const id = tx.id<SubscriptionId>()
  insert.run(tx, { id, ...row, now: tx.now })
  return { ...row, id, nextPlanId: null, isCancelled: 0, createdAt: tx.now }
}

/** Law 3: it ends once. */
export function closeSubscription(tx: Tx, { id }: Pick<Subscription, 'id'>, endedAt: number): void {
  mustChangeOne(close.run(tx, { id, endedAt, now: tx.now }), 'the subscription has ended')
}
