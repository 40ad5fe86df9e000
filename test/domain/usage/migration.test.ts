import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openTestDb, temporaryFolder } from '@test/support/test-db'
import { migrate, shippedMigrations } from '@/db/migrate'

/** What a hub had counted before its roll-up was put in another order, and its totals were kept apart. */
test('the history of an older hub is carried over, and its totals are added up', () => {
  const db = openTestDb(join(temporaryFolder(), 'hub.db'))
  const all = shippedMigrations()
  migrate(db, all.slice(0, 2))
  const rows = [
    [1, 20260101, 7, 'fal', 100, 3, 2, 1, 0, 4, 20, 600, 90],
    [1, 20260101, 7, 'fal', 101, 1, 1, 0, 0, 1, 5, 200, 40],
    [1, 20260101, 7, '', 100, 1, 0, 0, 1, 0, 0, 0, 10],
    [1, 20260102, 7, 'fal', 100, 2, 2, 0, 0, 2, 10, 400, 80],
    [2, 20260101, 7, 'fal', 200, 5, 5, 0, 0, 5, 25, 1_000, 70],
  ]
  for (const row of rows) {
    db.sqlite.run(
      `INSERT INTO usage_daily (realm_id, day, model_id, provider, user_id, jobs, succeeded, failed, cancelled,
         outputs, tokens, cost_micro_usd, duration_ms) VALUES (${row.map(() => '?').join()})`,
      row,
    )
  }
  migrate(db, all)
  const kept = db.sqlite
    .query(
      `SELECT realm_id, day, model_id, provider, user_id, jobs, succeeded, failed, cancelled, outputs, tokens,
         cost_micro_usd, duration_ms FROM usage_daily ORDER BY realm_id, day, provider DESC, user_id`,
    )
    .values()
  expect<unknown>(kept).toEqual(rows)
  const totals = db.sqlite
    .query('SELECT * FROM usage_daily_total ORDER BY realm_id, day, provider')
    .values()
  expect(totals).toEqual([
    [1, 20260101, 7, '', 1, 0, 0, 1, 0, 0, 0, 10],
    [1, 20260101, 7, 'fal', 4, 3, 1, 0, 5, 25, 800, 130],
    [1, 20260102, 7, 'fal', 2, 2, 0, 0, 2, 10, 400, 80],
    [2, 20260101, 7, 'fal', 5, 5, 0, 0, 5, 25, 1_000, 70],
  ])
  db.close()
})
