import { SECOND } from '@/base/clock'
import { invariant } from '@/base/invariant'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { toProviderError } from '@/providers/errors'
import type { Operation, StartResult } from '@/providers/spec'
import { snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { markWaiting, StoredOperation } from './attempts'
import { conclude, worstCost } from './conclude'
import { contextOf, providerOf, untilDeadline } from './context'
import { keepOutputs } from './copy-outputs'
import { asksNoMore, nextQuestionAt, turnToAsk } from './poll-pace'
import type { Plan } from './prepare'
import { fail, refused } from './refused'

/** After a poll that told nothing: the network or the vendor's limit, not the job. */
const ASK_AGAIN_MS = 5 * SECOND

/** Asks the provider how its operation stands. */
export async function pollAttempt(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  signal: AbortSignal,
): Promise<Outcome> {
  const { attempt } = plan
  const provider = providerOf(deps, attempt)
  invariant(provider.poll && attempt.operation, 'a waiting attempt can be polled')
  const operation = StoredOperation.parse(JSON.parse(attempt.operation))
  const now = deps.clock.now()
  const turnAt = turnToAsk(deps.db, provider, attempt.jobId, now)
  // The last question, at the deadline, waits for nobody.
  if (turnAt > now && now < attempt.deadlineAt) {
    await write(deps.db, tx => snooze(tx, claim, Math.min(turnAt, attempt.deadlineAt), 'polls'))
    return { outcome: 'handled' }
  }
  const context = contextOf(deps, attempt, plan.job, untilDeadline(deps, attempt, signal))

  let result: StartResult
  try {
    result = await provider.poll(operation, context)
  } catch (thrown) {
    const error = toProviderError(thrown)
    // `rejected` and `unavailable` say that the operation has ended; the others say nothing about it.
    if (error.kind === 'rejected' || error.kind === 'unavailable') {
      asksNoMore(deps.db, provider, attempt.jobId)
      return await refused(deps, claim, plan, error)
    }
    return await askAgain(deps, claim, plan, error.retryAfterMs ?? ASK_AGAIN_MS)
  }
  if (result.state === 'done') {
    asksNoMore(deps.db, provider, attempt.jobId)
    return await keepOutputs(deps, claim, plan, result, signal)
  }
  return await askAgain(deps, claim, plan, result.pollAfterMs, result.operation)
}

/** Comes back later, but not beyond the deadline: then the vendor had its time, and the tokens go back. */
async function askAgain(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  afterMs: number,
  operation?: Operation,
): Promise<Outcome> {
  const { attempt } = plan
  const isLate = deps.clock.now() >= attempt.deadlineAt
  await write(deps.db, tx => {
    if (isLate) {
      const message = 'the deadline passed'
      // It was not stopped in time, and whoever works for half an hour sends a bill.
      const costMicroUsd = worstCost(tx, attempt, plan.job)
      const outcome = { kind: 'failed', reason: message } as const
      conclude(tx, attempt, { state: 'failed', message, costMicroUsd }, outcome)
      fail(tx, claim, plan, 'timeout')
    } else {
      // A vendor may hand out another handle with every answer.
      if (operation) markWaiting(tx, attempt, operation)
      const nextAt = nextQuestionAt(tx, providerOf(deps, attempt), attempt.jobId, afterMs)
      snooze(tx, claim, Math.min(nextAt, attempt.deadlineAt), 'polls')
    }
  })
  if (isLate) await tellVendor(deps, plan, operation)
  return { outcome: 'handled' }
}

async function tellVendor(deps: Deps, plan: Plan, newest: Operation | undefined) {
  const { attempt, job } = plan
  const operation = newest ?? StoredOperation.parse(JSON.parse(attempt.operation ?? '{}'))
  const context = contextOf(deps, attempt, job, AbortSignal.timeout(ASK_AGAIN_MS))
  await providerOf(deps, attempt)
    .cancel?.(operation, context)
    .catch(error => deps.log.info('a late operation could not be cancelled', { error }))
}
