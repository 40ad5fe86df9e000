import { type TestLog, testDb, testLog } from '@test/support/test-db'
import type { Clock } from '@/base/clock'
import { watchForeignCommits } from '@/db/foreign-commits'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { enqueue, type NewTask } from '@/queue/enqueue'
import type { Kind } from '@/queue/kind'
import { createLanes, type Lanes } from '@/queue/lanes'
import { createRunner, type Runner, type RunnerOptions } from '@/queue/runner'
import type { Claim, Outcome } from '@/queue/task'

export type Rig = AsyncDisposable & {
  db: Db
  runner: Runner
  lanes: Lanes
  log: TestLog
  /** Resolves when a warning or an error of this message is logged from now on. */
  heard(message: string): Promise<void>
}

export type RigOptions = {
  db?: Db
  clock?: Clock
  bounds?: RunnerOptions['bounds']
  bootId?: number
  /** False: nothing is claimed until `runner.start()`. */
  isRunning?: boolean
}

/** A runner on a database of its own. Ends with the block of its `await using`. */
export async function startRig(
  kinds: (db: Db) => Record<string, Kind>,
  options: RigOptions = {},
): Promise<Rig> {
  const { log, heard } = listeningLog()
  const db = options.db ?? testDb({ log, ...(options.clock ? { clock: options.clock } : {}) })
  const lanes = createLanes()
  const runner = createRunner({
    db,
    log,
    lanes,
    foreign: watchForeignCommits(db),
    bootId: options.bootId ?? (await write(db, tx => tx.id())),
    kinds: kinds(db),
    ...(options.bounds ? { bounds: options.bounds } : {}),
  })
  if (options.isRunning !== false) await runner.start()
  return {
    db,
    runner,
    lanes,
    log,
    heard,
    async [Symbol.asyncDispose]() {
      await runner.stop(0)
      await db.writer.drained()
      db.close()
    },
  }
}

function listeningLog() {
  const log = testLog()
  const waiting = new Map<string, Signal>()
  for (const level of ['warn', 'error'] as const) {
    const write = log[level]
    log[level] = (message, fields) => {
      write(message, fields)
      waiting.get(message)?.happen()
      waiting.delete(message)
    }
  }
  const heard = (message: string) => {
    const known = waiting.get(message) ?? signal()
    waiting.set(message, known)
    return known.happened
  }
  return { log, heard }
}

/** A kind with roomy bounds around a handler. One that answers nothing is done. */
export function kind(
  handle: (claim: Claim, signal: AbortSignal) => Promise<Outcome | undefined> | Outcome | undefined,
  more: Partial<Kind> = {},
): Kind {
  return {
    pool: 'jobs',
    timeoutMs: 60_000,
    maxFailures: 3,
    handle: async (claim, _, signal) => (await handle(claim, signal)) ?? DONE,
    ...more,
  }
}

export const DONE: Outcome = { outcome: 'done' }

/** Orders one task and answers its id. */
export async function order(db: Db, task: Partial<NewTask> & { kind: string }): Promise<number> {
  return await write(db, tx => {
    const id = task.id ?? tx.id()
    enqueue(tx, { pool: 'jobs', payload: {}, ...task, id })
    return id
  })
}

export type TaskRow = {
  id: number
  kind: string
  pool: string
  state: 'scheduled' | 'ready' | 'claimed'
  run_at: number | null
  claim_token: number | null
  boot_id: number | null
  failures: number
  deaths: number
}

/** What the table says of one task; null when it is gone. */
export function rowOf(db: Db, id: number): TaskRow | null {
  return db.sqlite.query('SELECT * FROM tasks WHERE id = ?').get(id) as TaskRow | null
}

export function allRows(db: Db): TaskRow[] {
  return db.sqlite.query('SELECT * FROM tasks ORDER BY id').all() as TaskRow[]
}

/** Something that happens later: `happened` is awaited by one side, `happen` called by the other. */
export type Signal<T = void> = { happened: Promise<T>; happen(value: T): void }

export function signal<T = void>(): Signal<T> {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { happened: promise, happen: value => resolve(value) }
}
