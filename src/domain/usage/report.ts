import { formatId, type ModelId, type RealmId, type UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import { listEveryModel } from '@/domain/catalog'
import { type DayRange, writeDay } from './days'
import { inSteps } from './in-steps'
import { rowsOfUser } from './of-users'
import { add, addUnder, nothing, SUMS, type Sums } from './sums'

/** A whole app in one mode, or one of its users. */
export type UsageScope = { realmId: RealmId; userId: UserId | null }
export type Grouping = 'day' | 'model' | 'provider'
/** `name`: the day (`2026-01-15`), the model, or the provider; null where no provider was asked. */
export type UsageGroup = Sums & { name: string | null }
export type UsageReport = { groups: UsageGroup[]; totals: Sums }

/** A day has one row for each model and provider that ended a job: some hundred in a large app. */
const DAYS_A_STEP = 20

type Range = { realmId: number; from: number; to: number }

const perDay = query<Range, Sums & { key: number }>(
  `SELECT day AS "key", ${SUMS} FROM usage_daily_total
   WHERE realm_id = $realmId AND day BETWEEN $from AND $to GROUP BY day`,
)
const perModel = query<Range, Sums & { key: number }>(
  `SELECT model_id AS "key", ${SUMS} FROM usage_daily_total
   WHERE realm_id = $realmId AND day BETWEEN $from AND $to GROUP BY model_id`,
)
const perProvider = query<Range, Sums & { key: string }>(
  `SELECT provider AS "key", ${SUMS} FROM usage_daily_total
   WHERE realm_id = $realmId AND day BETWEEN $from AND $to GROUP BY provider`,
)
const PER = { day: perDay, model: perModel, provider: perProvider }
const COLUMN = { day: 'day', model: 'modelId', provider: 'provider' } as const

/**
 * The jobs that ended in a range of days, added up by day (newest first), model or provider (the most
 * expensive first). What came to nothing is not in it: a day without a job has no group. Without a scope there is
 * nothing to see.
 */
export async function report(
  db: Db,
  scope: UsageScope | null,
  range: DayRange,
  grouping: Grouping,
): Promise<UsageReport> {
  if (!scope) return { groups: [], totals: nothing() }
  const sums = await (scope.userId === null
    ? sumsOfRealm(db, scope.realmId, range, grouping)
    : sumsOfUser(db, scope.realmId, scope.userId, range, grouping))
  const name = namesOf(db, grouping)
  const groups = [...sums].map(([key, summed]) => ({ name: name(key), ...summed }))
  groups.sort(grouping === 'day' ? newestFirst : dearestFirst)
  return { groups, totals: totalOf(groups) }
}

export function totalOf(groups: Iterable<Sums>): Sums {
  const totals = nothing()
  for (const group of groups) add(totals, group)
  return totals
}

async function sumsOfRealm(db: Db, realmId: RealmId, range: DayRange, grouping: Grouping) {
  const sums = new Map<number | string, Sums>()
  for await (const days of inSteps(range, DAYS_A_STEP)) {
    const [to = range.to] = days
    const from = days.at(-1) ?? to
    for (const row of PER[grouping].all(db, { realmId, from, to })) addUnder(sums, row.key, row)
  }
  return sums
}

async function sumsOfUser(
  db: Db,
  realmId: RealmId,
  userId: UserId,
  range: DayRange,
  grouping: Grouping,
) {
  const sums = new Map<number | string, Sums>()
  for await (const row of rowsOfUser(db, realmId, userId, range)) {
    addUnder(sums, row[COLUMN[grouping]], row)
  }
  return sums
}

function namesOf(db: Db, grouping: Grouping): (key: number | string) => string | null {
  if (grouping === 'day') return key => writeDay(Number(key))
  if (grouping === 'provider') return key => (key === '' ? null : String(key))
  const models = new Map<number | string, string>(
    listEveryModel(db).map(model => [model.id, model.name]),
  )
  return key => models.get(key) ?? formatId('model', Number(key) as ModelId)
}

function newestFirst(a: UsageGroup, b: UsageGroup): number {
  return compare(b.name, a.name)
}

function dearestFirst(a: UsageGroup, b: UsageGroup): number {
  return b.costMicroUsd - a.costMicroUsd || b.jobs - a.jobs || compare(a.name, b.name)
}

function compare(a: string | null, b: string | null): number {
  const [first, second] = [a ?? '', b ?? '']
  return first < second ? -1 : Number(first > second)
}
