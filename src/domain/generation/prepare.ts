import type { JobId } from '@/base/ids'
import { invariant, unreachable } from '@/base/invariant'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { type ActiveJob, activeJob, start } from '@/domain/jobs'
import { leaveLines } from '@/domain/routing'
import { type Attempt, attemptsOf, insertAttempt, patienceMs } from './attempts'
import { chooseFor } from './choose-for'
import { suspect } from './conclude'

/** What is to be done for a job now. Decided in the claim's own transaction, done outside of it. */
export type Plan = {
  act: 'start' | 'poll' | 'copy' | 'resolve'
  job: ActiveJob
  attempt: Attempt
  /** The attempt was made by this plan. Else an earlier run of it may have left blobs. */
  isFresh: boolean
}
/** Nobody can serve it now. */
export type Later = { act: 'later'; job: ActiveJob }
/** No route is left that could serve it, or none came back in time. */
export type Hopeless = { act: 'hopeless'; job: ActiveJob; attempt: Attempt | null }

/**
 * Reads where the job stands and writes the intent of what comes next. Throws Superseded when it ended.
 *
 * An attempt found `starting` may have begun before the process died: it is started again only at a
 * provider where that is free, and otherwise becomes unknown.
 */
export function prepare(tx: Tx, deps: Deps, jobId: JobId): Plan | Later | Hopeless {
  const job = activeJob(tx, jobId)
  const attempts = attemptsOf(tx, jobId)
  const last = attempts.at(-1) ?? null
  switch (last?.state) {
    case undefined:
    case 'refused':
      return begin(tx, deps, job, attempts)
    case 'starting': {
      if (deps.providers.get(last.provider)?.startIsRepeatable)
        return { act: 'start', job, attempt: last, isFresh: false }
      suspect(tx, last, 'the process ended between the request and its answer')
      return { act: 'resolve', job, attempt: { ...last, state: 'unknown' }, isFresh: false }
    }
    case 'waiting':
      return { act: 'poll', job, attempt: last, isFresh: false }
    case 'produced':
      return { act: 'copy', job, attempt: last, isFresh: false }
    case 'unknown':
      return { act: 'resolve', job, attempt: last, isFresh: false }
    default:
      invariant(false, `job is active though its attempt is ${last?.state}`)
  }
}

function begin(tx: Tx, deps: Deps, job: ActiveJob, attempts: Attempt[]): Plan | Later | Hopeless {
  const chosen = chooseFor(tx, deps, job, attempts)
  const last = attempts.at(-1) ?? null
  switch (chosen.act) {
    case 'none':
      return { act: 'hopeless', job, attempt: last }
    case 'wait': {
      // A line moves; a rest may go on for as long as it likes.
      const isInLine = chosen.full.length > 0
      const hasWaitedMs = tx.now - (job.unservedSince ?? tx.now)
      const isOver = !isInLine && hasWaitedMs > patienceMs(job.kind)
      return isOver ? { act: 'hopeless', job, attempt: last } : { act: 'later', job }
    }
    case 'serve': {
      start(tx, job.id, chosen.choice.provider)
      leaveLines(tx.db, job.id)
      const attempt = insertAttempt(tx, job, chosen.choice, attempts.length + 1)
      return { act: 'start', job, attempt, isFresh: true }
    }
    default:
      return unreachable(chosen)
  }
}
