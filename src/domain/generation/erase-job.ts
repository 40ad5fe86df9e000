import type { JobId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const erase = command<{ jobId: number }>(
  'UPDATE attempts SET operation = NULL, outputs = NULL, error_message = NULL WHERE job_id = $jobId',
)

const eraseCallbacks = command<{ jobId: number }>(
  `UPDATE inbox SET body = '' WHERE attempt_id IN (SELECT id FROM attempts WHERE job_id = $jobId)`,
)

/** A vendor's handle messages and callbacks may repeat the prompt: they go with the person. */
export function eraseJob(tx: Tx, jobId: JobId): void {
  erase.run(tx, { jobId })
  eraseCallbacks.run(tx, { jobId })
}
