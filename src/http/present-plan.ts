import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import type { Plan, PlanFields, SubscriptionView } from '@/domain/plans'

export function presentPlan(plan: Plan, isDefault: boolean) {
  return {
    id: formatId('plan', plan.id),
    name: plan.name,
    ...presentFields(plan),
    is_enabled: plan.isEnabled,
    is_default: isDefault,
    created_at: isoSeconds(plan.createdAt),
  }
}

export function presentTemplate(name: string, fields: PlanFields) {
  return { name, ...presentFields(fields) }
}

function presentFields(fields: PlanFields) {
  return {
    display_name: fields.displayName,
    tokens_per_period: fields.tokensPerPeriod,
    period: fields.period,
    is_rollover: fields.isRollover,
    max_concurrent: fields.maxConcurrent,
    jobs_per_day: fields.jobsPerDay,
    tokens_per_day: fields.tokensPerDay,
    tokens_per_month: fields.tokensPerMonth,
    micro_usd_per_day: fields.microUsdPerDay,
    micro_usd_per_month: fields.microUsdPerMonth,
    models: fields.models,
    kinds: fields.kinds,
    strategy: fields.strategy,
    priority: fields.priority,
    has_watermark: fields.hasWatermark,
    max_upload_bytes: fields.maxUploadBytes,
  }
}

export function presentSubscription(externalId: string, subscription: SubscriptionView) {
  const { endedAt, nextReplenishmentAt } = subscription
  return {
    id: formatId('subscription', subscription.id),
    external_id: externalId,
    plan: subscription.planName,
    next_plan: subscription.nextPlanName,
    status: endedAt === null ? 'active' : 'ended',
    source: subscription.source,
    period_number: subscription.periodNumber,
    period_start: isoSeconds(subscription.periodStart),
    period_end: isoSeconds(subscription.periodEnd),
    cancel_at_period_end: subscription.isCancelled === 1,
    next_replenishment_at: nextReplenishmentAt === null ? null : isoSeconds(nextReplenishmentAt),
    created_at: isoSeconds(subscription.createdAt),
    ended_at: endedAt === null ? null : isoSeconds(endedAt),
  }
}
