import { z } from 'zod'
import { MINUTE } from '@/base/clock'
import { mustChangeOne } from '@/base/errors'
import type { AttemptId, FileId, JobId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { AttemptState } from '@/db/schema'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { ProviderErrorKind } from '@/providers/errors'
import type { Operation } from '@/providers/spec'

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
  /** What the vendor said that it took; known from the moment its outputs are. */
  costMicroUsd: number | null
  deadlineAt: number
  startedAt: number
}

/** How long a vendor may take, by kind of job. */
const DEADLINES_MS: Record<string, number> = { video: 30 * MINUTE, text: 5 * MINUTE }
const USUAL_DEADLINE_MS = 10 * MINUTE

const COLUMNS = `id, job_id AS jobId, number, provider, provider_model AS providerModel, state, operation,
  outputs, first_file_id AS firstFileId, error_kind AS errorKind, cost_micro_usd AS costMicroUsd,
  deadline_at AS deadlineAt, started_at AS startedAt`

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
}>(
  `INSERT INTO attempts (id, job_id, number, provider, provider_model, reason, state, first_file_id,
     started_at, deadline_at)
   VALUES ($id, $jobId, $number, $provider, $providerModel, $reason, 'starting', $firstFileId, $now,
     $deadlineAt)`,
)
const wait = command<{ id: number; operation: string }>(
  `UPDATE attempts SET state = 'waiting', operation = $operation
   WHERE id = $id AND state IN ('starting', 'waiting', 'unknown')`,
)
const produce = command<{ id: number; outputs: string; cost: number }>(
  `UPDATE attempts SET state = 'produced', outputs = $outputs, cost_micro_usd = $cost
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
  now: number
}>(
  `UPDATE attempts SET state = $state, error_kind = $kind, error_message = $message,
     cost_micro_usd = coalesce($cost, cost_micro_usd), finished_at = $now
   WHERE id = $id AND state IN ('starting', 'waiting', 'produced', 'unknown')`,
)

export function attemptsOf(from: Db | Tx, jobId: JobId): Attempt[] {
  return ofJob.all(from, { jobId })
}

export function findAttempt(from: Db | Tx, id: AttemptId): Attempt | null {
  return byId.get(from, { id })
}

export function insertAttempt(
  tx: Tx,
  job: { id: JobId; kind: string; numOutputs: number },
  route: { provider: string; providerModel: string; reason: string },
  number: number,
): Attempt {
  const deadlineAt = tx.now + (DEADLINES_MS[job.kind] ?? USUAL_DEADLINE_MS)
  const attempt: Attempt = {
    id: tx.id<AttemptId>(),
    jobId: job.id,
    number,
    provider: route.provider,
    providerModel: route.providerModel,
    state: 'starting',
    operation: null,
    outputs: null,
    firstFileId: tx.idBlock<FileId>(job.numOutputs),
    errorKind: null,
    costMicroUsd: null,
    deadlineAt,
    startedAt: tx.now,
  }
  const { id, jobId, provider, providerModel, firstFileId } = attempt
  insert.run(tx, {
    id,
    jobId,
    number,
    provider,
    providerModel,
    reason: route.reason,
    firstFileId,
    now: tx.now,
    deadlineAt,
  })
  return attempt
}

/** The vendor works on it: its handle is on disk before anybody asks for it. */
export function markWaiting(tx: Tx, id: AttemptId, operation: Operation): void {
  mustChangeOne(wait.run(tx, { id, operation: JSON.stringify(operation) }), 'attempt has ended')
}

export function markProduced(tx: Tx, id: AttemptId, outputs: Produced, costMicroUsd: number): void {
  const changed = produce.run(tx, { id, outputs: JSON.stringify(outputs), cost: costMicroUsd })
  mustChangeOne(changed, 'attempt has ended')
}

/** It may have begun, and nobody can say. Never started again, nor elsewhere. */
export function markUnknown(tx: Tx, id: AttemptId, message: string): void {
  suspect.run(tx, { id, message })
}

export function endAttempt(
  tx: Tx,
  id: AttemptId,
  result: {
    state: Extract<AttemptState, 'succeeded' | 'refused' | 'failed' | 'unknown' | 'cancelled'>
    kind?: ProviderErrorKind | null
    message?: string
    costMicroUsd?: number
  },
): void {
  const { state, kind = null, message = null, costMicroUsd = null } = result
  const kept = message === null ? null : message.slice(0, MESSAGE_KEPT)
  finish.run(tx, { id, state, kind, message: kept, cost: costMicroUsd, now: tx.now })
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
