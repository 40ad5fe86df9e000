import type { Log } from '@/base/log'
import type { ForeignCommits } from '@/db/foreign-commits'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { createAlarm } from './alarm'
import { nextRunAt, type ReadyTask, readyTasks } from './claim'
import type { Kind } from './kind'
import type { Lanes } from './lanes'
import { rescue } from './rescue'
import type { Pool } from './task'
import { createTaskRun } from './task-run'

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
/**
 * Slots. A slot is held while a vendor answers a start or a file is fetched, never while a vendor works that
 * can be asked later. Vendors that answer only when they are done have caps of their own, far below this.
 */
const BOUNDS: Record<Pool, number> = {
  jobs: 192,
  polls: 64,
  deliveries: 32,
  chores: 8,
  quarantine: 1,
}
/** While idle, a shell command's order is seen this soon. */
const FOREIGN_LOOK_MS = 500

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
  let isStarted = false
  let isStopping = false
  let isPumpArmed = false
  let isOthersTurn = false
  let quiet: (() => void)[] = []
  const unsubscribe: (() => void)[] = []

  const taskRun = createTaskRun(options)
  const alarm = createAlarm({
    db,
    log,
    onReady: rows => {
      for (const row of rows) lanes.add(row)
      if (rows.length > 0) armPump()
    },
  })

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
    void taskRun.run(next).finally(() => {
      running[pool]--
      if (pool === 'quarantine') isOthersTurn = true
      armPump()
    })
    return true
  }

  const reload = () => {
    lanes.reload(readyTasks(db))
    alarm.arm(nextRunAt(db))
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
        db.bus.subscribe('task.scheduled', ({ runAt }) => alarm.arm(runAt)),
        db.bus.subscribe('foreign.commit', reload),
      )
      reload()
      lookForForeign()
    },

    async stop(graceMs) {
      isStopping = true
      alarm.stop()
      for (const end of unsubscribe) end()
      const until = performance.now() + graceMs
      while (busy() > 0 && performance.now() < until) await Bun.sleep(20)
      // A claim that is being committed right now is given back like the others.
      await db.writer.drained()
      await taskRun.giveBack()
    },

    async settleAll() {
      const isMore = () => busy() > 0 || POOLS.some(pool => lanes.has(pool))
      do await whenQuiet()
      while ((await alarm.ripen()) > 0 || isMore())
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
