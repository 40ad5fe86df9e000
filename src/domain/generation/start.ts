import { Superseded } from '@/base/errors'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { isActive } from '@/domain/jobs'
import { type ProviderError, toProviderError } from '@/providers/errors'
import type { Operation, Pending, Provider, ProviderContext, StartResult } from '@/providers/spec'
import { wake } from '@/queue/enqueue'
import { snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { markWaiting } from './attempts'
import { suspect } from './conclude'
import { contextOf, inputOf, providerOf, untilDeadline } from './context'
import { keepOutputs } from './copy-outputs'
import { nextQuestionAt } from './poll-pace'
import type { Plan } from './prepare'
import { refused } from './refused'

/** Asks the provider to begin. The intent is on disk already, so whatever happens here is accounted for. */
export async function startAttempt(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  signal: AbortSignal,
): Promise<Outcome> {
  const provider = providerOf(deps, plan.attempt)
  const context = contextOf(deps, plan.attempt, plan.job, untilDeadline(deps, plan.attempt, signal))
  let result: StartResult
  try {
    result = await provider.start(inputOf(deps, plan.attempt, plan.job), context)
  } catch (thrown) {
    const error = toProviderError(thrown)
    if (error.kind === 'unknown_outcome' && !provider.startIsRepeatable) {
      return await suspected(deps, claim, plan, error)
    }
    return await refused(deps, claim, plan, error)
  }
  if (result.state === 'done') return await keepOutputs(deps, claim, plan, result, signal)
  return await waiting(deps, claim, plan, { provider, context, result })
}

async function waiting(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  started: { provider: Provider; context: ProviderContext; result: Pending },
): Promise<Outcome> {
  const { operation, pollAfterMs } = started.result
  try {
    await write(deps.db, tx => {
      markWaiting(tx, plan.attempt, operation)
      const nextAt = nextQuestionAt(tx, started.provider, plan.job.id, pollAfterMs)
      snooze(tx, claim, Math.min(nextAt, plan.attempt.deadlineAt), 'polls')
    })
  } catch (error) {
    if (error instanceof Superseded && !(await isKept(deps, plan, operation))) {
      // Cancelled while the vendor answered: nobody else knows this operation, so we tell the vendor.
      await started.provider.cancel?.(operation, started.context)
    }
    throw error
  }
  return { outcome: 'handled' }
}

/** The claim went (a stop, a timeout) and the job goes on: whoever has it next polls this operation. */
async function isKept(deps: Deps, plan: Plan, operation: Operation): Promise<boolean> {
  const kept = write(deps.db, tx => {
    if (!isActive(tx, plan.job.id)) return false
    markWaiting(tx, plan.attempt, operation)
    wake(tx, plan.job.id)
    return true
  })
  return await kept.catch(error => {
    if (error instanceof Superseded) return false
    throw error
  })
}

/** How soon an unknown outcome is asked about first. */
const ASK_AFTER_MS = 10_000

async function suspected(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  error: ProviderError,
): Promise<Outcome> {
  await write(deps.db, tx => {
    suspect(tx, plan.attempt, error.message, error)
    snooze(tx, claim, Math.min(tx.now + ASK_AFTER_MS, plan.attempt.deadlineAt), 'polls')
  })
  return { outcome: 'handled' }
}
