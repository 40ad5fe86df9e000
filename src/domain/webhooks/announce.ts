import type { JobId, RealmId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { append, type NewEvent } from '@/domain/events'
import { enqueue } from '@/queue/enqueue'

const endpoint = query<{ realmId: number }, { id: number }>(
  'SELECT id FROM webhook_endpoints WHERE realm_id = $realmId AND is_enabled = 1 LIMIT 1',
)

/** Writes the event and orders its delivery, in the write that made it true; nothing where nobody listens. */
export function announce(
  tx: Tx,
  event: { realmId: RealmId; jobId: JobId; type: NewEvent['type']; webhookUrl: string | null },
): void {
  const { realmId, jobId, type } = event
  if (event.webhookUrl === null && endpoint.get(tx, { realmId }) === null) return
  const eventId = append(tx, { realmId, jobId, type })
  enqueue(tx, {
    kind: 'webhook.fan_out',
    pool: 'chores',
    lane: realmId,
    payload: { event_id: eventId },
  })
}
