import type { EventId, JobId, RealmId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

export const EVENT_TYPES = ['job.completed', 'job.failed', 'job.cancelled'] as const
export type EventType = (typeof EVENT_TYPES)[number]

export type NewEvent = { realmId: RealmId; type: EventType; jobId: JobId }

const insert = command<{ id: number; realmId: number; type: string; jobId: number; now: number }>(
  `INSERT INTO events (id, realm_id, type, job_id, created_at) VALUES ($id, $realmId, $type, $jobId, $now)`,
)

/** A fact, in the transaction that made it true. Ids grow in the order of commits. */
export function append(tx: Tx, event: NewEvent): EventId {
  const id = tx.id<EventId>()
  insert.run(tx, { id, ...event, now: tx.now })
  return id
}
