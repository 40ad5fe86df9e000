import { backoffMs } from '@/base/backoff'
import { MINUTE, SECOND } from '@/base/clock'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { end, type JobErrorCode } from '@/domain/jobs'
import type { RouteOutcome } from '@/domain/routing'
import type { ProviderError } from '@/providers/errors'
import { finish, snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { conclude, spentOn } from './conclude'
import { discardLeftovers } from './leftovers'
import type { Plan } from './prepare'

/** Over all providers. More would only make the user wait longer for the same no. */
const MAX_ATTEMPTS = 4
const BACKOFF = { firstMs: SECOND, capMs: MINUTE }

/**
 * The attempt ended without a result and nothing was left running. Another route may try now; this one is
 * left alone by this job for a while, or for good.
 */
export async function refused(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  error: ProviderError,
): Promise<Outcome> {
  const { attempt } = plan
  await write(deps.db, tx => {
    const retryAfterMs = error.retryAfterMs ?? backoffMs(attempt.number, tx.random(), BACKOFF)
    const result = {
      state: 'refused' as const,
      kind: error.kind,
      message: error.message,
      costMicroUsd: error.costMicroUsd,
      isPermanent: error.isPermanent,
      retryAt: tx.now + retryAfterMs,
    }
    conclude(tx, attempt, result, outcomeOf(error, tx.now))
    const isFinal = error.kind === 'rejected' || attempt.number >= MAX_ATTEMPTS
    if (isFinal) return fail(tx, claim, plan, errorCodeOf(error))
    discardLeftovers(tx, plan)
    snooze(tx, claim, tx.now, 'jobs')
  })
  return { outcome: 'handled' }
}

export function fail(tx: Tx, claim: Claim, plan: Plan, errorCode: JobErrorCode): void {
  end(tx, plan.job.id, { status: 'failed', errorCode, costMicroUsd: spentOn(tx, plan.job) })
  discardLeftovers(tx, plan)
  finish(tx, claim)
}

/** What it says of the route: whoever says no to this job is well. */
function outcomeOf(error: ProviderError, now: number): RouteOutcome {
  if (error.kind === 'rejected') return { kind: 'answered' }
  if (error.kind !== 'rate_limited') return { kind: 'failed', reason: error.kind }
  return { kind: 'limited', until: error.retryAfterMs === null ? null : now + error.retryAfterMs }
}

function errorCodeOf(error: ProviderError): JobErrorCode {
  if (error.kind !== 'rejected') return 'provider_failed'
  return error.reason === 'content' ? 'content_rejected' : 'invalid_for_provider'
}
