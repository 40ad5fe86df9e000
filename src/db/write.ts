import { randomBytes } from 'node:crypto'
import { AppError, Superseded } from '@/base/errors'
import { InvariantError, invariant } from '@/base/invariant'
import type { Log } from '@/base/log'
import type { Db } from './open'

/**
 * The only door to a transaction. Callbacks of one turn of the loop share one BEGIN IMMEDIATE and one
 * fsync, each in a savepoint of its own, and nobody hears anything before COMMIT succeeded.
 *
 * A callback may run twice (when a neighbour killed the group), so it touches `tx` and its own locals and
 * nothing else; ids, time and randomness come from `tx`. It is synchronous: bun:sqlite would commit at
 * the first `await`.
 */
declare const txBrand: unique symbol
export type Tx = {
  readonly [txBrand]: true
  readonly db: Db
  readonly isOpen: boolean
  /** Never earlier than what any process ever stored in this database. */
  readonly now: number
  id<Branded extends number = number>(): Branded
  /** Ids that follow each other: the first of `count`. */
  idBlock<Branded extends number = number>(count: number): Branded
  random(): number
  randomBytes(count: number): Uint8Array
  /** Runs after COMMIT succeeded, never awaited: a hint. What must happen is a task row. */
  after(hint: () => void): void
}

type NotPromise<T> = T extends PromiseLike<unknown> ? never : T

export function write<T>(db: Db, change: (tx: Tx) => NotPromise<T>): Promise<T> {
  return db.writer.enqueue(change as (tx: Tx) => T)
}

export function assertOpen(tx: Tx): Db {
  invariant(tx.isOpen, 'tx is closed')
  return tx.db
}

export type Writer = {
  enqueue<T>(change: (tx: Tx) => T): Promise<T>
  /** Resolves when every change that was waiting has been answered. */
  drained(): Promise<void>
  /** From now on every change is refused: the file is about to be closed. */
  close(): void
  /** Groups and changes committed so far, and whether the last write met a full disk. */
  stats(): { groups: number; changes: number; waiting: number; isDiskFull: boolean }
}

/** Enough to share an fsync among all that arrive in one turn; more would only lengthen the turn. */
const GROUP_MAX = 64
/** A turn of the loop longer than this is felt by every reader. */
const GROUP_MS = 8
/** At 64 a group this is a second of work; whoever comes later is told to come back. */
const WAITING_MAX = 4_000
const BUSY_DELAYS_MS = [2, 5, 10, 20]
const BUSY_GIVE_UP_MS = 5_000

type Waiting = {
  change: (tx: Tx) => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}
type Outcome = { ok: true; value: unknown; hints: (() => void)[] } | { ok: false; error: unknown }

/** One change ended the transaction of all its neighbours. */
class GroupDied extends Error {}

export function createWriter(
  getDb: () => Db,
  options: { log: Log; onFatal: (error: unknown) => void },
): Writer {
  const waiting: Waiting[] = []
  let isArmed = false
  let busySince: number | null = null
  let busyTries = 0
  let isDiskFull = false
  let isClosed = false
  let groups = 0
  let changes = 0
  let idle: (() => void)[] = []
  let sql: TransactionSql | null = null

  const arm = () => {
    if (isArmed) return
    isArmed = true
    // One flush a turn: a microtask would flush each change alone (groups of 1 against 47, measured).
    setImmediate(flush)
  }

  const flush = () => {
    if (isClosed) return rejectFirst(waiting.length, closedError())
    const db = getDb()
    sql ??= prepareTransactionSql(db)
    isArmed = false
    const group = waiting.slice(0, GROUP_MAX)
    if (group.length > 0 && begin(db, sql, group)) runGroup(db, sql, group)
    if (waiting.length > 0 && !isArmed) arm()
    if (waiting.length === 0) {
      const callers = idle
      idle = []
      for (const done of callers) done()
    }
  }

  /** False when another process holds the lock: the group stays in line and a timer tries again. */
  const begin = (db: Db, sql: TransactionSql, group: Waiting[]): boolean => {
    try {
      sql.begin.run()
    } catch (error) {
      if (!isBusy(error)) {
        rejectFirst(group.length, toPublic(error))
        return false
      }
      busySince ??= performance.now()
      if (performance.now() - busySince >= BUSY_GIVE_UP_MS) {
        busySince = null
        busyTries = 0
        rejectFirst(group.length, busyError('another process holds the write lock', error))
        return false
      }
      isArmed = true
      setTimeout(flush, BUSY_DELAYS_MS[Math.min(busyTries++, BUSY_DELAYS_MS.length - 1)])
      return false
    }
    busySince = null
    busyTries = 0
    return catchUp(db, sql, group)
  }

  /** Another process may have written since: our next id and time lie above all of its. */
  const catchUp = (db: Db, sql: TransactionSql, group: Waiting[]): boolean => {
    try {
      const hub = sql.readHub.get() as { last_id: number; last_ms: number } | null
      invariant(hub, 'the hub row exists')
      db.ids.notBefore(hub.last_id)
      db.clock.notBefore(hub.last_ms)
      return true
    } catch (error) {
      undo(db, sql)
      rejectFirst(group.length, toPublic(error))
      return false
    }
  }

  const runGroup = (db: Db, sql: TransactionSql, group: Waiting[]) => {
    const outcomes: Outcome[] = []
    const startedAt = performance.now()
    let begun = 0
    let isCommitting = false
    try {
      for (const entry of group) {
        if (begun > 0 && performance.now() - startedAt > GROUP_MS) break
        begun++
        outcomes.push(runInSavepoint(db, sql, entry))
      }
      recordHub(db, sql)
      isCommitting = true
      sql.commit.run()
    } catch (error) {
      undo(db, sql)
      const dead = waiting.splice(0, begun)
      if (isCommitting && isIoError(error)) return fatal(dead, error)
      // The culprit is among these: each runs once more by itself, so that it fails alone.
      for (const entry of dead) runAlone(db, sql, entry)
      return
    }
    groups++
    changes += begun
    isDiskFull = false
    answer(waiting.splice(0, begun), outcomes)
  }

  const runInSavepoint = (db: Db, sql: TransactionSql, entry: Waiting): Outcome => {
    const { tx, hints, revoke } = openTx(db)
    sql.savepoint.run()
    try {
      const value = refusePromise(entry.change(tx))
      if (!db.sqlite.inTransaction) throw new GroupDied('a change ended the transaction')
      sql.release.run()
      return { ok: true, value, hints }
    } catch (error) {
      // FULL, IOERR, NOMEM and RAISE(ROLLBACK) end the whole transaction; the next savepoint would
      // silently open one of its own and commit alone.
      if (!db.sqlite.inTransaction)
        throw new GroupDied('a change ended the transaction', { cause: error })
      sql.rollbackTo.run()
      sql.release.run()
      return { ok: false, error: toPublic(error) }
    } finally {
      revoke()
    }
  }

  const runAlone = (db: Db, sql: TransactionSql, entry: Waiting) => {
    const { tx, hints, revoke } = openTx(db)
    let isCommitting = false
    try {
      sql.begin.run()
      const value = refusePromise(entry.change(tx))
      invariant(db.sqlite.inTransaction, 'the change left its transaction open')
      recordHub(db, sql)
      isCommitting = true
      sql.commit.run()
      groups++
      changes++
      isDiskFull = false
      answer([entry], [{ ok: true, value, hints }])
    } catch (error) {
      undo(db, sql)
      if (isCommitting && isIoError(error)) return fatal([entry], error)
      if (isFull(error)) isDiskFull = true
      answer([entry], [{ ok: false, error: toPublic(error) }])
    } finally {
      revoke()
    }
  }

  /** A failed fsync leaves nobody knowing what is on the disk. The next start recovers and knows. */
  const fatal = (entries: Waiting[], error: unknown) => {
    options.log.error('a commit failed and its outcome is unknown', { error })
    for (const entry of entries) entry.reject(busyError('a commit failed', error))
    options.onFatal(error)
  }

  const answer = (entries: Waiting[], outcomes: Outcome[]) => {
    for (const [index, entry] of entries.entries()) {
      const outcome = outcomes[index]
      if (outcome?.ok) {
        entry.resolve(outcome.value)
        for (const hint of outcome.hints) runHint(hint)
      } else {
        entry.reject(outcome?.error)
      }
    }
  }

  const runHint = (hint: () => void) => {
    try {
      hint()
    } catch (error) {
      options.log.error('a hint after a commit threw', { error })
    }
  }

  const rejectFirst = (count: number, error: unknown) => {
    for (const entry of waiting.splice(0, count)) entry.reject(error)
  }

  return {
    enqueue<T>(change: (tx: Tx) => T): Promise<T> {
      if (isClosed) return Promise.reject(closedError())
      if (waiting.length >= WAITING_MAX) {
        return Promise.reject(busyError('too many writes are waiting', null))
      }
      return new Promise<T>((resolve, reject) => {
        waiting.push({ change, resolve: resolve as (value: unknown) => void, reject })
        arm()
      })
    },
    drained() {
      if (waiting.length === 0) return Promise.resolve()
      return new Promise(resolve => idle.push(resolve))
    },
    close() {
      isClosed = true
    },
    stats: () => ({ groups, changes, waiting: waiting.length, isDiskFull }),
  }
}

function openTx(db: Db): { tx: Tx; hints: (() => void)[]; revoke: () => void } {
  const hints: (() => void)[] = []
  const state = {
    db,
    isOpen: true,
    now: db.clock.now(),
    id: () => db.ids.next(state.now),
    idBlock(count: number) {
      const first = db.ids.next(state.now)
      db.ids.notBefore(first + count - 1)
      return first
    },
    random: Math.random,
    randomBytes: (count: number) => new Uint8Array(randomBytes(count)),
    after: (hint: () => void) => void hints.push(hint),
  }
  return {
    tx: state as unknown as Tx,
    hints,
    revoke: () => {
      state.isOpen = false
    },
  }
}

type TransactionSql = ReturnType<typeof prepareTransactionSql>

function prepareTransactionSql(db: Db) {
  const { sqlite } = db
  return {
    begin: sqlite.prepare('BEGIN IMMEDIATE'),
    commit: sqlite.prepare('COMMIT'),
    rollback: sqlite.prepare('ROLLBACK'),
    savepoint: sqlite.prepare('SAVEPOINT one_change'),
    release: sqlite.prepare('RELEASE one_change'),
    rollbackTo: sqlite.prepare('ROLLBACK TO one_change'),
    readHub: sqlite.prepare('SELECT last_id, last_ms FROM hub WHERE id = 1'),
    recordHub: sqlite.prepare('UPDATE hub SET last_id = ?, last_ms = ? WHERE id = 1'),
  }
}

function recordHub(db: Db, sql: TransactionSql) {
  sql.recordHub.run(db.ids.last(), db.clock.now())
}

function undo(db: Db, sql: TransactionSql) {
  if (db.sqlite.inTransaction) sql.rollback.run()
}

function refusePromise(value: unknown): unknown {
  const isThenable = typeof value === 'object' && value !== null && 'then' in value
  invariant(!isThenable, 'a write callback returned a promise: it would commit at its first await')
  return value
}

function closedError(): AppError {
  return new AppError('shutting_down', { detail: { retry_after: 1 } })
}

function busyError(internal: string, cause: unknown): AppError {
  return new AppError('busy', { detail: { retry_after: 1 }, internal, cause })
}

/** What a caller may be told: our own errors as they are, a full disk as `busy`, anything else as a bug. */
function toPublic(error: unknown): unknown {
  if (error instanceof AppError || error instanceof Superseded || error instanceof InvariantError) {
    return error
  }
  if (isFull(error)) return busyError('the disk or memory is full', error)
  if (isBusy(error)) return busyError('the database is locked', error)
  return error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
const isBusy = (error: unknown) => codeOf(error).startsWith('SQLITE_BUSY')
const isIoError = (error: unknown) => codeOf(error).startsWith('SQLITE_IOERR')
const isFull = (error: unknown) => ['SQLITE_FULL', 'SQLITE_NOMEM'].includes(codeOf(error))
