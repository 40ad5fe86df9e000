import type { EventId, JobId, RealmId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

export const JOB_EVENTS = ['job.completed', 'job.failed', 'job.cancelled'] as const
/** What they are about is in their own data, and not in a job. */
export const NOTICES = ['tokens.low', 'budget.alert'] as const
export const EVENT_TYPES = [...JOB_EVENTS, ...NOTICES] as const
export type JobEvent = (typeof JOB_EVENTS)[number]
export type Notice = (typeof NOTICES)[number]
export type EventType = JobEvent | Notice

export type NewEvent = {
  /** 0: of the whole hub. */
  realmId: RealmId | 0
  type: EventType
  /** Of which job, or what brought it about; null where it was no job. */
  jobId: JobId | null
  /** Never a person's own words or names: those are looked up while the person is here. */
  data?: { [key: string]: string | number | null }
}

const insert = command<{
  id: number
  realmId: number
  type: string
  jobId: number | null
  data: string | null
  now: number
}>(
  `INSERT INTO events (id, realm_id, type, job_id, data, created_at)
   VALUES ($id, $realmId, $type, $jobId, $data, $now)`,
)

/** A fact, in the transaction that made it true. Ids grow in the order of commits. */
export function append(tx: Tx, { realmId, type, jobId, data }: NewEvent): EventId {
  const id = tx.id<EventId>()
  insert.run(tx, {
    id,
    realmId,
    type,
    jobId,
    data: data === undefined ? null : JSON.stringify(data),
    now: tx.now,
  })
  return id
}
