import type { JobId, UserId } from '@/base/ids'
import { query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'

const page = query<{ userId: number; after: number; limit: number }, { id: JobId }>(
  'SELECT id FROM jobs WHERE user_id = $userId AND id > $after ORDER BY id LIMIT $limit',
)

/** So many in one write: a person may have had a million jobs. */
const AT_ONCE = 100

/** Does something to every job of a user, a bounded number in each write. May be repeated as a whole. */
export async function eachJobOf(
  deps: Deps,
  userId: UserId,
  change: (tx: Tx, jobId: JobId) => void,
): Promise<void> {
  for (let after = 0; ; ) {
    const jobs = page.all(deps.db, { userId, after, limit: AT_ONCE })
    const last = jobs.at(-1)
    if (!last) return
    await write(deps.db, tx => {
      for (const { id } of jobs) change(tx, id)
    })
    after = last.id
  }
}
