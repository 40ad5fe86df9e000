import { Superseded } from '@/base/errors'
import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import { command, query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { recordOutput, type Taken } from '@/domain/files'
import { settle, voidHold } from '@/domain/ledger'
import { record } from '@/domain/usage'
import { countSuccess } from '@/domain/users'
import { announce } from '@/domain/webhooks'
import { noteDuration } from './durations'
import type { JobErrorCode } from './failure'
import { PURPOSE } from './submit'

export type Made = Taken | { text: string }
export type JobResult =
  | { status: 'succeeded'; outputs: Made[]; costMicroUsd: number }
  | { status: 'failed'; errorCode: JobErrorCode; costMicroUsd?: number }
  | { status: 'cancelled' }

type Ending = {
  realmId: RealmId
  userId: UserId
  modelId: ModelId
  numOutputs: number
  tokensCharged: number
  providerUsed: string | null
  webhookUrl: string | null
  createdAt: number
}

const ending = query<{ id: number }, Ending>(
  `SELECT realm_id AS realmId, user_id AS userId, model_id AS modelId, num_outputs AS numOutputs,
     tokens_charged AS tokensCharged, provider_used AS providerUsed, webhook_url AS webhookUrl,
     created_at AS createdAt
   FROM jobs WHERE id = $id AND status IN ('queued', 'running')`,
)
const close = returning<
  {
    id: number
    status: string
    refunded: number
    errorCode: string | null
    cost: number
    now: number
  },
  { id: number }
>(
  `UPDATE jobs SET status = $status, tokens_refunded = $refunded, error_code = $errorCode,
     cost_micro_usd = cost_micro_usd + $cost, completed_at = $now
   WHERE id = $id AND status IN ('queued', 'running') RETURNING id`,
)
const insertOutput = command<{
  jobId: number
  position: number
  fileId: number | null
  text: string | null
}>(
  'INSERT INTO job_outputs (job_id, position, file_id, text) VALUES ($jobId, $position, $fileId, $text)',
)

const EVENT = {
  succeeded: 'job.completed',
  failed: 'job.failed',
  cancelled: 'job.cancelled',
} as const

/**
 * The one end of a job: outputs, tokens, counts, event, in the caller's write. Who comes second finds the
 * job ended and is Superseded, with everything undone.
 */
export function end(tx: Tx, id: JobId, result: JobResult): void {
  const job = ending.get(tx, { id })
  if (!job) throw new Superseded('job has ended')
  const outputs = result.status === 'succeeded' ? result.outputs : []
  const refunded = resolveHold(tx, id, job, outputs.length)
  const cost = 'costMicroUsd' in result ? (result.costMicroUsd ?? 0) : 0
  close.get(tx, {
    id,
    status: result.status,
    refunded,
    errorCode: result.status === 'failed' ? result.errorCode : null,
    cost,
    now: tx.now,
  })
  for (const [position, output] of outputs.entries()) {
    if ('text' in output) {
      insertOutput.run(tx, { jobId: id, position, fileId: null, text: output.text })
    } else {
      recordOutput(tx, { realmId: job.realmId, userId: job.userId, jobId: id }, output)
      insertOutput.run(tx, { jobId: id, position, fileId: output.fileId, text: null })
    }
  }
  if (result.status === 'succeeded') countSuccess(tx, job.userId)
  record(tx, {
    realmId: job.realmId,
    userId: job.userId,
    modelId: job.modelId,
    provider: job.providerUsed ?? '',
    status: result.status,
    outputs: outputs.length,
    tokens: job.tokensCharged - refunded,
    costMicroUsd: cost,
    durationMs: tx.now - job.createdAt,
  })
  announce(tx, {
    realmId: job.realmId,
    jobId: id,
    type: EVENT[result.status],
    webhookUrl: job.webhookUrl,
  })
  tx.after(() => {
    if (result.status === 'succeeded') noteDuration(tx.db, job.modelId, tx.now - job.createdAt)
    tx.db.bus.publish('job.changed', { jobId: id })
  })
}

/** Pays for what was made; rounding is in the user's favour. Answers what went back. */
function resolveHold(tx: Tx, id: JobId, job: Ending, made: number): number {
  if (made === 0) return voidHold(tx, id, PURPOSE)
  const share = Math.floor((job.tokensCharged * Math.min(made, job.numOutputs)) / job.numOutputs)
  return settle(tx, id, PURPOSE, share)
}
