import { HOUR, isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import type { Deps } from '@/deps'
import { describeInput, type Model } from '@/domain/catalog'
import * as files from '@/domain/files'
import type { ExplainedAttempt } from '@/domain/generation'
import { describeFailure, type JobView } from '@/domain/jobs'
import type { Balance, Entry } from '@/domain/ledger'
import type { Sums } from '@/domain/usage'
import type { User } from '@/domain/users'

/** Rows become wire objects here and nowhere else in this door. Never spreads a row into an answer. */

const LINK_MS = 48 * HOUR

export function presentJob(deps: Deps, baseUrl: string, job: JobView) {
  const failure = job.errorCode === null ? null : describeFailure(job.errorCode)
  return {
    job_id: formatId('job', job.id),
    kind: job.kind,
    mode: job.mode,
    status: job.status,
    model: job.modelName,
    user_id: job.externalId,
    progress: job.progress,
    queue_position: job.queuePosition,
    poll_after_seconds: job.pollAfterSeconds,
    created_at: isoSeconds(job.createdAt),
    started_at: time(job.startedAt),
    completed_at: time(job.completedAt),
    outputs: job.outputs.map(output => files.describe(deps, baseUrl, output, LINK_MS)),
    tokens_charged: job.tokensCharged,
    tokens_refunded: job.tokensRefunded,
    provider_used: job.providerUsed,
    attempts: job.attempts,
    // Checked when it came in; nothing else writes it.
    metadata: JSON.parse(job.metadata) as Record<string, string>,
    error: failure?.message ?? null,
    error_code: job.errorCode,
    retryable: failure?.isRetryable ?? null,
  }
}

/** One try and what was weighed before it, for whoever runs the app. */
export function presentAttempt(attempt: ExplainedAttempt) {
  return {
    number: attempt.number,
    provider: attempt.provider,
    provider_model: attempt.providerModel,
    state: attempt.state,
    reason: attempt.reason,
    strategy: attempt.decision?.strategy ?? null,
    considered: (attempt.decision?.considered ?? []).map(route => ({
      provider: route.provider,
      provider_model: route.providerModel,
      priority: route.priority,
      verdict: route.verdict,
      until: time(route.until),
      score: route.score,
      success: route.success,
      latency_ms: whole(route.latencyMs),
      cost_micro_usd: whole(route.costMicroUsd),
      quality: whole(route.quality),
      is_down: route.isDown,
    })),
    error_kind: attempt.errorKind,
    is_permanent: attempt.isPermanent,
    cost_micro_usd: attempt.costMicroUsd,
    started_at: isoSeconds(attempt.startedAt),
    finished_at: time(attempt.finishedAt),
  }
}

/** Tells a client when to ask again, in the body and as the header. */
export function pollHeaders(job: JobView): Record<string, string> {
  return job.pollAfterSeconds === null ? {} : { 'retry-after': String(job.pollAfterSeconds) }
}

export function presentUser(user: User, mode: string) {
  return {
    external_id: user.externalId,
    mode,
    token_balance: user.balance,
    tokens_reserved: user.reserved,
    total_jobs: user.totalJobs,
    successful_jobs: user.successfulJobs,
    metadata: JSON.parse(user.metadata) as Record<string, string>,
    is_active: user.isActive === 1,
    created_at: isoSeconds(user.createdAt),
  }
}

export function presentBalance(balance: Balance, replenishedAt: number | null) {
  const { nextExpiry } = balance
  return {
    available: balance.available,
    reserved: balance.reserved,
    bonus: balance.bonus,
    purchased: balance.purchased,
    subscription: balance.subscription,
    total_allocated: balance.totalAllocated,
    owed: balance.owed,
    next_expiry: nextExpiry && { amount: nextExpiry.amount, at: isoSeconds(nextExpiry.at) },
    next_replenishment_at: time(replenishedAt),
  }
}

export function presentEntry(entry: Entry) {
  return {
    id: formatId('entry', entry.id),
    amount: entry.amount,
    balance_after: entry.balanceAfter,
    type: entry.type,
    description: entry.description,
    job_id: entry.jobId === null ? null : formatId('job', entry.jobId),
    created_at: isoSeconds(entry.createdAt),
  }
}

export function presentModel(deps: Deps, model: Model, isAvailable: boolean) {
  return {
    name: model.name,
    display_name: model.displayName,
    kind: model.kind,
    family: model.family,
    description: model.description,
    token_cost: model.tokenCost,
    supports_images: model.maxInputImages > 0,
    supports_prompt: model.supportsPrompt,
    max_input_images: model.maxInputImages,
    supported_aspect_ratios: model.aspectRatios,
    input_schema: describeInput(deps, model),
    available: isAvailable,
  }
}

/** The fields in the order of the columns of a CSV. */
export function presentUsage(sums: Sums) {
  const { jobs, succeeded, failed, outputs, costMicroUsd } = sums
  const average = (sum: number, count: number) => (count === 0 ? null : Math.round(sum / count))
  const judged = succeeded + failed
  return {
    jobs,
    succeeded,
    failed,
    cancelled: sums.cancelled,
    outputs,
    tokens: sums.tokens,
    provider_cost_micro_usd: costMicroUsd,
    average_ms: average(sums.durationMs, jobs),
    cost_per_job_micro_usd: average(costMicroUsd, jobs),
    cost_per_output_micro_usd: average(costMicroUsd, outputs),
    success_rate: judged === 0 ? null : Math.round((succeeded / judged) * 10_000) / 10_000,
  }
}

function time(ms: number | null): string | null {
  return ms === null ? null : isoSeconds(ms)
}

/** Averages have fractions, and the wire's counts have none. */
function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value)
}
