import { unreachable } from '@/base/invariant'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { end } from '@/domain/jobs'
import { finish } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { spentOn } from './conclude'
import { copyOutputs } from './copy-outputs'
import { pollAttempt } from './poll'
import type { Hopeless, Later, Plan } from './prepare'
import { resolveUnknown } from './resolve-unknown'
import { startAttempt } from './start'
import { waitForRoute } from './wait'

/** Does what was planned for a job: the one executor of every kind that a provider serves. */
export async function execute(
  deps: Deps,
  claim: Claim,
  plan: Plan | Later | Hopeless,
  signal: AbortSignal,
): Promise<Outcome> {
  switch (plan.act) {
    case 'start':
      return await startAttempt(deps, claim, plan, signal)
    case 'poll':
      return await pollAttempt(deps, claim, plan, signal)
    case 'copy':
      return await copyOutputs(deps, claim, plan, signal)
    case 'resolve':
      return await resolveUnknown(deps, claim, plan, signal)
    case 'later':
      return await waitForRoute(deps, claim, plan)
    case 'hopeless':
      await write(deps.db, tx => {
        const costMicroUsd = spentOn(tx, plan.job)
        end(tx, plan.job.id, { status: 'failed', errorCode: 'provider_failed', costMicroUsd })
        finish(tx, claim)
      })
      return { outcome: 'handled' }
    default:
      return unreachable(plan)
  }
}
