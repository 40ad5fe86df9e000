import { HOUR } from '@/base/clock'
import { type FileId, formatId } from '@/base/ids'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { enqueue } from '@/queue/enqueue'
import { findFile } from './open-link'

/** Whoever may still be copying for a job that has ended is done by then. */
const AFTER_MS = HOUR

/** Orders that blobs which never got a row are removed: a cancelled job's outputs, an earlier try's. */
export function discardLater(tx: Tx, firstFileId: FileId, count: number): void {
  enqueue(tx, {
    kind: 'files.discard',
    pool: 'chores',
    runAt: tx.now + AFTER_MS,
    payload: { first_file_id: firstFileId, count },
  })
}

/** Removes the blobs of these ids that no row names. */
export async function discardBlobs(deps: Deps, firstFileId: FileId, count: number): Promise<void> {
  for (let offset = 0; offset < count; offset++) {
    const id = (firstFileId + offset) as FileId
    if (findFile(deps.db, id) === null) await deps.storage.delete(formatId('file', id))
  }
}
