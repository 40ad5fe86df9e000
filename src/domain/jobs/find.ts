import { z } from 'zod'
import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { JobStatus } from '@/db/schema'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps, Mode } from '@/deps'
import type { StoredOutput } from '@/domain/files'
import { typicalMs } from './durations'
import { describeFailure } from './failure'

export type Job = {
  id: JobId
  realmId: RealmId
  mode: Mode
  userId: UserId
  externalId: string | null
  kind: string
  modelId: ModelId
  modelName: string
  status: JobStatus
  priority: number
  numOutputs: number
  tokensCharged: number
  tokensRefunded: number
  providerUsed: string | null
  attempts: number
  errorCode: string | null
  /** JSON text. */
  metadata: string
  webhookUrl: string | null
  createdAt: number
  startedAt: number | null
  completedAt: number | null
}

/** A job as callers see it. */
export type JobView = Job & {
  outputs: StoredOutput[]
  progress: number
  queuePosition: number | null
  pollAfterSeconds: number | null
}

/** Whose things a call may see: a realm's, or one user's of it. */
export type Scope = { realmId: RealmId; userId: UserId | null }

// Subqueries and not joins: bun:sqlite pays several microseconds for each further table of a FROM.
const COLUMNS = `j.id, j.realm_id AS realmId, (SELECT mode FROM realms WHERE id = j.realm_id) AS mode,
  j.user_id AS userId, (SELECT external_id FROM users WHERE id = j.user_id) AS externalId, j.kind,
  j.model_id AS modelId, j.model_name AS modelName, j.status, j.priority, j.num_outputs AS numOutputs,
  j.tokens_charged AS tokensCharged, j.tokens_refunded AS tokensRefunded, j.provider_used AS providerUsed,
  j.attempts, j.error_code AS errorCode, j.metadata, j.webhook_url AS webhookUrl, j.created_at AS createdAt,
  j.started_at AS startedAt, j.completed_at AS completedAt`

const byId = query<{ id: number; realmId: number; userId: number | null }, Job>(
  `SELECT ${COLUMNS} FROM jobs j
   WHERE j.id = $id AND j.realm_id = $realmId AND ($userId IS NULL OR j.user_id = $userId)`,
)
const outputs = query<{ jobId: number }, StoredOutput>(
  `SELECT o.position, o.text, o.file_id AS fileId, f.content_type AS contentType, f.width, f.height,
     f.duration_ms AS durationMs, f.bytes, f.expires_at AS expiresAt
   FROM job_outputs o LEFT JOIN files f ON f.id = o.file_id
   WHERE o.job_id = $jobId ORDER BY o.position`,
)

/** Null when there is none that this scope may see. */
export function findJob(deps: Deps, scope: Scope, id: JobId): JobView | null {
  const job = byId.get(deps.db, { id, realmId: scope.realmId, userId: scope.userId })
  return job ? viewOf(deps, job) : null
}

export function rawJob(from: Db | Tx, scope: Scope, id: JobId): Job | null {
  return byId.get(from, { id, realmId: scope.realmId, userId: scope.userId })
}

/** Adds what is not in the row: outputs, place in line, when to ask again. */
export function viewOf(deps: Deps, job: Job): JobView {
  const queuePosition = job.status === 'queued' ? positionOf(deps, job) : null
  return {
    ...job,
    outputs: job.status === 'succeeded' ? outputs.all(deps.db, { jobId: job.id }) : [],
    progress: PROGRESS[job.status],
    queuePosition,
    pollAfterSeconds: job.completedAt === null ? pollAfter(deps, job, queuePosition) : null,
  }
}

const PROGRESS: Record<JobStatus, number> = {
  queued: 0,
  running: 50,
  succeeded: 100,
  failed: 100,
  cancelled: 100,
}

/** A queued job whose task is not in line is being claimed, or waits for another try: it is next. */
function positionOf(deps: Deps, job: Job): number {
  const { id, priority } = job
  return deps.lanes.position({ id, pool: 'jobs', lane: job.realmId, priority }) ?? 1
}

const SLOWEST_POLL_SECONDS = 15

/** Half of what is left, so that the answer is old by at most as long again. */
function pollAfter(deps: Deps, job: Job, position: number | null): number {
  const leftMs =
    waitMs(deps, job.modelId, position) - (deps.clock.now() - (job.startedAt ?? job.createdAt))
  return Math.min(Math.max(Math.round(leftMs / 2_000), 1), SLOWEST_POLL_SECONDS)
}

/** How many jobs are worked on at once; those before us are divided among them. */
const AT_ONCE = 192

/** How long until the end, from the running average of this model and the place in line. */
export function waitMs(deps: Deps, modelId: ModelId, position: number | null): number {
  const each = typicalMs(deps.db, modelId)
  return each * (1 + Math.floor(((position ?? 1) - 1) / AT_ONCE))
}

/** A job that has ended, with everything a webhook says of it. */
export type EndedJob = Omit<Job, 'metadata'> & {
  outputs: StoredOutput[]
  metadata: Record<string, string>
  error: string | null
  isRetryable: boolean | null
}

export const Metadata = z.record(z.string(), z.string())

export function findEnded(from: Db | Tx, realmId: RealmId, id: JobId): EndedJob | null {
  const job = byId.get(from, { id, realmId, userId: null })
  if (!job) return null
  const failure = job.errorCode === null ? null : describeFailure(job.errorCode)
  return {
    ...job,
    outputs: outputs.all(from, { jobId: id }),
    metadata: Metadata.parse(JSON.parse(job.metadata)),
    error: failure?.message ?? null,
    isRetryable: failure?.isRetryable ?? null,
  }
}
