import type { JobId } from '@/base/ids'
import { query } from '@/db/statements'
import { write } from '@/db/write'
import type { Deps, Mode } from '@/deps'
import { discardLater } from '../files'
import { attemptsOf, endAttempt, StoredOperation } from './attempts'
import { contextOf, providerOf } from './context'

const find = query<{ id: number }, { numOutputs: number; mode: Mode }>(
  `SELECT j.num_outputs AS numOutputs, r.mode FROM jobs j JOIN realms r ON r.id = j.realm_id
   WHERE j.id = $id`,
)

/** The job was cancelled here; the vendor is told where it can be, once, and left-over blobs go. */
export async function cancelRemote(deps: Deps, jobId: JobId, signal: AbortSignal): Promise<void> {
  const job = find.get(deps.db, { id: jobId })
  const open = attemptsOf(deps.db, jobId).find(attempt =>
    ['starting', 'waiting', 'produced', 'unknown'].includes(attempt.state),
  )
  if (!job || !open) return
  if (open.state === 'waiting' && open.operation) {
    const operation = StoredOperation.parse(JSON.parse(open.operation))
    const context = contextOf(deps, open, job, signal)
    await providerOf(deps, open).cancel?.(operation, context)
  }
  await write(deps.db, tx => {
    endAttempt(tx, open.id, { state: 'cancelled' })
    discardLater(tx, open.firstFileId, job.numOutputs)
  })
}
