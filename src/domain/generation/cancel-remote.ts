import type { JobId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { discardLater } from '@/domain/files'
import { type ActiveJob, bookLate } from '@/domain/jobs'
import { type Attempt, attemptsOf, StoredOperation } from './attempts'
import { conclude, spentOn, worstCost } from './conclude'
import { contextOf, providerOf } from './context'

type CancelledJob = Pick<ActiveJob, 'id' | 'numOutputs' | 'mode' | 'modelId'> & {
  /** Null once its user was erased. */
  input: string | null
}

const find = query<{ id: number }, CancelledJob>(
  `SELECT j.id, j.num_outputs AS numOutputs, j.model_id AS modelId, r.mode,
     (SELECT input FROM job_inputs WHERE job_id = j.id) AS input
   FROM jobs j JOIN realms r ON r.id = j.realm_id
   WHERE j.id = $id`,
)

/** The job was cancelled here; the vendor is told where it can be, once, and left-over blobs go. */
export async function cancelRemote(deps: Deps, jobId: JobId, signal: AbortSignal): Promise<void> {
  const job = find.get(deps.db, { id: jobId })
  const open = openAttempt(deps.db, jobId)
  if (!job) return
  if (open?.state === 'waiting' && open.operation) {
    const operation = StoredOperation.parse(JSON.parse(open.operation))
    const context = contextOf(deps, open, job, signal)
    await providerOf(deps, open).cancel?.(operation, context)
  }
  await write(deps.db, tx => closeCancelled(tx, jobId))
}

/** Nothing more comes of the attempt, whether the vendor could be told or not. */
export function closeCancelled(tx: Tx, jobId: JobId): void {
  const job = find.get(tx, { id: jobId })
  const open = openAttempt(tx, jobId)
  if (!job) return
  if (open) {
    // A vendor may charge for what it had begun, and nobody will hear how much.
    const costMicroUsd = open.costMicroUsd ?? worstCost(tx, open, job)
    conclude(tx, open, { state: 'cancelled', costMicroUsd }, { kind: 'unheard' })
    discardLater(tx, open.firstFileId, job.numOutputs)
  }
  bookLate(tx, job.id, spentOn(tx, job))
}

function openAttempt(from: Db | Tx, jobId: JobId): Attempt | undefined {
  return attemptsOf(from, jobId).find(attempt =>
    ['starting', 'waiting', 'produced', 'unknown'].includes(attempt.state),
  )
}
