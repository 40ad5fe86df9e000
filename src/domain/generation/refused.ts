import { backoffMs } from '@/base/backoff'
import { MINUTE, SECOND } from '@/base/clock'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
import { end, type JobErrorCode } from '@/domain/jobs'
import type { ProviderError } from '@/providers/errors'
import { finish, snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { endAttempt } from './attempts'
import { discardLeftovers } from './leftovers'
import type { Plan } from './prepare'

/** Over all providers. More would only make the user wait longer for the same no. */
const MAX_ATTEMPTS = 4
/** A vendor may say tomorrow; nobody's tokens are held that long for one more try. */
const LONGEST_WAIT_MS = 5 * MINUTE
const BACKOFF = { firstMs: SECOND, capMs: MINUTE }

/** The attempt ended without a result and nothing was left running: again later, elsewhere, or not at all. */
export async function refused(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  error: ProviderError,
): Promise<Outcome> {
  await write(deps.db, tx => {
    endAttempt(tx, plan.attempt.id, { state: 'refused', kind: error.kind, message: error.message })
    const isFinal = error.kind === 'rejected' || plan.attempt.number >= MAX_ATTEMPTS
    if (isFinal) return fail(tx, claim, plan, errorCodeOf(error))
    discardLeftovers(tx, plan)
    snooze(tx, claim, tx.now + waitOf(tx, plan, error), 'jobs')
  })
  return { outcome: 'handled' }
}

export function fail(
  tx: Tx,
  claim: Claim,
  plan: Plan,
  errorCode: JobErrorCode,
  costMicroUsd = 0,
): void {
  end(tx, plan.job.id, { status: 'failed', errorCode, costMicroUsd })
  discardLeftovers(tx, plan)
  finish(tx, claim)
}

function errorCodeOf(error: ProviderError): JobErrorCode {
  if (error.kind !== 'rejected') return 'provider_failed'
  return error.reason === 'content' ? 'content_rejected' : 'invalid_for_provider'
}

function waitOf(tx: Tx, plan: Plan, error: ProviderError): number {
  if (error.retryAfterMs !== null) return Math.min(error.retryAfterMs, LONGEST_WAIT_MS)
  return backoffMs(plan.attempt.number, tx.random(), BACKOFF)
}
