import type { JobId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { type ActiveJob, activeJob, start } from '@/domain/jobs'
import { choose } from '@/domain/routing'
import { type Attempt, attemptsOf, insertAttempt, markUnknown } from './attempts'

/** What is to be done for a job now. Decided in the claim's own transaction, done outside of it. */
export type Plan = {
  act: 'start' | 'poll' | 'copy' | 'resolve'
  job: ActiveJob
  attempt: Attempt
  /** The attempt was made by this plan. Else an earlier run of it may have left blobs. */
  isFresh: boolean
}
/** No route is left that could serve it. */
export type Hopeless = { act: 'hopeless'; job: ActiveJob; last: Attempt | null }

/**
 * Reads where the job stands and writes the intent of what comes next. Throws Superseded when it ended.
 *
 * An attempt found `starting` may have begun before the process died: it is started again only at a
 * provider where that is free, and otherwise becomes unknown.
 */
export function prepare(tx: Tx, deps: Deps, jobId: JobId): Plan | Hopeless {
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
      markUnknown(tx, last.id, 'the process ended between the request and its answer')
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

function begin(tx: Tx, deps: Deps, job: ActiveJob, attempts: Attempt[]): Plan | Hopeless {
  const route = choose(
    deps,
    {
      mode: job.mode,
      modelId: job.modelId,
      modelName: job.modelName,
      tried: attempts.map(({ provider, errorKind }) => ({ provider, errorKind })),
    },
    tx,
  )
  if (!route) return { act: 'hopeless', job, last: attempts.at(-1) ?? null }
  start(tx, job.id, route.provider)
  const attempt = insertAttempt(tx, job, route, attempts.length + 1)
  return { act: 'start', job, attempt, isFresh: true }
}
