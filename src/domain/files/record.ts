import type { JobId, RealmId, UserId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Taken } from './take'

const insert = command<{
  id: number
  realmId: number
  userId: number
  jobId: number
  contentType: string
  bytes: number
  width: number | null
  height: number | null
  durationMs: number | null
  sha256: string
  now: number
}>(
  `INSERT INTO files (id, realm_id, user_id, job_id, purpose, content_type, bytes, width, height,
     duration_ms, sha256, created_at)
   VALUES ($id, $realmId, $userId, $jobId, 'output', $contentType, $bytes, $width, $height,
     $durationMs, $sha256, $now)`,
)

/** The row of a blob that is already stored: blob before row, so no row ever lacks its bytes. */
export function recordOutput(
  tx: Tx,
  owner: { realmId: RealmId; userId: UserId; jobId: JobId },
  file: Taken,
): void {
  const { fileId, contentType, bytes, width, height, durationMs = null, sha256 } = file
  insert.run(tx, {
    id: fileId,
    ...owner,
    contentType,
    bytes,
    width,
    height,
    durationMs,
    sha256,
    now: tx.now,
  })
}
