import { SECOND } from '@/base/clock'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import type { StartResult } from '@/providers/spec'
import { snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { endAttempt, markWaiting } from './attempts'
import { worstCost } from './conclude'
import { contextOf, inputOf, providerOf, untilDeadline } from './context'
import { keepOutputs } from './copy-outputs'
import type { Plan } from './prepare'
import { fail } from './refused'

const ASK_AGAIN_MS = 30 * SECOND

/**
 * A start whose answer was lost. It is never started again, nor elsewhere: where the provider can look it
 * up we ask, else a callback may tell, and at the deadline the job fails and its tokens go back.
 */
export async function resolveUnknown(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  signal: AbortSignal,
): Promise<Outcome> {
  const { attempt } = plan
  const found = await lookUp(deps, plan, signal)
  if (found?.state === 'done') return await keepOutputs(deps, claim, plan, found, signal)
  await write(deps.db, tx => {
    if (found) {
      markWaiting(tx, attempt, found.operation)
      snooze(tx, claim, Math.min(tx.now + found.pollAfterMs, attempt.deadlineAt), 'polls')
    } else if (tx.now >= attempt.deadlineAt) {
      const message = 'nothing was heard of it until the deadline'
      const costMicroUsd = worstCost(tx, attempt, plan.job)
      // Its route heard of it when it became unknown.
      endAttempt(tx, attempt.id, {
        state: 'unknown',
        kind: 'unknown_outcome',
        message,
        costMicroUsd,
      })
      fail(tx, claim, plan, 'timeout')
    } else {
      snooze(tx, claim, Math.min(tx.now + nextLook(deps, plan), attempt.deadlineAt), 'polls')
    }
  })
  return { outcome: 'handled' }
}

async function lookUp(deps: Deps, plan: Plan, signal: AbortSignal): Promise<StartResult | null> {
  const provider = providerOf(deps, plan.attempt)
  if (!provider.find) return null
  const ending = untilDeadline(deps, plan.attempt, signal)
  const context = contextOf(deps, plan.attempt, plan.job, ending)
  try {
    return await provider.find(context.reference, context, inputOf(deps, plan.attempt, plan.job))
  } catch (error) {
    deps.log.info('an unknown attempt could not be looked up', { attempt: plan.attempt.id, error })
    return null
  }
}

/** Where nobody can be asked, only a callback or the deadline will tell. */
function nextLook(deps: Deps, plan: Plan): number {
  return providerOf(deps, plan.attempt).find ? ASK_AGAIN_MS : Number.MAX_SAFE_INTEGER / 2
}
