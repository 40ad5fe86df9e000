import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { testDb } from '@test/support/test-db'
import { dayOf } from '@/base/clock'
import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { type DayRange, daysBefore, type Grouping, report, reportByUser } from '@/domain/usage'
import { daysIn } from '@/domain/usage/days'

/**
 * A large app: 200,000 rows of what 500 people did day by day, with twenty models of five providers, in the 400
 * days that a report may span. How long its reports take is measured, beside an app as large.
 */
const ROWS = 200_000
const DAYS = 400
const PEOPLE = 500
const MODELS = 20
const PROVIDERS = 5
const ONE = 1 as RealmId
const OTHER = 2 as RealmId
const FIRST_USER = 1_000
/** Of a machine that does other things at the same time. */
const TRIES = 5
const MAX_MS = 50

let db: Db
const to = dayOf(Date.UTC(2026, 0, 31))
const year: DayRange = { from: daysBefore(to, DAYS - 1), to }
const month: DayRange = { from: daysBefore(to, 29), to }

beforeAll(() => {
  db = testDb()
  db.sqlite.run('CREATE TEMP TABLE days (n INTEGER PRIMARY KEY, day INTEGER NOT NULL)')
  for (const [n, day] of daysIn(year).entries()) {
    db.sqlite.run('INSERT INTO days VALUES (?, ?)', [n, day])
  }
  for (const realm of [ONE, OTHER]) {
    // Everybody once a day, with models and providers as by a die: the days have nearly all of their pairs.
    db.sqlite.run(
      `WITH RECURSIVE rows (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM rows WHERE n < ${ROWS - 1})
       INSERT INTO usage_daily
       SELECT ?, (SELECT day FROM days WHERE days.n = rows.n % ${DAYS}),
         ${FIRST_USER} + rows.n / ${DAYS}, 1 + (rows.n * 2654435761 >> 7) % ${MODELS},
         'provider-' || ((rows.n * 2654435761 >> 13) % ${PROVIDERS}), 3, 2, 1, 0, 4, 50, 60000, 9000
       FROM rows`,
      [realm],
    )
    db.sqlite.run(
      `INSERT INTO usage_daily_total
       SELECT realm_id, day, model_id, provider, sum(jobs), sum(succeeded), sum(failed), sum(cancelled),
         sum(outputs), sum(tokens), sum(cost_micro_usd), sum(duration_ms)
       FROM usage_daily WHERE realm_id = ? GROUP BY 1, 2, 3, 4`,
      [realm],
    )
  }
})
afterAll(() => db.close())

const whole = { realmId: ONE, userId: null }
const someone = { realmId: ONE, userId: (FIRST_USER + 250) as UserId }
const newest = Number.MAX_SAFE_INTEGER

const REPORTS: Record<string, () => Promise<unknown>> = {
  ...Object.fromEntries(
    (['day', 'model', 'provider'] as Grouping[]).flatMap(grouping => [
      [`400 days by ${grouping}`, () => report(db, whole, year, grouping)],
      [`400 days of a user by ${grouping}`, () => report(db, someone, year, grouping)],
    ]),
  ),
  '30 days by day': () => report(db, whole, month, 'day'),
  '30 days by user, 20 of them': () =>
    reportByUser(db, whole, month, { before: newest, limit: 21 }),
  '400 days by user, 20 of them': () =>
    reportByUser(db, whole, year, { before: newest, limit: 21 }),
  '400 days by user, 100 of them': () =>
    reportByUser(db, whole, year, { before: newest, limit: 101 }),
  '400 days by user, the last page': () =>
    reportByUser(db, whole, year, { before: FIRST_USER + 101, limit: 101 }),
}

test('the app is as large as it is said to be', async () => {
  const count = db.sqlite.query('SELECT count(*) AS n FROM usage_daily WHERE realm_id = 1').get()
  expect(count).toEqual({ n: ROWS })
  const pairs = db.sqlite.query('SELECT count(*) AS n FROM usage_daily_total').get() as {
    n: number
  }
  expect(pairs.n).toBeGreaterThan(0.9 * 2 * DAYS * MODELS * PROVIDERS)
  const { groups, totals } = await report(db, whole, year, 'day')
  expect(groups.map(({ jobs }) => jobs)).toEqual(Array(DAYS).fill((3 * ROWS) / DAYS))
  expect(totals.jobs).toBe(3 * ROWS)
  expect((await report(db, whole, year, 'model')).groups).toHaveLength(MODELS)
  expect((await report(db, whole, year, 'provider')).groups).toHaveLength(PROVIDERS)
  const users = await reportByUser(db, whole, year, { before: newest, limit: PEOPLE + 1 })
  expect(users).toHaveLength(PEOPLE)
})

describe(`each report takes less than ${MAX_MS} ms:`, () => {
  test.each(Object.keys(REPORTS))('%s', async name => {
    const times: number[] = []
    for (let i = 0; i < TRIES; i++) {
      const startedAt = performance.now()
      await REPORTS[name]?.()
      times.push(performance.now() - startedAt)
    }
    const best = Math.min(...times)
    console.log(`usage of ${ROWS} rows: ${name}: ${best.toFixed(1)} ms`)
    expect(best).toBeLessThan(MAX_MS)
  })
})
