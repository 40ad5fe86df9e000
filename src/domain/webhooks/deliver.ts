import { jitter } from '@/base/backoff'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { type DeliveryId, type EventId, formatId, type RealmId } from '@/base/ids'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { webhookSecretOf } from '@/domain/apps'
import { finish, snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { sign } from './sign'

/** When the next try comes after a failed one; after the last the delivery is dead. Eight tries in all. */
export const TRY_AFTER_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
]
const JITTER = 0.1
const TIMEOUT_MS = 15 * SECOND
/** Receivers answer with little; what is kept is for a person to read. */
const ANSWER_BYTES = 64 * 1024
const ANSWER_KEPT = 2_048

type Delivery = {
  id: DeliveryId
  realmId: RealmId
  eventId: EventId
  url: string
  body: string
  tries: number
}
type Tried = {
  status: number | null
  error: string | null
  answer: string | null
  isFinal: boolean
}

const select = query<{ id: number }, Delivery>(
  `SELECT id, realm_id AS realmId, event_id AS eventId, url, body, tries FROM webhook_deliveries
   WHERE id = $id AND state = 'pending'`,
)
const save = command<{
  id: number
  state: string
  status: number | null
  error: string | null
  answer: string | null
  now: number
  finishedAt: number | null
}>(
  `UPDATE webhook_deliveries SET state = $state, tries = tries + 1, last_status = $status, last_error = $error,
     last_answer = $answer, last_tried_at = $now, finished_at = $finishedAt
   WHERE id = $id AND state = 'pending'`,
)

const close = command<{ id: number; now: number }>(
  `UPDATE webhook_deliveries SET state = 'dead', last_error = 'given_up', finished_at = $now
   WHERE id = $id AND state = 'pending'`,
)

/** Our own part broke too often: it is shown as dead, and can be sent again by hand. */
export function giveUpDelivery(tx: Tx, id: DeliveryId): void {
  close.run(tx, { id, now: tx.now })
}

/** One try. 2xx within 15 s is delivered; anything else is tried again by the schedule, then dead. */
export async function deliver(
  deps: Deps,
  claim: Claim,
  id: DeliveryId,
  signal: AbortSignal,
): Promise<Outcome> {
  const delivery = select.get(deps.db, { id })
  if (!delivery) return { outcome: 'done' }
  const tried = await send(deps, delivery, signal)
  const isDelivered = tried.status !== null && tried.status >= 200 && tried.status < 300
  const waitMs = TRY_AFTER_MS[delivery.tries]
  const { status, error, answer } = tried

  await write(deps.db, tx => {
    const isDead = !isDelivered && (waitMs === undefined || tried.isFinal)
    const state = isDelivered ? 'delivered' : isDead ? 'dead' : 'pending'
    const finishedAt = state === 'pending' ? null : tx.now
    save.run(tx, { id, state, status, error, answer, now: tx.now, finishedAt })
    if (state === 'pending' && waitMs !== undefined) {
      snooze(tx, claim, tx.now + jitter(waitMs, tx.random(), JITTER))
    } else {
      finish(tx, claim)
    }
  })
  return { outcome: 'handled' }
}

async function send(deps: Deps, delivery: Delivery, signal: AbortSignal): Promise<Tried> {
  const message = {
    id: formatId('event', delivery.eventId),
    wallSeconds: Math.floor(deps.clock.wall() / 1000),
    body: delivery.body,
  }
  try {
    const response = await deps.fetch(delivery.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'ai-backend-hub',
        ...sign(webhookSecretOf(deps, delivery.realmId), message),
      },
      body: delivery.body,
      timeoutMs: TIMEOUT_MS,
      maxBytes: ANSWER_BYTES,
      signal,
    })
    const answer = (await response.text().catch(() => '')).slice(0, ANSWER_KEPT)
    return { status: response.status, error: null, answer, isFinal: false }
  } catch (error) {
    if (error instanceof BlockedDestination) {
      return { status: null, error: error.code, answer: null, isFinal: true }
    }
    const code = error instanceof FetchFailure ? error.code : 'failed'
    return { status: null, error: code, answer: null, isFinal: false }
  }
}
