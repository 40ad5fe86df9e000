import type { JobId } from '@/base/ids'
import type { AttemptState } from '@/db/schema'
import { query } from '@/db/statements'
import type { Deps } from '@/deps'
import { findJob, type Scope } from '@/domain/jobs'
import { Decision } from '@/domain/routing'
import type { ProviderErrorKind } from '@/providers/errors'

/** One try of a job, as whoever runs the app may see it. Times are milliseconds. */
export type ExplainedAttempt = {
  number: number
  provider: string
  providerModel: string
  state: AttemptState
  /** In our words, never the vendor's. */
  reason: string
  /** Null where nothing was weighed: on the sandbox, and before decisions were kept. */
  decision: Decision | null
  errorKind: ProviderErrorKind | null
  isPermanent: boolean
  costMicroUsd: number | null
  startedAt: number
  finishedAt: number | null
}

type Row = Omit<ExplainedAttempt, 'decision' | 'isPermanent'> & {
  decision: string | null
  isPermanent: 0 | 1
}

// Without the vendor's own message: it may repeat a prompt, or a key.
const ofJob = query<{ jobId: number }, Row>(
  `SELECT number, provider, provider_model AS providerModel, state, reason, decision, error_kind AS errorKind,
     is_permanent AS isPermanent, cost_micro_usd AS costMicroUsd, started_at AS startedAt,
     finished_at AS finishedAt
   FROM attempts WHERE job_id = $jobId ORDER BY number`,
)

/** How a job came to be served as it was, oldest try first. Null when this scope may not see the job. */
export function explain(deps: Deps, scope: Scope, jobId: JobId): ExplainedAttempt[] | null {
  if (!findJob(deps, scope, jobId)) return null
  return ofJob.all(deps.db, { jobId }).map(row => ({
    ...row,
    decision: row.decision === null ? null : Decision.parse(JSON.parse(row.decision)),
    isPermanent: row.isPermanent === 1,
  }))
}
