import type { Tx } from '@/db/write'
import { discardLater } from '@/domain/files'
import type { Plan } from './prepare'

/**
 * The attempt ends with fewer files than it has ids for. A run of it that was cut off may have stored
 * blobs for the others, which nobody would ever name.
 */
export function discardLeftovers(tx: Tx, { attempt, job, isFresh }: Plan): void {
  if (!isFresh) discardLater(tx, attempt.firstFileId, job.numOutputs)
}
