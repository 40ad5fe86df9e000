import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { Tx } from '@/db/write'
import type { Scope } from '@/domain/idempotency'
import { findByExternalId, type User } from '@/domain/users'
import { peek, replenishedAt } from './entitlement'
import { planById } from './find'
import { planOf, type Subscription } from './subscription'

/** A subscription as callers see it. */
export type SubscriptionView = Subscription & {
  planName: string
  nextPlanName: string | null
  /** When its plan brings tokens again. */
  nextReplenishmentAt: number | null
  /** Null while it runs. */
  endedAt: number | null
}

export type Answered = { subscription: SubscriptionView; isReplay: boolean }
export type Idempotency = { key: string; hash: string } | null

/** By our own id of the user: what is kept outlives the person's name. */
export function scopeFor(user: User, operation: string, given: Idempotency): Scope | null {
  return given && { realmId: user.realmId, userId: user.id, operation, ...given }
}

/** Null when the user has none, or does not exist. The default plan shows once it has begun. */
export function findSubscription(
  db: Db,
  realmId: RealmId,
  externalId: string,
): SubscriptionView | null {
  const user = findByExternalId(db, realmId, externalId)
  const running = user && peek(db, realmId, user.id satisfies UserId)
  return running && viewOf(db, running)
}

export function viewOf(
  from: Db | Tx,
  subscription: Subscription,
  endedAt: number | null = null,
): SubscriptionView {
  const { nextPlanId } = subscription
  return {
    ...subscription,
    planName: planOf(from, subscription).name,
    nextPlanName: nextPlanId === null ? null : (planById(from, nextPlanId)?.name ?? null),
    nextReplenishmentAt: endedAt === null ? replenishedAt(from, subscription) : null,
    endedAt,
  }
}
