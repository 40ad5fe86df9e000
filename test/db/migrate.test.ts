import { describe, expect, test } from 'bun:test'
import { copyFileSync, cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openTestDb, temporaryFolder, testDb } from '@test/support/test-db'
import { migrate, readMigrations, shippedMigrations } from '@/db/migrate'
import type { Db } from '@/db/open'
import { write } from '@/db/write'

const SHIPPED = join(import.meta.dir, '../../migrations')

/** The shipped migrations and one more, in a folder of their own. */
function folderWith(extra: Record<string, string>): string {
  const folder = temporaryFolder()
  cpSync(SHIPPED, folder, { recursive: true })
  for (const [name, sql] of Object.entries(extra)) writeFileSync(join(folder, name), sql)
  return folder
}

const NEXT = `${String(shippedMigrations().length + 1).padStart(4, '0')}_next.sql`
/** As SQLite's own page says: the table as it is now under another name, the rows, drop, rename. */
const REBUILD_USERS = ['apps', 'token_entries']
  .flatMap(rebuilt)
  .join('\n--> statement-breakpoint\n')

function rebuilt(table: string): string[] {
  const row = testDb().sqlite.query('SELECT sql FROM sqlite_master WHERE name = ?').get(table)
  const { sql } = row as { sql: string }
  return [
    sql.replace(`CREATE TABLE ${table}`, `CREATE TABLE new_${table}`),
    `INSERT INTO new_${table} SELECT * FROM ${table}`,
    `DROP TABLE ${table}`,
    `ALTER TABLE new_${table} RENAME TO ${table}`,
  ]
}

function withRows(db: Db) {
  db.sqlite.run(
    `INSERT INTO apps (id, name, slug, key_prefix, welcome_grant, rate_limit_per_user, rate_limit_per_app,
       is_enabled, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 0, 30, 1000, 1, 0, 0)`,
  )
  db.sqlite.run(
    "INSERT INTO realms (id, app_id, mode, webhook_secret_sealed) VALUES (2, 1, 'live', 'sealed')",
  )
  db.sqlite.run(
    "INSERT INTO users (id, realm_id, external_id, balance, created_at, updated_at) VALUES (3, 2, 'u', 5, 0, 0)",
  )
  db.sqlite.run(
    "INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, description, created_at) VALUES (3, 4, 2, 5, 5, 'GRANT', '', 0)",
  )
}

const count = (db: Db, table: string) =>
  (db.sqlite.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n
const triggers = (db: Db) =>
  db.sqlite.query("SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name").all()

describe('a migration', () => {
  test('that rebuilds a table keeps its children and its triggers, and leaves a copy', () => {
    const db = testDb()
    withRows(db)
    const before = triggers(db)
    const result = migrate(db, readMigrations(folderWith({ [NEXT]: REBUILD_USERS })))
    expect(result.applied).toEqual([NEXT])
    expect(count(db, 'realms')).toBe(1)
    expect(count(db, 'users')).toBe(1)
    expect(count(db, 'token_entries')).toBe(1)
    expect(triggers(db)).toEqual(before)
    expect(before.length).toBeGreaterThan(3)
    expect(() => db.sqlite.run('DELETE FROM token_entries')).toThrow('never deleted')
    expect(db.sqlite.query('PRAGMA foreign_keys').get()).toEqual({ foreign_keys: 1 })

    const copy = openTestDb(result.copy ?? '')
    expect(count(copy, 'users')).toBe(1)
  })

  test('that would orphan rows changes nothing', () => {
    const db = testDb()
    withRows(db)
    const bad = readMigrations(folderWith({ [NEXT]: 'DELETE FROM apps' }))
    expect(() => migrate(db, bad)).toThrow('without their apps')
    expect(count(db, 'apps')).toBe(1)
  })

  test('that was edited, is missing, or is newer stops with a sentence', () => {
    const db = testDb()
    const edited = readMigrations(folderWith({ '0001_spine.sql': 'CREATE TABLE other (x)' }))
    expect(() => migrate(db, edited)).toThrow('0001_spine.sql was edited')

    const folder = folderWith({
      [NEXT]: 'CREATE TABLE one (x) STRICT'.replace('(x)', '(x INTEGER)'),
    })
    migrate(db, readMigrations(folder))
    expect(() => migrate(db, shippedMigrations())).toThrow('newer version')

    rmSync(join(folder, '0001_spine.sql'))
    expect(() => migrate(db, readMigrations(folder))).toThrow(
      '0001_spine.sql is in the database but missing',
    )
  })

  test('lost triggers are made anew at the next start', () => {
    const db = testDb()
    const before = triggers(db)
    db.sqlite.run('DROP TRIGGER ended_jobs_stay_ended')
    migrate(db)
    expect(triggers(db)).toEqual(before)
  })

  test('a second run does nothing', () => {
    const db = testDb()
    expect(migrate(db)).toEqual({ applied: [], copy: null })
  })
})

test('kill -9 before any statement converges on the next start', async () => {
  const folder = folderWith({ [NEXT]: REBUILD_USERS })
  const origin = testDb()
  withRows(origin)
  origin.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  origin.close()
  const steps = REBUILD_USERS.split('--> statement-breakpoint').length + 2
  for (let step = 0; step < steps; step++) {
    const path = join(temporaryFolder(), 'hub.db')
    copyFileSync(origin.path, path)
    const child = Bun.spawn(
      ['bun', join(import.meta.dir, '../support/migrate-and-die.ts'), path, folder, String(step)],
      { stdout: 'pipe', stderr: 'pipe' },
    )
    await child.exited
    expect({ step, signal: child.signalCode }).toEqual({ step, signal: 'SIGKILL' })

    const db = openTestDb(path)
    expect(migrate(db, readMigrations(folder)).applied).toEqual([NEXT])
    expect(db.sqlite.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    expect(count(db, 'users')).toBe(1)
    expect(await write(db, tx => tx.isOpen)).toBe(true)
    db.close()
  }
}, 60_000)

test('an empty database is migrated to what this version ships, without a copy', () => {
  const db = openTestDb(join(temporaryFolder(), 'hub.db'))
  const result = migrate(db)
  expect(result.applied).toEqual(shippedMigrations().map(migration => migration.name))
  expect(result.copy).toBeNull()
})
