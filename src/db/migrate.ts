import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256Hex } from '@/base/secrets'
import type { Db } from './open'
import triggersSql from './triggers.sql' with { type: 'text' }

export type Migration = { number: number; name: string; sql: string; sha256: string }
export type MigrationResult = { applied: string[]; copy: string | null }

/** The database and this executable do not belong together. The message is for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

const BREAKPOINT = '--> statement-breakpoint'

/**
 * Brings the database to this version: all or nothing, in one transaction. Needs the folder's lock.
 * Stops with a sentence when a file was edited, is missing, or the database is newer than we are.
 * `onStep` is called before each statement, for the test that kills the process there.
 */
export function migrate(
  db: Db,
  migrations: Migration[] = shippedMigrations(),
  onStep: (statement: number) => void = () => {},
): MigrationResult {
  const { sqlite } = db
  sqlite.run(
    `CREATE TABLE IF NOT EXISTS hub_migrations (
       number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
     ) STRICT`,
  )
  const pending = pendingMigrations(db, migrations)
  const triggers = statementsOf(triggersSql)
  if (pending.length === 0 && hasTriggers(db, triggers)) return { applied: [], copy: null }

  const copy = pending.length > 0 && !isEmpty(db) ? copyBefore(db) : null
  // No effect inside a transaction, and dropping a rebuilt table would empty its children by cascade.
  sqlite.run('PRAGMA foreign_keys = OFF')
  try {
    sqlite.run('BEGIN IMMEDIATE')
    let step = 0
    for (const migration of pending) {
      for (const statement of statementsOf(migration.sql)) {
        onStep(step++)
        sqlite.run(statement)
      }
      sqlite.run('INSERT INTO hub_migrations VALUES (?, ?, ?, ?)', [
        migration.number,
        migration.name,
        migration.sha256,
        db.clock.now(),
      ])
    }
    onStep(step++)
    remakeTriggers(db, triggers)
    sqlite.run(
      'INSERT OR IGNORE INTO hub (id, last_id, last_ms, created_at) VALUES (1, 0, ?1, ?1)',
      [db.clock.now()],
    )
    const broken = sqlite.query('PRAGMA foreign_key_check').all() as {
      table: string
      parent: string
    }[]
    if (broken[0]) {
      throw new MigrationError(
        `a migration would leave rows of ${broken[0].table} without their ${broken[0].parent}; nothing was changed`,
      )
    }
    onStep(step++)
    sqlite.run('COMMIT')
  } finally {
    if (sqlite.inTransaction) sqlite.run('ROLLBACK')
    sqlite.run('PRAGMA foreign_keys = ON')
  }
  return { applied: pending.map(migration => migration.name), copy }
}

/** Null when the database is what this version expects, else the sentence that says what is wrong. */
export function versionProblem(
  db: Db,
  migrations: Migration[] = shippedMigrations(),
): string | null {
  const exists = db.sqlite.query("SELECT 1 FROM sqlite_master WHERE name = 'hub_migrations'").get()
  if (!exists) return 'the database is empty; run `hub migrate` or start the server once'
  try {
    const pending = pendingMigrations(db, migrations)
    if (pending.length === 0) return null
    return `the database is older than this version; run \`hub migrate\` or restart the server`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The migrations of this version: beside the checkout's src, or embedded in the executable. */
export function shippedMigrations(): Migration[] {
  const folder = [
    join(import.meta.dir, 'migrations'),
    join(import.meta.dir, '../../migrations'),
  ].find(existsSync)
  if (!folder) throw new MigrationError('this executable was built without its migrations')
  return readMigrations(folder)
}

export function readMigrations(folder: string): Migration[] {
  return readdirSync(folder)
    .filter(file => /^\d{4}_.+\.sql$/.test(file))
    .sort()
    .map(file => {
      const sql = readFileSync(join(folder, file), 'utf8')
      return { number: Number(file.slice(0, 4)), name: file, sql, sha256: sha256Hex(sql) }
    })
}

function pendingMigrations(db: Db, migrations: Migration[]): Migration[] {
  const applied = db.sqlite
    .query('SELECT number, name, sha256 FROM hub_migrations ORDER BY number')
    .all() as {
    number: number
    name: string
    sha256: string
  }[]
  const known = new Map(migrations.map(migration => [migration.number, migration]))
  const newest = migrations.at(-1)?.number ?? 0
  for (const row of applied) {
    if (row.number > newest) {
      throw new MigrationError(
        `the database was made by a newer version (migration ${row.name}); start that version, or restore a copy made before it`,
      )
    }
    const shipped = known.get(row.number)
    if (!shipped)
      throw new MigrationError(`migration ${row.name} is in the database but missing here`)
    if (shipped.sha256 !== row.sha256) {
      throw new MigrationError(
        `migration ${row.name} was edited after it was applied; put its file back as it was and add a new one`,
      )
    }
  }
  const done = new Set(applied.map(row => row.number))
  return migrations.filter(migration => !done.has(migration.number))
}

function statementsOf(sql: string): string[] {
  return sql
    .split(BREAKPOINT)
    .map(statement => statement.trim())
    .filter(statement => statement !== '')
}

function triggersOf(db: Db): { name: string; sql: string }[] {
  return db.sqlite.query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string
    sql: string
  }[]
}

function hasTriggers(db: Db, wanted: string[]): boolean {
  const present = new Set(triggersOf(db).map(trigger => trigger.sql))
  return present.size === wanted.length && wanted.every(sql => present.has(asStored(sql)))
}

/** SQLite keeps a statement without the comments before it and without its last semicolon. */
function asStored(sql: string): string {
  return sql.slice(sql.indexOf('CREATE')).replace(/;$/, '')
}

function remakeTriggers(db: Db, triggers: string[]) {
  for (const { name } of triggersOf(db)) db.sqlite.run(`DROP TRIGGER "${name}"`)
  for (const trigger of triggers) db.sqlite.run(trigger)
}

function isEmpty(db: Db): boolean {
  return db.sqlite.query("SELECT 1 FROM sqlite_master WHERE name = 'hub'").get() === null
}

/** A way back, made before the first statement. An unfinished one of an earlier try is replaced. */
function copyBefore(db: Db): string {
  const stamp = new Date(db.clock.wall()).toISOString().replace(/[:.]/g, '-')
  const path = `${db.path}.before-${stamp}`
  db.sqlite.run('VACUUM INTO ?', [path])
  return path
}
