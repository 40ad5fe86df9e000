import { unreachable } from '@/base/invariant'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { end } from '@/domain/jobs'
import { finish } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { copyOutputs } from './copy-outputs'
import { pollAttempt } from './poll'
import type { Hopeless, Plan } from './prepare'
import { resolveUnknown } from './resolve-unknown'
import { startAttempt } from './start'

/** Does what was planned for a job: the one executor of every kind that a provider serves. */
export async function execute(
  deps: Deps,
  claim: Claim,
  plan: Plan | Hopeless,
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
    case 'hopeless':
      await write(deps.db, tx => {
        end(tx, plan.job.id, { status: 'failed', errorCode: 'provider_failed' })
        finish(tx, claim)
      })
      return { outcome: 'handled' }
    default:
      return unreachable(plan)
  }
}
