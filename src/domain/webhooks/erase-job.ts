import type { JobId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const erase = command<{ jobId: number; now: number }>(
  `UPDATE webhook_deliveries SET body = '{}', last_answer = NULL,
     url = CASE WHEN endpoint_id IS NULL THEN '' ELSE url END,
     state = CASE state WHEN 'pending' THEN 'dead' ELSE state END,
     finished_at = coalesce(finished_at, $now)
   WHERE job_id = $jobId`,
)

/** Bodies name the person and link to their pictures; a job's own address may name them too. What was not delivered yet never will be. */
export function eraseJob(tx: Tx, jobId: JobId): void {
  erase.run(tx, { jobId, now: tx.now })
}
