import type { Statement as SqliteStatement } from 'bun:sqlite'
import type { Db } from './open'
import { assertOpen, type Tx } from './write'

/**
 * Statements with a fixed text are prepared once per connection: 6 us for an insert against 74 when a query
 * builder makes it per call. Their text is SQL as SQLite sees it; a test prepares every one against a
 * migrated database, checks its parameters and refuses a plan that scans a table that grows.
 */
export type Value = string | number | bigint | null | Uint8Array
export type Params = Record<string, Value>
export type PreparedStatement = SqliteStatement<unknown, [Params]>

type Source = Tx | Db

/** Every statement of the process, for the test that prepares and explains them all. */
export const STATEMENTS: { sql: string; writes: boolean; mayScan: string | null }[] = []

export type Command<P extends Params> = {
  /** How many rows it changed. */
  run(tx: Tx, params: P): number
}
export type Returning<P extends Params, R> = {
  get(tx: Tx, params: P): R | null
  all(tx: Tx, params: P): R[]
}
export type Query<P extends Params, R> = {
  get(from: Source, params: P): R | null
  all(from: Source, params: P): R[]
}

/** An INSERT, UPDATE or DELETE. Parameters are written `$name`. */
export function command<P extends Params>(sql: string): Command<P> {
  const prepare = register(sql, true, null)
  return { run: (tx, params) => prepare(tx).run(params).changes }
}

/** A change with RETURNING. */
export function returning<P extends Params, R>(sql: string): Returning<P, R> {
  const prepare = register(sql, true, null)
  return {
    get: (tx, params) => prepare(tx).get(params) as R | null,
    all: (tx, params) => prepare(tx).all(params) as R[],
  }
}

/**
 * A SELECT. `mayScan` is the reason why this one may walk a whole table (a table that stays small, or a
 * read that happens once at the start); without it a scan fails the test.
 */
export function query<P extends Params, R>(
  sql: string,
  options: { mayScan?: string } = {},
): Query<P, R> {
  const prepare = register(sql, false, options.mayScan ?? null)
  return {
    get: (from, params) => prepare(from).get(params) as R | null,
    all: (from, params) => prepare(from).all(params) as R[],
  }
}

function register(sql: string, writes: boolean, mayScan: string | null) {
  const number = STATEMENTS.push({ sql, writes, mayScan }) - 1
  return (source: Source): PreparedStatement => {
    const db = 'db' in source ? assertOpen(source) : source
    const known = db.prepared[number]
    if (known) return known
    const made = db.sqlite.prepare<unknown, [Params]>(sql)
    db.prepared[number] = made
    return made
  }
}
