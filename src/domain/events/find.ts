import type { EventId, JobId, RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { EventType } from './append'

export type Event = {
  id: EventId
  realmId: RealmId
  type: EventType
  jobId: JobId | null
  /** JSON, of those that are not about a job. */
  data: string | null
  createdAt: number
}

const select = query<{ id: number }, Event>(
  `SELECT id, realm_id AS realmId, type, job_id AS jobId, data, created_at AS createdAt
   FROM events WHERE id = $id`,
)

export function find(db: Db, id: EventId): Event | null {
  return select.get(db, { id })
}
