import { writeSync } from 'node:fs'
import type { Db } from '@/db/open'
import type { Tx } from '@/db/write'

/**
 * Named moments in the life of a job at which a process may die. The product has no hooks for them: a
 * process that is to die wraps the one door of its own transactions, and what happens at the vendor or at
 * a receiver is seen, and ended, from there.
 *
 * A transaction is recognised by what it changed, so that no name inside the product matters here.
 */
export const HUB_STEPS = [
  'submit: before BEGIN',
  'submit: before COMMIT',
  'submit: after COMMIT, before the answer',
  'claim: before COMMIT',
  'claim: after COMMIT, before the vendor is called',
  'save: before BEGIN, with the answer of the vendor in hand',
  'save: before COMMIT',
  'save: after COMMIT',
  'settle: before BEGIN',
  'settle: before COMMIT',
  'settle: after COMMIT',
] as const
export const OUTSIDE_STEPS = [
  'vendor: has the request, has not answered',
  'copy: one output half-way, the others stored',
  'webhook: received, not noted',
] as const

export type HubStep = (typeof HUB_STEPS)[number]
export type OutsideStep = (typeof OUTSIDE_STEPS)[number]
export type Step = HubStep | OutsideStep

/** In the order in which a job meets them. */
export const STEPS: readonly Step[] = [
  ...HUB_STEPS.slice(0, 5),
  OUTSIDE_STEPS[0],
  ...HUB_STEPS.slice(5, 8),
  OUTSIDE_STEPS[1],
  ...HUB_STEPS.slice(8),
  OUTSIDE_STEPS[2],
]

export const isHubStep = (step: Step): step is HubStep => HUB_STEPS.some(known => known === step)

/** From now on this process dies the first time that one of its transactions reaches the step. */
export function dieAt(db: Db, step: HubStep): void {
  const what = step.slice(0, step.indexOf(':'))
  const { enqueue } = db.writer
  const isIt = <T>(tx: Tx, change: (tx: Tx) => T): { value: T; isReached: boolean } => {
    const before = recordOf(tx)
    const value = change(tx)
    return { value, isReached: nameOf(before, recordOf(tx)) === what }
  }

  db.writer.enqueue = async change => {
    if (step.includes('before BEGIN')) {
      // Tried and undone: what it would have been is known, and nothing of it ever was.
      return await enqueue(tx => {
        const { value, isReached } = isIt(tx, change)
        if (isReached) throw new Rehearsed()
        return value
      }).catch(error => {
        if (error instanceof Rehearsed) die(step)
        throw error
      })
    }
    return await enqueue(tx => {
      const { value, isReached } = isIt(tx, change)
      if (isReached && step.includes('before COMMIT')) die(step)
      // Hints run as soon as COMMIT has returned, before anybody who waits for it is woken.
      if (isReached) tx.after(() => die(step))
      return value
    })
  }
}

class Rehearsed extends Error {}

type Record = { jobs: number; attempts: number; saved: number; ended: number }

function recordOf(tx: Tx): Record {
  return tx.db.sqlite
    .query(
      `SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM attempts) AS attempts,
         (SELECT count(*) FROM attempts WHERE operation IS NOT NULL OR outputs IS NOT NULL) AS saved,
         (SELECT count(*) FROM jobs WHERE completed_at IS NOT NULL) AS ended`,
    )
    .get() as Record
}

function nameOf(before: Record, after: Record): string | null {
  if (after.jobs > before.jobs) return 'submit'
  if (after.ended > before.ended) return 'settle'
  if (after.attempts > before.attempts) return 'claim'
  if (after.saved > before.saved) return 'save'
  return null
}

/** Nothing runs after it: no `finally`, no answer, no buffer is flushed. */
function die(step: HubStep): never {
  writeSync(process.stderr.fd, `died at <${step}>\n`)
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
