import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { mustChangeOne } from '@/base/errors'
import type { AttemptId, FileId, JobId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { AttemptState } from '@/db/schema'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { ActiveJob } from '@/domain/jobs'
import {
  type Choice,
  callNext,
  recordAcceptance,
  recordChoice,
  routeConfig,
} from '@/domain/routing'
import type { ProviderErrorKind } from '@/providers/errors'
import type { Operation, ProviderUsage } from '@/providers/spec'

/** One try at one provider: the intent, before anything leaves the house, and what came of it. */
export type Attempt = {
  id: AttemptId
  jobId: JobId
  number: number
  provider: string
  providerModel: string
  state: AttemptState
  /** JSON of the vendor's handle. */
  operation: string | null
  /** JSON of what was made and is not all copied yet. */
  outputs: string | null
  /** Ids for as many files as the job may make: a second run writes the same blobs. */
  firstFileId: FileId
  errorKind: ProviderErrorKind | null
  /** Null on the sandbox. */
  routeId: RouteId | null
  /** Its vendor will never serve this job. */
  isPermanent: 0 | 1
  /** When this job may go there again. */
  retryAt: number | null
  /** What the vendor said that it took; known from the moment its outputs are. */
  costMicroUsd: number | null
  /** JSON of what the vendor measured, from the moment its outputs are known until they are copied. */
  usage: string | null
  deadlineAt: number
  startedAt: number
}

/** How long a vendor may take, by kind of job; and how long a job may wait until one can take it. */
export function patienceMs(kind: string): number {
  return DEADLINES_MS[kind] ?? USUAL_DEADLINE_MS
}

const DEADLINES_MS: Record<string, number> = { video: 30 * MINUTE, text: 5 * MINUTE }
const USUAL_DEADLINE_MS = 10 * MINUTE

const COLUMNS = `id, job_id AS jobId, number, provider, provider_model AS providerModel, state, operation,
  outputs, first_file_id AS firstFileId, error_kind AS errorKind, cost_micro_usd AS costMicroUsd,
  deadline_at AS deadlineAt, started_at AS startedAt, route_id AS routeId, is_permanent AS isPermanent,
  retry_at AS retryAt, usage`

const ofJob = query<{ jobId: number }, Attempt>(
  `SELECT ${COLUMNS} FROM attempts WHERE job_id = $jobId ORDER BY number`,
)
const byId = query<{ id: number }, Attempt>(`SELECT ${COLUMNS} FROM attempts WHERE id = $id`)
const insert = command<{
  id: number
  jobId: number
  number: number
  provider: string
  providerModel: string
  reason: string
  firstFileId: number
  now: number
  deadlineAt: number
  routeId: number | null
  decision: string | null
}>(
  `INSERT INTO attempts (id, job_id, number, provider, provider_model, reason, state, first_file_id,
     started_at, deadline_at, route_id, decision)
   VALUES ($id, $jobId, $number, $provider, $providerModel, $reason, 'starting', $firstFileId, $now,
     $deadlineAt, $routeId, $decision)`,
)
const wait = command<{ id: number; operation: string }>(
  `UPDATE attempts SET state = 'waiting', operation = $operation
   WHERE id = $id AND state IN ('starting', 'waiting', 'unknown')`,
)
const produce = command<{
  id: number
  outputs: string
  cost: number | null
  usage: string | null
}>(
  `UPDATE attempts SET state = 'produced', outputs = $outputs, cost_micro_usd = $cost, usage = $usage
   WHERE id = $id AND state IN ('starting', 'waiting', 'unknown')`,
)
const suspect = command<{ id: number; message: string }>(
  `UPDATE attempts SET state = 'unknown', error_kind = 'unknown_outcome', error_message = $message
   WHERE id = $id AND state = 'starting'`,
)
const finish = command<{
  id: number
  state: string
  kind: string | null
  message: string | null
  cost: number | null
  isPermanent: 0 | 1
  retryAt: number | null
  now: number
}>(
  `UPDATE attempts SET state = $state, error_kind = $kind, error_message = $message,
     cost_micro_usd = coalesce($cost, cost_micro_usd), is_permanent = $isPermanent,
     retry_at = $retryAt, finished_at = $now
   WHERE id = $id AND state IN ('starting', 'waiting', 'produced', 'unknown')`,
)

export function attemptsOf(from: Db | Tx, jobId: JobId): Attempt[] {
  return ofJob.all(from, { jobId })
}

export function findAttempt(from: Db | Tx, id: AttemptId): Attempt | null {
  return byId.get(from, { id })
}

export function insertAttempt(tx: Tx, job: ActiveJob, choice: Choice, number: number): Attempt {
  const attempt: Attempt = {
    id: tx.id<AttemptId>(),
    jobId: job.id,
    number,
    provider: choice.provider,
    providerModel: choice.providerModel,
    state: 'starting',
    operation: null,
    outputs: null,
    firstFileId: tx.idBlock<FileId>(job.numOutputs),
    errorKind: null,
    routeId: choice.routeId,
    isPermanent: 0,
    retryAt: null,
    costMicroUsd: null,
    usage: null,
    deadlineAt: tx.now + timeFor(tx, job, choice),
    startedAt: tx.now,
  }
  const { id, jobId, provider, providerModel, firstFileId, routeId, deadlineAt } = attempt
  insert.run(tx, {
    id,
    jobId,
    number,
    provider,
    providerModel,
    reason: choice.reason,
    firstFileId,
    now: tx.now,
    deadlineAt,
    routeId,
    decision: choice.decision === null ? null : JSON.stringify(choice.decision),
  })
  if (routeId !== null) recordChoice(tx, routeId, id)
  return attempt
}

/** By the route where it says so, else by the kind of job. */
function timeFor(tx: Tx, job: ActiveJob, { routeId, provider }: Choice): number {
  const own =
    routeId === null ? undefined : routeConfig(tx.db, job.modelId, provider).deadline_seconds
  return own === undefined ? patienceMs(job.kind) : own * SECOND
}

/** The vendor works on it: its handle is on disk before anybody asks for it. */
export function markWaiting(
  tx: Tx,
  { id, routeId }: Pick<Attempt, 'id' | 'routeId'>,
  operation: Operation,
): void {
  mustChangeOne(wait.run(tx, { id, operation: JSON.stringify(operation) }), 'attempt has ended')
  if (routeId !== null) recordAcceptance(tx, routeId, id)
}

/** What it cost us, and what the vendor measured of it; as far as either is known. */
export type Measured = { costMicroUsd: number | null; usage: ProviderUsage | undefined }

/** The vendor is done with it and has a place for the next; what it made is still to be copied. */
export function markProduced(
  tx: Tx,
  { id, routeId }: Pick<Attempt, 'id' | 'routeId'>,
  outputs: Produced,
  { costMicroUsd, usage }: Measured,
): void {
  const changed = produce.run(tx, {
    id,
    outputs: JSON.stringify(outputs),
    cost: costMicroUsd,
    usage: usage === undefined ? null : JSON.stringify(usage),
  })
  mustChangeOne(changed, 'attempt has ended')
  if (routeId !== null) callNext(tx, routeId)
}

/** It may have begun, and nobody can say. Never started again, nor elsewhere. */
export function markUnknown(tx: Tx, id: AttemptId, message: string): number {
  return suspect.run(tx, { id, message: message.slice(0, MESSAGE_KEPT) })
}

export type AttemptEnd = {
  state: Extract<AttemptState, 'succeeded' | 'refused' | 'failed' | 'unknown' | 'cancelled'>
  kind?: ProviderErrorKind | null
  message?: string
  costMicroUsd?: number | null
  isPermanent?: boolean
  retryAt?: number | null
}

/** Nothing happens to one that has ended: then it answers false. */
export function endAttempt(tx: Tx, id: AttemptId, result: AttemptEnd): boolean {
  const { state, kind = null, message = null, costMicroUsd = null, retryAt = null } = result
  const changed = finish.run(tx, {
    id,
    state,
    kind,
    message: message === null ? null : message.slice(0, MESSAGE_KEPT),
    cost: costMicroUsd,
    isPermanent: result.isPermanent ? 1 : 0,
    retryAt,
    now: tx.now,
  })
  return changed === 1
}

/** A vendor's text is for a person to read; a page of HTML is not. */
const MESSAGE_KEPT = 2_000

/** What was made, by position: stored already, still at an address, or text. */
export const Produced = z.array(
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('stored'),
      fileId: z.int().transform(id => id as FileId),
      contentType: z.enum(['image/png', 'image/jpeg', 'image/webp', 'video/mp4']),
      bytes: z.int(),
      width: z.int().nullable(),
      height: z.int().nullable(),
      durationMs: z.int().nullable().default(null),
      sha256: z.string(),
    }),
    z.object({
      type: z.literal('address'),
      fileId: z.int().transform(id => id as FileId),
      url: z.string(),
      contentType: z.string().nullable(),
    }),
    z.object({ type: z.literal('text'), text: z.string() }),
  ]),
)
export type Produced = z.infer<typeof Produced>

export const StoredOperation = z.record(z.string(), z.json())
