import { mustChangeOne, Superseded } from '@/base/errors'
import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Mode } from '@/deps'

/** What an executor needs of a job that has not ended. */
export type ActiveJob = {
  id: JobId
  realmId: RealmId
  mode: Mode
  userId: UserId
  kind: string
  modelId: ModelId
  modelName: string
  numOutputs: number
  /** Since when nobody could serve it; null while somebody does, or it stands in a line. */
  unservedSince: number | null
  /** JSON of the checked input. */
  input: string
}

const active = query<{ id: number }, ActiveJob>(
  `SELECT j.id, j.realm_id AS realmId, (SELECT mode FROM realms WHERE id = j.realm_id) AS mode,
     j.user_id AS userId, j.kind, j.model_id AS modelId, j.model_name AS modelName,
     j.num_outputs AS numOutputs, j.unserved_since AS unservedSince,
     (SELECT input FROM job_inputs WHERE job_id = j.id) AS input
   FROM jobs j WHERE j.id = $id AND j.status IN ('queued', 'running')`,
)
const open = query<{ id: number }, { id: JobId }>(
  `SELECT id FROM jobs WHERE id = $id AND status IN ('queued', 'running')`,
)
const run = command<{ id: number; now: number; provider: string }>(
  `UPDATE jobs SET status = 'running', started_at = coalesce(started_at, $now), attempts = attempts + 1,
     provider_used = $provider, unserved_since = NULL
   WHERE id = $id AND status IN ('queued', 'running')`,
)

const wait = command<{ id: number; since: number | null }>(
  `UPDATE jobs SET unserved_since = $since WHERE id = $id AND status IN ('queued', 'running')`,
)

/** Throws Superseded when the job has ended: whoever wanted to work on it has lost. */
export function activeJob(tx: Tx, id: JobId): ActiveJob {
  const job = active.get(tx, { id })
  if (!job) throw new Superseded('job has ended')
  return job
}

/** For whoever lost a claim: does the job go on without them? */
export function isActive(from: Db | Tx, id: JobId): boolean {
  return open.get(from, { id }) !== null
}

/** Another attempt begins, at this provider. */
export function start(tx: Tx, id: JobId, provider: string): void {
  mustChangeOne(run.run(tx, { id, now: tx.now, provider }), 'job has ended')
}

/** Nobody can serve it since then; null: it stands in a line, which moves. */
export function markUnserved(tx: Tx, id: JobId, since: number | null): void {
  mustChangeOne(wait.run(tx, { id, since }), 'job has ended')
}
