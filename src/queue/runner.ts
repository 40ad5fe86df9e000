import { backoffMs } from '@/base/backoff'
import { MINUTE, SECOND } from '@/base/clock'
import { AppError, Superseded } from '@/base/errors'
import type { Log } from '@/base/log'
import type { ForeignCommits } from '@/db/foreign-commits'
import type { Db } from '@/db/open'
import { type Tx, write } from '@/db/write'
import { claim as claimTask, makeDue, nextRunAt, type ReadyTask, readyTasks } from './claim'
import { finish, release, retry, snooze } from './finish'
import type { Lanes } from './lanes'
import { rescue } from './rescue'
import type { Claim, Outcome, Pool, Task } from './task'

/** How tasks of one kind are run. */
export type Kind = {
  pool: Pool
  /** A handler that takes longer is told to stop, and a little later loses its claim. */
  timeoutMs: number
  /** How often it may throw before it is given up. */
  maxFailures: number
  /** Runs in the claim's own transaction: the intent is on disk before anything happens outside. */
  prepare?(tx: Tx, claim: Claim): unknown
  handle(claim: Claim, prepared: unknown, signal: AbortSignal): Promise<Outcome>
  /** It failed too often, or killed the process while alone: undo what it stood for. */
  giveUp?(tx: Tx, task: Task, reason: 'failures' | 'poison'): void
}

export type Runner = {
  start(): Promise<void>
  /** Stops claiming, lets handlers finish for `graceMs`, gives the rest back. */
  stop(graceMs: number): Promise<void>
  /** Does everything that is due, and what that makes due, and answers when nothing is left. For tests. */
  settleAll(): Promise<void>
  stats(): { running: Record<Pool, number>; ready: Record<Pool, number>; isStopping: boolean }
}

export type RunnerOptions = {
  db: Db
  log: Log
  lanes: Lanes
  foreign: ForeignCommits
  bootId: number
  kinds: Record<string, Kind>
  bounds?: Partial<Record<Pool, number>>
}

const POOLS: Pool[] = ['jobs', 'polls', 'deliveries', 'chores', 'quarantine']
/** Slots. A slot is held while a vendor answers a start or a file is fetched, never while a vendor works. */
const BOUNDS: Record<Pool, number> = {
  jobs: 64,
  polls: 32,
  deliveries: 32,
  chores: 8,
  quarantine: 1,
}
/** Clocks jump, and timers overflow at 24.8 days: look again at least this often. */
const LOOK_AGAIN_MS = 15 * SECOND
/** While idle, a shell command's order is seen this soon. */
const FOREIGN_LOOK_MS = 500
const DUE_AT_ONCE = 500
/** The disk is full or another process writes: nothing is wrong with the task, it comes again this soon. */
const BUSY_PAUSE_MS = SECOND
const TIMEOUT_GRACE_MS = 5 * SECOND
const RETRY = { firstMs: SECOND, capMs: 15 * MINUTE }

/** Claims what is ready, runs it, and writes what came of it. Woken by commits, not by polling. */
export function createRunner(options: RunnerOptions): Runner {
  const { db, log, lanes, bootId, kinds } = options
  const bounds = { ...BOUNDS, ...options.bounds }
  const running: Record<Pool, number> = {
    jobs: 0,
    polls: 0,
    deliveries: 0,
    chores: 0,
    quarantine: 0,
  }
  const active = new Map<number, { claim: Claim; abort: AbortController }>()
  let isStarted = false
  let isStopping = false
  let isStopped = false
  let isPumpArmed = false
  let isOthersTurn = false
  let timer: Timer | null = null
  let timerAt = Number.POSITIVE_INFINITY
  let quiet: (() => void)[] = []
  const unsubscribe: (() => void)[] = []

  const busy = () => POOLS.reduce((sum, pool) => sum + running[pool], 0)

  const armPump = () => {
    if (isPumpArmed || !isStarted) return
    isPumpArmed = true
    setImmediate(pump)
  }

  const pump = () => {
    isPumpArmed = false
    // Blame needs it alone: nothing else starts until it has run.
    if (isStopping || running.quarantine > 0) return
    const isItsTurn = lanes.has('quarantine') && !isOthersTurn
    isOthersTurn = false
    if (!isItsTurn) {
      for (const pool of POOLS) {
        if (pool === 'quarantine') continue
        while (running[pool] < bounds[pool] && startNext(pool)) {}
      }
    }
    if (busy() > 0) return
    if (!startNext('quarantine')) settleQuiet()
  }

  const startNext = (pool: Pool): boolean => {
    const next = lanes.take(pool)
    if (!next) return false
    running[pool]++
    void runOne(next).finally(() => {
      running[pool]--
      if (pool === 'quarantine') isOthersTurn = true
      armPump()
    })
    return true
  }

  const runOne = async (next: ReadyTask) => {
    let claimed: { claim: Claim; kind: Kind; prepared: unknown }
    try {
      claimed = await write(db, tx => {
        const taken = claimTask(tx, next.id, bootId)
        const kind = kinds[taken.task.kind]
        if (!kind) throw new Error(`no handler for task kind ${taken.task.kind}`)
        const homePool = taken.task.pool === 'quarantine' ? kind.pool : taken.task.pool
        const claim = { ...taken, homePool }
        return { claim, kind, prepared: kind.prepare?.(tx, claim) }
      })
    } catch (error) {
      return claimFailed(next, error)
    }
    await runHandler(claimed.claim, claimed.kind, claimed.prepared)
  }

  const claimFailed = async (next: ReadyTask, error: unknown) => {
    if (error instanceof Superseded) return
    if (isBusy(error)) return await backInLine(next)
    log.error('a task could not be claimed', { task: next.id, error })
    await postpone(next, error)
  }

  const backInLine = async (next: ReadyTask) => {
    await Bun.sleep(BUSY_PAUSE_MS)
    lanes.add(next)
  }

  /** Its preparation throws: counted like a handler that throws, in a claim without it. */
  const postpone = async (next: ReadyTask, error: unknown) => {
    try {
      await orLater(next.id, mayGiveUp =>
        write(db, tx => {
          const taken = claimTask(tx, next.id, bootId)
          const kind = kinds[taken.task.kind]
          const claim = { ...taken, homePool: kind?.pool ?? 'chores' }
          failed(tx, claim, kind, { outcome: 'retry', error }, mayGiveUp)
        }),
      )
    } catch (again) {
      if (again instanceof Superseded) return
      log.error('a task could not be postponed', { task: next.id, error: again })
      await backInLine(next)
    }
  }

  const runHandler = async (claim: Claim, kind: Kind, prepared: unknown) => {
    const abort = new AbortController()
    active.set(claim.token, { claim, abort })
    try {
      const outcome = await bounded(claim, kind, prepared, abort)
      while (!(await isRecorded(claim, kind, outcome))) await Bun.sleep(BUSY_PAUSE_MS)
    } catch (error) {
      if (error instanceof Superseded) log.debug('a task was superseded', { task: claim.task.id })
      else log.error('the end of a task was not written', { task: claim.task.id, error })
    } finally {
      active.delete(claim.token)
    }
  }

  /** The handler's outcome; a throw, or silence beyond its timeout, is a failure. */
  const bounded = async (
    claim: Claim,
    kind: Kind,
    prepared: unknown,
    abort: AbortController,
  ): Promise<Outcome> => {
    const late = Promise.withResolvers<Outcome>()
    const stop = setTimeout(() => abort.abort(new Error('the task took too long')), kind.timeoutMs)
    const give = setTimeout(() => {
      late.resolve({ outcome: 'retry', error: new Error('the task hung beyond its timeout') })
    }, kind.timeoutMs + TIMEOUT_GRACE_MS)
    try {
      return await Promise.race([kind.handle(claim, prepared, abort.signal), late.promise])
    } catch (error) {
      if (error instanceof Superseded) throw error
      if (!isBusy(error)) return { outcome: 'retry', error }
      log.warn('a task met a busy database and comes again', { task: claim.task.id, error })
      return { outcome: 'snooze', runAt: db.clock.now() + BUSY_PAUSE_MS }
    } finally {
      clearTimeout(stop)
      clearTimeout(give)
    }
  }

  /** False when the disk refused: a task whose end is not written stays claimed until the next start. */
  const isRecorded = async (claim: Claim, kind: Kind, outcome: Outcome): Promise<boolean> => {
    // The claim was given back, and the database may be closed.
    if (isStopped) return true
    try {
      await record(claim, kind, outcome)
      return true
    } catch (error) {
      if (error instanceof Superseded) throw error
      log.error('the end of a task could not be written', { task: claim.task.id, error })
      return false
    }
  }

  const record = async (claim: Claim, kind: Kind, outcome: Outcome) => {
    switch (outcome.outcome) {
      case 'handled':
        return
      case 'done':
        return await write(db, tx => finish(tx, claim))
      case 'snooze':
        return await write(db, tx => snooze(tx, claim, outcome.runAt, outcome.pool))
      case 'retry':
        log.warn('a task failed', {
          task: claim.task.id,
          kind: claim.task.kind,
          failures: claim.task.failures + 1,
          error: outcome.error,
        })
        return await orLater(claim.task.id, mayGiveUp =>
          write(db, tx => failed(tx, claim, kind, outcome, mayGiveUp)),
        )
    }
  }

  /** A bug in giving up must not leave the task stuck: it is only counted, and given up at its next turn. */
  const orLater = async (task: number, count: (mayGiveUp: boolean) => Promise<void>) => {
    try {
      await count(true)
    } catch (error) {
      if (error instanceof Superseded || isBusy(error)) throw error
      log.error('a task could not be given up', { task, error })
      await count(false)
    }
  }

  const failed = (
    tx: Tx,
    claim: Claim,
    kind: Kind | undefined,
    outcome: Outcome & { outcome: 'retry' },
    mayGiveUp: boolean,
  ) => {
    const failures = claim.task.failures + 1
    if (mayGiveUp && kind && failures >= kind.maxFailures) {
      finish(tx, claim)
      kind.giveUp?.(tx, claim.task, 'failures')
      return
    }
    retry(tx, claim, outcome.runAt ?? tx.now + backoffMs(failures, tx.random(), RETRY))
  }

  /** Sleeps until the next row is due; wakes earlier when an earlier one is scheduled. */
  const armTimer = (runAt: number | null) => {
    if (isStopping) return
    const at = Math.min(runAt ?? Number.POSITIVE_INFINITY, db.clock.now() + LOOK_AGAIN_MS)
    if (timer && timerAt <= at) return
    if (timer) clearTimeout(timer)
    timerAt = at
    timer = setTimeout(() => void onTimer(), Math.max(at - db.clock.now(), 0))
    timer.unref()
  }

  const onTimer = async () => {
    timer = null
    timerAt = Number.POSITIVE_INFINITY
    try {
      await ripen()
      armTimer(nextRunAt(db))
    } catch (error) {
      log.warn('due tasks could not be made ready', { error })
      // What is due now would be due at once again.
      armTimer(db.clock.now() + BUSY_PAUSE_MS)
    }
  }

  const ripen = async (): Promise<number> => {
    const runAt = nextRunAt(db)
    if (runAt === null || runAt > db.clock.now()) return 0
    const rows = await write(db, tx => makeDue(tx, DUE_AT_ONCE))
    for (const row of rows) lanes.add(row)
    if (rows.length > 0) armPump()
    return rows.length
  }

  const reload = () => {
    lanes.reload(readyTasks(db))
    armTimer(nextRunAt(db))
    armPump()
  }

  /** One broken task must not keep the server from starting: then it sleeps, for a person to look at. */
  const takeOver = async () => {
    try {
      return await write(db, tx => {
        const left = rescue(tx, bootId)
        if (left.parked) kinds[left.parked.kind]?.giveUp?.(tx, left.parked, 'poison')
        return left
      })
    } catch (error) {
      log.error('a task that killed the process could not be given up; it sleeps', { error })
      return await write(db, tx => rescue(tx, bootId, { isParkedAsleep: true }))
    }
  }

  const lookForForeign = () => {
    if (isStopping) return
    try {
      options.foreign.check()
    } catch (error) {
      log.warn('what another process wrote could not be read', { error })
    }
    setTimeout(lookForForeign, FOREIGN_LOOK_MS).unref()
  }

  const settleQuiet = () => {
    const waiting = quiet
    quiet = []
    for (const done of waiting) done()
  }

  const whenQuiet = () =>
    new Promise<void>(resolve => {
      quiet.push(resolve)
      armPump()
    })

  return {
    async start() {
      const { resumed, parked } = await takeOver()
      if (resumed > 0) log.info('resuming what the last run left', { tasks: resumed })
      if (parked)
        log.error('a task was alone each time the process died; it is given up', { parked })
      isStarted = true
      unsubscribe.push(
        db.bus.subscribe('task.ready', task => {
          lanes.add(task as ReadyTask)
          armPump()
        }),
        db.bus.subscribe('task.gone', task => lanes.remove(task as ReadyTask)),
        db.bus.subscribe('task.scheduled', ({ runAt }) => armTimer(runAt)),
        db.bus.subscribe('foreign.commit', reload),
      )
      reload()
      lookForForeign()
    },

    async stop(graceMs) {
      isStopping = true
      if (timer) clearTimeout(timer)
      for (const end of unsubscribe) end()
      const until = performance.now() + graceMs
      while (busy() > 0 && performance.now() < until) await Bun.sleep(20)
      // A claim that is being committed right now is given back like the others.
      await db.writer.drained()
      const rest = [...active.values()]
      if (rest.length > 0) {
        log.warn('giving back unfinished tasks', { tasks: rest.map(entry => entry.claim.task.id) })
        await Promise.allSettled(rest.map(({ claim }) => write(db, tx => release(tx, claim))))
        for (const { abort } of rest) abort.abort(new Error('the server is stopping'))
      }
      isStopped = true
    },

    async settleAll() {
      do await whenQuiet()
      while ((await ripen()) > 0)
    },

    stats: () => ({
      running: { ...running },
      ready: Object.fromEntries(POOLS.map(pool => [pool, lanes.size(pool)])) as Record<
        Pool,
        number
      >,
      isStopping,
    }),
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof AppError && error.code === 'busy'
}
