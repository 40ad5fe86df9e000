import type { EventId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { enqueue } from '@/queue/enqueue'
import type { Claim, Outcome } from '@/queue/task'
import { again, isDelivered, tryToSend } from './try-to-send'

type OperatorEvent = { body: string; tries: number }

const insert = command<{ id: number; type: string; body: string; now: number }>(
  'INSERT INTO operator_events (id, type, body, created_at) VALUES ($id, $type, $body, $now)',
)
const select = query<{ id: number }, OperatorEvent>(
  'SELECT body, tries FROM operator_events WHERE id = $id AND delivered_at IS NULL',
)
const save = command<{ id: number; status: number | null; deliveredAt: number | null }>(
  `UPDATE operator_events SET tries = tries + 1, last_status = $status, delivered_at = $deliveredAt
   WHERE id = $id AND delivered_at IS NULL`,
)

/** Orders that the operator is told, in the write that made it true. Nothing where he gave no address. */
export function tellOperator(
  tx: Tx,
  { config }: Pick<Deps, 'config'>,
  event: { id: EventId; type: string; body: Record<string, unknown> },
): void {
  if (config.operatorWebhook === null) return
  // Kept as it is sent, so that every try carries the same bytes.
  insert.run(tx, {
    id: event.id,
    type: event.type,
    body: JSON.stringify(event.body),
    now: tx.now,
  })
  enqueue(tx, {
    kind: 'operator.deliver',
    pool: 'deliveries',
    payload: { event_id: event.id },
  })
}

/** One try, by the schedule of all webhooks. An address that was taken away meanwhile ends it. */
export async function deliverToOperator(
  deps: Deps,
  claim: Claim,
  eventId: EventId,
  signal: AbortSignal,
): Promise<Outcome> {
  const event = select.get(deps.db, { id: eventId })
  const { operatorWebhook } = deps.config
  if (!event || !operatorWebhook) return { outcome: 'done' }
  const { body, tries } = event
  const tried = await tryToSend(deps, { eventId, body, ...operatorWebhook }, signal)
  await write(deps.db, tx => {
    const deliveredAt = isDelivered(tried) ? tx.now : null
    save.run(tx, { id: eventId, status: tried.status, deliveredAt })
    const isPending = again(tx, claim, tries, tried)
    if (deliveredAt === null && !isPending) {
      deps.log.error('the operator could not be told', { event: eventId, error: tried.error })
    }
  })
  return { outcome: 'handled' }
}
