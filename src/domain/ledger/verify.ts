import type { Db } from '@/db/open'
import { BUCKET_CHECKS } from './verify-buckets'
import { ENTRY_CHECKS } from './verify-entries'

/** One thing that does not add up, in words. */
export type Difference = { userId: number; what: string; expected: number; found: number }

/**
 * A question to the whole ledger: each row of its answer is a difference. They walk every row there is, so
 * they belong to the shell, to a thread and to tests, never to a request.
 */
export type Check = string

/** Re-adds the whole ledger and names what differs. */
export function verify(db: Db): Difference[] {
  // One picture of the file: beside a running server each question would see another moment.
  const isOurs = !db.sqlite.inTransaction
  if (isOurs) db.sqlite.run('BEGIN')
  try {
    return [...ENTRY_CHECKS, ...BUCKET_CHECKS].flatMap(
      check => db.sqlite.query(check).all() as Difference[],
    )
  } finally {
    if (isOurs) db.sqlite.run('COMMIT')
  }
}
