import { SECOND } from '@/base/clock'
import type { Log } from '@/base/log'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { makeDue, nextRunAt, type ReadyTask } from './claim'
import { BUSY_PAUSE_MS } from './task-run'

/** Makes scheduled rows ready when their time has come. */
export type Alarm = {
  /** Wakes at `runAt` at the latest. */
  arm(runAt: number | null): void
  /** Does now what is due. Answers how many rows that were. */
  ripen(): Promise<number>
  stop(): void
}

/** Clocks jump, and timers overflow at 24.8 days: look again at least this often. */
const LOOK_AGAIN_MS = 15 * SECOND
const DUE_AT_ONCE = 500

export function createAlarm(options: {
  db: Db
  log: Log
  onReady: (rows: ReadyTask[]) => void
}): Alarm {
  const { db, log } = options
  let isStopping = false
  let timer: Timer | null = null
  let timerAt = Number.POSITIVE_INFINITY

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
    options.onReady(rows)
    return rows.length
  }

  return {
    arm: armTimer,
    ripen,
    stop() {
      isStopping = true
      if (timer) clearTimeout(timer)
    },
  }
}
