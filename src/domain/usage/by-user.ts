import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import { findById } from '@/domain/users'
import type { DayRange } from './days'
import { inSteps } from './in-steps'
import { rowsOfUser, sumsOfUsers } from './of-users'
import { totalOf, type UsageScope } from './report'
import type { Sums } from './sums'

/** `externalId` is null for a person who was erased. */
export type UsageOfUser = Sums & { id: UserId; externalId: string | null }

const DAYS_A_STEP = 20

const ofDay = query<
  { realmId: number; day: number; above: number; before: number; limit: number },
  { userId: UserId }
>(
  `SELECT DISTINCT user_id AS userId FROM usage_daily
   WHERE realm_id = $realmId AND day = $day AND user_id > $above AND user_id < $before
   ORDER BY user_id DESC LIMIT $limit`,
)

/** The users who ended a job in a range of days, the newest user first: those who are older than `before`. */
export async function reportByUser(
  db: Db,
  scope: UsageScope | null,
  range: DayRange,
  page: { before: number; limit: number },
): Promise<UsageOfUser[]> {
  if (!scope) return []
  const { realmId, userId } = scope
  if (userId !== null) return userId < page.before ? await onlyOne(db, realmId, userId, range) : []
  const ids = await newestOf(db, realmId, range, page)
  const [highest, lowest] = [ids[0], ids.at(-1)]
  if (highest === undefined || lowest === undefined) return []
  const sums = await sumsOfUsers(db, realmId, { lowest, highest }, range)
  return ids.flatMap(id => {
    const found = sums.get(id)
    return found ? [{ id, externalId: externalIdOf(db, realmId, id), ...found }] : []
  })
}

async function onlyOne(db: Db, realmId: RealmId, id: UserId, range: DayRange) {
  const rows = await Array.fromAsync(rowsOfUser(db, realmId, id, range))
  return rows.length === 0
    ? []
    : [{ id, externalId: externalIdOf(db, realmId, id), ...totalOf(rows) }]
}

/**
 * Of each day the newest users, as many as a page has. Whoever is among the newest of all days is among those
 * of each of his days, so nobody is missed, and what is read does not grow with the number of users.
 */
async function newestOf(
  db: Db,
  realmId: RealmId,
  range: DayRange,
  { before, limit }: { before: number; limit: number },
): Promise<UserId[]> {
  let newest: UserId[] = []
  for await (const days of inSteps(range, DAYS_A_STEP)) {
    for (const day of days) {
      // With a full page, only who is newer than its last may still come in.
      const above = newest.length < limit ? 0 : (newest.at(-1) ?? 0)
      const found = ofDay.all(db, { realmId, day, above, before, limit })
      const both = new Set([...newest, ...found.map(row => row.userId)])
      newest = [...both].sort((a, b) => b - a).slice(0, limit)
    }
  }
  return newest
}

function externalIdOf(db: Db, realmId: RealmId, id: UserId): string | null {
  return findById(db, realmId, id)?.externalId ?? null
}
