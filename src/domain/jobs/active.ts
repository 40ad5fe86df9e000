import type { UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'

const count = query<{ userId: number; most: number }, { count: number }>(
  `SELECT count(*) AS count FROM (
     SELECT 1 FROM jobs WHERE user_id = $userId AND status IN ('queued', 'running') LIMIT $most
   )`,
)

/** How many jobs of the user are queued or running, counted no further than `most`. */
export function countActive(from: Db | Tx, userId: UserId, most: number): number {
  return count.get(from, { userId, most })?.count ?? 0
}
