import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { type CheckedInput, secondsAsked } from '@/domain/catalog'
import type { ActiveJob } from '@/domain/jobs'
import { readEntitlement } from '@/domain/plans'
import { choose } from '@/domain/routing'
import type { Attempt } from './attempts'

/** Who serves the job now, after all that was tried for it. */
export function chooseFor(tx: Tx, deps: Deps, job: ActiveJob, attempts: readonly Attempt[]) {
  const { id, realmId, userId, mode, modelId, modelName } = job
  const tried = attempts.map(({ routeId, isPermanent, retryAt }) => ({
    routeId,
    isPermanent: isPermanent === 1,
    retryAt,
  }))
  // Test jobs have one route, whatever they ask for and whatever their plan is.
  const seconds = mode === 'live' ? secondsOf(job) : null
  // The plan of now and not of when the job was made: nothing that was paid for hangs on it.
  const plan = mode === 'live' ? readEntitlement(tx, { id: realmId }, userId) : null
  const planStrategy = plan?.strategy ?? null
  return choose(deps, { id, realmId, mode, modelId, modelName, seconds, tried, planStrategy }, tx)
}

/** The length that was asked for; null where none was. */
export function secondsOf({ input }: { input: string | null }): number | null {
  if (input === null) return null
  return secondsAsked(JSON.parse(input) as CheckedInput)
}
