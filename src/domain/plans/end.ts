import { AppError, mustChangeOne } from '@/base/errors'
import { formatId, type UserId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once } from '@/domain/idempotency'
import { expireEarly } from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'
import { runningOf } from './entitlement'
import { closeSubscription, type Subscription } from './subscription'
import { type Answered, type Idempotency, type SubscriptionView, scopeFor, viewOf } from './view'

const mark = command<{ id: number; isCancelled: number; now: number }>(
  `UPDATE subscriptions SET is_cancelled = $isCancelled, updated_at = $now
   WHERE id = $id AND state = 'active'`,
)
const activeOfUser = query<{ userId: number }, Pick<Subscription, 'id'>>(
  `SELECT id FROM subscriptions WHERE user_id = $userId AND state = 'active'`,
)

/** Ends with its period, and its tokens with it. Twice is once. Throws 404 when there is none. */
export function cancel(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
  idempotency: Idempotency = null,
): Promise<Answered> {
  return marked(deps, actor, realm, externalId, { isCancelled: 1, idempotency })
}

/** Takes a cancellation back, before it has come true. Throws 404 when there is none. */
export function resume(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
  idempotency: Idempotency = null,
): Promise<Answered> {
  return marked(deps, actor, realm, externalId, { isCancelled: 0, idempotency })
}

async function marked(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
  { isCancelled, idempotency }: { isCancelled: 0 | 1; idempotency: Idempotency },
): Promise<Answered> {
  const action = isCancelled ? 'subscription.cancel' : 'subscription.resume'
  const answered = await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, externalId)
    const running = user && runningOf(tx, realm.id, user.id)
    if (!user || !running) return null
    const { answer, isReplay } = once(tx, scopeFor(user, action, idempotency), () => {
      mustChangeOne(mark.run(tx, { id: running.id, isCancelled, now: tx.now }), 'it has ended')
      record(tx, actor, action, formatId('subscription', running.id))
      return { status: 200, answer: viewOf(tx, { ...running, isCancelled }) }
    })
    return { subscription: answer, isReplay }
  })
  return orNotFound(answered)
}

/** Now, with every token of it that was not spent. What is held comes back for the grace time only. */
export async function endNow(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
): Promise<SubscriptionView> {
  const result = await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, externalId)
    const running = user && runningOf(tx, realm.id, user.id)
    if (!running) return null
    closeSubscription(tx, running, tx.now)
    const { realmId, userId } = running
    const expired = expireEarly(tx, { realmId, userId, origin: 'subscription' })
    record(tx, actor, 'subscription.end', formatId('subscription', running.id), { expired })
    return viewOf(tx, { ...running, nextPlanId: null }, tx.now)
  })
  return orNotFound(result)
}

/** Of a person who was erased: nothing is renewed for nobody. */
export async function endForErased(deps: Deps, userId: UserId): Promise<void> {
  await write(deps.db, tx => {
    const active = activeOfUser.get(tx, { userId })
    if (active) closeSubscription(tx, active, tx.now)
  })
}

/** Outside of the write: thrown inside, it would undo the renewal that found the end. */
function orNotFound<T>(found: T | null): T {
  if (found === null) throw new AppError('not_found')
  return found
}
