import { Database } from 'bun:sqlite'
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite'
import { type Bus, createBus } from '@/base/bus'
import type { Clock } from '@/base/clock'
import { createIdSource, type IdSource } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Log } from '@/base/log'
import type { PreparedStatement } from './statements'
import { createWriter, type Writer } from './write'

/** The one connection of a process. Reads go through it too: between two groups it sees what is committed. */
export type Db = {
  readonly sqlite: Database
  /** For queries whose shape depends on what was asked (lists, reports). Never on a hot path. */
  readonly orm: BunSQLiteDatabase
  readonly clock: Clock
  readonly ids: IdSource
  readonly writer: Writer
  readonly bus: Bus
  /** Prepared statements of this connection by their number; see statements.ts. */
  readonly prepared: PreparedStatement[]
  readonly path: string
  close(): void
}

export type OpenOptions = {
  path: string
  clock: Clock
  log: Log
  /**
   * 0 for the server: bun:sqlite is synchronous, so waiting for a lock would freeze every request; the
   * writer waits by timer instead. A shell command has nobody to freeze and waits 5 s.
   */
  busyTimeoutMs: number
  /** After a write whose outcome nobody can know (a failed fsync): end the process. */
  onFatal: (error: unknown) => void
}

/** 16 MB of WAL before SQLite checkpoints by itself: commit p99 of 1.2 ms against 10 at the default. */
const AUTOCHECKPOINT_PAGES = 4_000 * 4
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024
const CACHE_KIB = 64 * 1024

export function openDb(options: OpenOptions): Db {
  const sqlite = new Database(options.path, { create: true, strict: true })
  // First of all: even switching to WAL can meet a lock.
  sqlite.run(`PRAGMA busy_timeout = ${options.busyTimeoutMs}`)
  sqlite.run('PRAGMA journal_mode = WAL')
  // FULL: an acknowledged write survives a power cut. Grouped commits make it nearly free.
  sqlite.run('PRAGMA synchronous = FULL')
  sqlite.run('PRAGMA foreign_keys = ON')
  sqlite.run('PRAGMA trusted_schema = OFF')
  // Without it REPLACE would delete ledger rows past their trigger.
  sqlite.run('PRAGMA recursive_triggers = ON')
  sqlite.run(`PRAGMA wal_autocheckpoint = ${AUTOCHECKPOINT_PAGES}`)
  sqlite.run(`PRAGMA journal_size_limit = ${JOURNAL_SIZE_LIMIT}`)
  sqlite.run(`PRAGMA cache_size = -${CACHE_KIB}`)
  // A page that another process truncates under a memory map kills us by SIGBUS.
  sqlite.run('PRAGMA mmap_size = 0')
  const level = sqlite.query('PRAGMA synchronous').get() as { synchronous: number }
  invariant(level.synchronous === 2, 'the database runs with synchronous=FULL')

  const ids = createIdSource()
  const db: Db = {
    sqlite,
    orm: drizzle(sqlite),
    clock: options.clock,
    ids,
    writer: createWriter(() => db, options),
    bus: createBus(),
    prepared: [],
    path: options.path,
    close() {
      db.writer.close()
      sqlite.close(false)
    },
  }
  return db
}
