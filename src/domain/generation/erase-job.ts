import type { JobId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const erase = command<{ jobId: number }>(
  'UPDATE attempts SET operation = NULL, outputs = NULL, error_message = NULL WHERE job_id = $jobId',
)

/** A vendor's handle and messages may repeat the prompt: they go with the person. */
export function eraseJob(tx: Tx, jobId: JobId): void {
  erase.run(tx, { jobId })
}
