import type { DeliveryId, EventId, RealmId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { webhookSecretOf } from '@/domain/apps'
import type { Claim, Outcome } from '@/queue/task'
import { again, isDelivered, tryToSend } from './try-to-send'

type Delivery = {
  id: DeliveryId
  realmId: RealmId
  eventId: EventId
  url: string
  body: string
  tries: number
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
  const { id: _, realmId, tries, ...message } = delivery
  const tried = await tryToSend(
    deps,
    { ...message, secret: webhookSecretOf(deps, realmId) },
    signal,
  )
  const { status, error, answer } = tried

  await write(deps.db, tx => {
    const isPending = again(tx, claim, tries, tried)
    const state = isDelivered(tried) ? 'delivered' : isPending ? 'pending' : 'dead'
    const finishedAt = isPending ? null : tx.now
    save.run(tx, { id, state, status, error, answer, now: tx.now, finishedAt })
  })
  return { outcome: 'handled' }
}
