import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { DayRange } from './days'
import { inSteps } from './in-steps'
import { addUnder, SUMS, type Sums } from './sums'

/**
 * Each day is sought by itself, because the rows of a user lie together within a day: ten days of a page of a
 * hundred users are some thousand rows.
 */
const DAYS_A_STEP = 10
type TenDays = {
  d0: number
  d1: number
  d2: number
  d3: number
  d4: number
  d5: number
  d6: number
  d7: number
  d8: number
  d9: number
}

type RowOfUser = Sums & { day: number; modelId: number; provider: string }

const ofOne = query<TenDays & { realmId: number; userId: number }, RowOfUser>(
  `SELECT day, model_id AS modelId, provider, jobs, succeeded, failed, cancelled, outputs, tokens,
     cost_micro_usd AS costMicroUsd, duration_ms AS durationMs
   FROM usage_daily
   WHERE realm_id = $realmId AND day IN ($d0, $d1, $d2, $d3, $d4, $d5, $d6, $d7, $d8, $d9)
     AND user_id = $userId`,
)
const ofSeveral = query<
  TenDays & { realmId: number; lowest: number; highest: number },
  Sums & { userId: UserId }
>(
  `SELECT user_id AS userId, ${SUMS} FROM usage_daily
   WHERE realm_id = $realmId AND day IN ($d0, $d1, $d2, $d3, $d4, $d5, $d6, $d7, $d8, $d9)
     AND user_id BETWEEN $lowest AND $highest
   GROUP BY user_id`,
)

/** What one user did, by day, model and provider. */
export async function* rowsOfUser(
  db: Db,
  realmId: RealmId,
  userId: UserId,
  range: DayRange,
): AsyncGenerator<RowOfUser> {
  for await (const days of inSteps(range, DAYS_A_STEP)) {
    yield* ofOne.all(db, { realmId, userId, ...tenDays(days) })
  }
}

/** What each user between two ids, both included, did in all. The caller knows that they are few. */
export async function sumsOfUsers(
  db: Db,
  realmId: RealmId,
  ids: { lowest: UserId; highest: UserId },
  range: DayRange,
): Promise<Map<UserId, Sums>> {
  const sums = new Map<UserId, Sums>()
  for await (const days of inSteps(range, DAYS_A_STEP)) {
    for (const row of ofSeveral.all(db, { realmId, ...ids, ...tenDays(days) })) {
      addUnder(sums, row.userId, row)
    }
  }
  return sums
}

/** The places that are left over take a day that is there: what is asked for twice is read once. */
function tenDays(days: number[]): TenDays {
  const last = days.at(-1) ?? 0
  const [d0 = last, d1 = last, d2 = last, d3 = last, d4 = last] = days
  const [d5 = last, d6 = last, d7 = last, d8 = last, d9 = last] = days.slice(5)
  return { d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 }
}
