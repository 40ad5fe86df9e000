import { backoffMs } from '@/base/backoff'
import { MINUTE, SECOND } from '@/base/clock'
import { AppError, Superseded } from '@/base/errors'
import type { Log } from '@/base/log'
import type { Db } from '@/db/open'
import { type Tx, write } from '@/db/write'
import { claim as claimTask, type ReadyTask } from './claim'
import { finish, release, retry, snooze } from './finish'
import type { Kind } from './kind'
import type { Lanes } from './lanes'
import type { Claim, Outcome } from './task'

/** What runs one task from its claim to its end. */
export type TaskRun = {
  run(next: ReadyTask): Promise<void>
  /** Gives back what is still running, uncounted, and writes no end after that. */
  giveBack(): Promise<void>
}

/** The disk is full or another process writes: nothing is wrong with the task, it comes again this soon. */
export const BUSY_PAUSE_MS = SECOND
const TIMEOUT_GRACE_MS = 5 * SECOND
const RETRY = { firstMs: SECOND, capMs: 15 * MINUTE }

/** Claim, handle, record: each end of a task is written under its claim token, or not at all. */
export function createTaskRun(options: {
  db: Db
  log: Log
  lanes: Lanes
  bootId: number
  kinds: Record<string, Kind>
}): TaskRun {
  const { db, log, lanes, bootId, kinds } = options
  const active = new Map<number, { claim: Claim; abort: AbortController }>()
  let isStopped = false

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

  return {
    run: runOne,
    async giveBack() {
      const rest = [...active.values()]
      if (rest.length > 0) {
        log.warn('giving back unfinished tasks', { tasks: rest.map(entry => entry.claim.task.id) })
        await Promise.allSettled(rest.map(({ claim }) => write(db, tx => release(tx, claim))))
        for (const { abort } of rest) abort.abort(new Error('the server is stopping'))
      }
      isStopped = true
    },
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof AppError && error.code === 'busy'
}
