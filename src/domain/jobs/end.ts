import { Superseded } from '@/base/errors'
import type { JobId, ModelId, RealmId, UserId } from '@/base/ids'
import { command, query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import { recordOutput, type Taken } from '@/domain/files'
import { settle, voidHold } from '@/domain/ledger'
import { give, readTaken, writeTaken } from '@/domain/limits'
import { finalPrice, type Quote } from '@/domain/pricing'
import { record } from '@/domain/usage'
import { countSuccess } from '@/domain/users'
import { announce } from '@/domain/webhooks'
import type { ProviderUsage } from '@/providers/spec'
import { noteDuration } from './durations'
import type { JobErrorCode } from './failure'
import { PURPOSE } from './submit'

export type Made = Taken | { text: string }
export type JobResult =
  | {
      status: 'succeeded'
      outputs: Made[]
      costMicroUsd: number
      usage?: ProviderUsage | undefined
    }
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
  quote: string
  taken: string | null
  createdAt: number
}

const ending = query<{ id: number }, Ending>(
  `SELECT realm_id AS realmId, user_id AS userId, model_id AS modelId, num_outputs AS numOutputs,
     tokens_charged AS tokensCharged, provider_used AS providerUsed, webhook_url AS webhookUrl,
     quote, taken, created_at AS createdAt
   FROM jobs WHERE id = $id AND status IN ('queued', 'running')`,
)
const close = returning<
  {
    id: number
    status: string
    refunded: number
    errorCode: string | null
    cost: number
    taken: string | null
    now: number
  },
  { id: number }
>(
  `UPDATE jobs SET status = $status, tokens_refunded = $refunded, error_code = $errorCode,
     cost_micro_usd = cost_micro_usd + $cost, taken = $taken, completed_at = $now
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
  const refunded = resolveHold(tx, id, job, result)
  const cost = 'costMicroUsd' in result ? (result.costMicroUsd ?? 0) : 0
  const taken = give(tx, job, readTaken(job.taken), {
    outcome: result.status,
    tokensKept: job.tokensCharged - refunded,
    costMicroUsd: cost,
  })
  close.get(tx, {
    id,
    status: result.status,
    refunded,
    errorCode: result.status === 'failed' ? result.errorCode : null,
    cost,
    taken: writeTaken(taken),
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

/** Pays for what was made, as it was quoted. Answers what went back. */
function resolveHold(tx: Tx, id: JobId, job: Ending, result: JobResult): number {
  if (result.status !== 'succeeded' || result.outputs.length === 0) return voidHold(tx, id, PURPOSE)
  const { outputs, usage } = result
  // Written by submit, and by nobody else.
  const quote = JSON.parse(job.quote) as Quote
  const { numOutputs } = job
  const tokens = finalPrice(quote, { outputs: outputs.length, numOutputs, usage, made: outputs })
  return settle(tx, id, PURPOSE, tokens)
}
