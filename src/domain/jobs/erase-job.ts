import type { JobId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const eraseInput = command<{ id: number }>('DELETE FROM job_inputs WHERE job_id = $id')
const eraseOutputs = command<{ id: number }>('DELETE FROM job_outputs WHERE job_id = $id')
const eraseRest = command<{ id: number }>(
  `UPDATE jobs SET metadata = '{}', webhook_url = NULL, idempotency_key = NULL, request_hash = NULL
   WHERE id = $id`,
)

/**
 * Erases what a person wrote and got: prompt, outputs, metadata, and the app's own words for the request,
 * which may name them. The bare row stays for the accounts.
 */
export function eraseJob(tx: Tx, id: JobId): void {
  eraseInput.run(tx, { id })
  eraseOutputs.run(tx, { id })
  eraseRest.run(tx, { id })
}
