import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { ActiveJob } from '@/domain/jobs'
import { listedCost, type RouteOutcome, recordOutcome, routeConfig } from '@/domain/routing'
import type { ProviderError } from '@/providers/errors'
import { type Attempt, type AttemptEnd, endAttempt, markUnknown } from './attempts'
import { secondsOf } from './choose-for'

const spent = query<{ jobId: number }, { microUsd: number }>(
  'SELECT coalesce(sum(cost_micro_usd), 0) AS microUsd FROM attempts WHERE job_id = $jobId',
)

/** Ends an attempt and says what that tells of its route. */
export function conclude(
  tx: Tx,
  attempt: Attempt,
  result: AttemptEnd,
  outcome: RouteOutcome,
): boolean {
  const isEnded = endAttempt(tx, attempt.id, result)
  if (isEnded && attempt.routeId !== null) recordOutcome(tx, attempt.routeId, attempt.id, outcome)
  return isEnded
}

/**
 * Nobody knows whether it began. `error` is what came instead of the vendor's answer, and its fault; null
 * when our own process ended.
 */
export function suspect(tx: Tx, attempt: Attempt, message: string, error?: ProviderError): void {
  const isNew = markUnknown(tx, attempt.id, message) === 1
  if (!isNew || attempt.routeId === null) return
  const outcome: RouteOutcome = error
    ? { kind: 'failed', reason: 'no answer' }
    : { kind: 'unheard' }
  recordOutcome(tx, attempt.routeId, attempt.id, outcome)
}

/** What all attempts of the job cost so far, as far as it is known, micro-USD. */
export function spentOn(tx: Tx, job: Pick<ActiveJob, 'id'>): number {
  return spent.get(tx, { jobId: job.id })?.microUsd ?? 0
}

/**
 * What the vendor may charge for an attempt of which nobody heard the end: the whole price by the rates of
 * its route. A budget that counted it as nothing would not hold.
 */
export function worstCost(
  tx: Tx,
  attempt: Attempt,
  job: Pick<ActiveJob, 'modelId' | 'numOutputs'> & { input: string | null },
): number | null {
  return costByRates(tx.db, attempt, job, job.numOutputs)
}

/** What so many outputs cost by the rates of the attempt's route; null where there are none. */
export function costByRates(
  db: Db,
  attempt: Pick<Attempt, 'routeId' | 'provider'>,
  job: Pick<ActiveJob, 'modelId'> & { input: string | null },
  outputs: number,
): number | null {
  if (attempt.routeId === null) return null
  const config = routeConfig(db, job.modelId, attempt.provider)
  return listedCost(config, { outputs, seconds: secondsOf(job) })
}
