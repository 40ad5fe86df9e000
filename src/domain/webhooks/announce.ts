import type { JobId, RealmId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { append, type JobEvent, type NewEvent } from '@/domain/events'
import { enqueue } from '@/queue/enqueue'

const endpoint = query<{ realmId: number }, { id: number }>(
  'SELECT id FROM webhook_endpoints WHERE realm_id = $realmId AND is_enabled = 1 LIMIT 1',
)

/** Writes the event and orders its delivery, in the write that made it true; nothing where nobody listens. */
export function announce(
  tx: Tx,
  event: { realmId: RealmId; jobId: JobId; type: JobEvent; webhookUrl: string | null },
): void {
  const { realmId, jobId, type } = event
  if (event.webhookUrl === null && endpoint.get(tx, { realmId }) === null) return
  order(tx, { realmId, jobId, type })
}

export type LowBalance = { realmId: RealmId; jobId: JobId; balance: number; threshold: number }

/**
 * A user's tokens run out. The event hangs on the job that took them, so that it goes with the person, and
 * goes to the app's endpoints only: a job's own address is for what becomes of the job.
 */
export function announceLowBalance(tx: Tx, { realmId, jobId, balance, threshold }: LowBalance) {
  if (endpoint.get(tx, { realmId }) === null) return
  order(tx, { realmId, jobId, type: 'tokens.low', data: { balance, threshold } })
}

function order(tx: Tx, event: NewEvent & { realmId: RealmId }) {
  const eventId = append(tx, event)
  enqueue(tx, {
    kind: 'webhook.fan_out',
    pool: 'chores',
    lane: event.realmId,
    payload: { event_id: eventId },
  })
}
