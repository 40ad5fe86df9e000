import { HOUR, MINUTE, SECOND } from '@/base/clock'

/** What was learnt of a route. Averages forget slowly; times are milliseconds, costs micro-USD an output. */
export type RouteMetrics = {
  /** Ended attempts that told something of the route. */
  samples: number
  /** 0 to 1. */
  success: number
  latencyMs: number | null
  costMicroUsd: number | null
  /** In a row, of the kinds that are the route's fault. */
  failures: number
  /** In a row: each is twice as long. */
  rests: number
  restingUntil: number | null
  restReason: string | null
  /** One job finds out whether the rest is over; nobody else goes there until then. */
  probeUntil: number | null
  probeAttemptId: number | null
}

export const UNKNOWN_ROUTE: RouteMetrics = {
  samples: 0,
  success: 1,
  latencyMs: null,
  costMicroUsd: null,
  failures: 0,
  rests: 0,
  restingUntil: null,
  restReason: null,
  probeUntil: null,
  probeAttemptId: null,
}

/** How an attempt at a route ended, as far as it tells something of the route. */
export type RouteOutcome =
  | { kind: 'succeeded'; latencyMs: number; costMicroUsd: number | null }
  /** It answered, and its answer was no: the route is well. */
  | { kind: 'answered' }
  | { kind: 'failed'; reason: string }
  | { kind: 'limited'; until: number | null }
  /** Nothing is known of it: cancelled, or our own trouble. */
  | { kind: 'unheard' }

/** How many failures in a row a route may have before it rests. */
const MAX_FAILURES = 5
const FIRST_REST_MS = 15 * SECOND
const LONGEST_REST_MS = 10 * MINUTE
/** A vendor may say tomorrow; once an hour it is worth asking. */
const LONGEST_LIMIT_MS = HOUR
/** The newest attempt counts this much; the first ones count alike. */
const WEIGHT = 0.1
/** A probe whose start is not answered by then makes room for the next. */
const PROBE_START_MS = MINUTE
/** What was accepted and has not failed by then opens the route: a film takes minutes. */
const PROBE_END_MS = 30 * SECOND

const LIMITED = 'rate limited'

/** Pure. `attemptId` tells the probe from attempts that began before the route rested. */
export function afterOutcome(
  metrics: RouteMetrics,
  attemptId: number,
  outcome: RouteOutcome,
  now: number,
): RouteMetrics {
  const isProbe = metrics.probeAttemptId === attemptId
  // What began before the rest tells nothing new about it.
  const isOfBefore = !isProbe && beganBeforeRest(metrics, attemptId)
  switch (outcome.kind) {
    case 'unheard':
      return isProbe ? withoutProbe(metrics, now) : metrics
    case 'answered':
      return isOfBefore ? metrics : awake(metrics, now)
    case 'succeeded': {
      const measured = {
        ...withSample(metrics, 1),
        latencyMs: average(metrics.latencyMs, outcome.latencyMs, metrics.samples),
        costMicroUsd:
          outcome.costMicroUsd === null
            ? metrics.costMicroUsd
            : average(metrics.costMicroUsd, outcome.costMicroUsd, metrics.samples),
      }
      return isOfBefore ? measured : awake(measured, now)
    }
    case 'failed': {
      const measured = withSample(metrics, 0)
      return isOfBefore ? measured : afterFailure(measured, outcome.reason, now)
    }
    case 'limited':
      return limited(metrics, outcome.until, isOfBefore, now)
  }
}

/** Nobody but the probe begins from the rest on until the probe was accepted, and ids follow time. */
function beganBeforeRest(metrics: RouteMetrics, attemptId: number): boolean {
  const { rests, restingUntil, probeAttemptId } = metrics
  if (rests === 0) return false
  return restingUntil !== null || (probeAttemptId !== null && attemptId < probeAttemptId)
}

/** The route was chosen: after a rest by one attempt only. */
export function afterChoice(metrics: RouteMetrics, attemptId: number, now: number): RouteMetrics {
  if (metrics.restingUntil === null) return metrics
  // A limit with a date is over when it says so; nobody needs to find out.
  if (metrics.rests === 0) return { ...metrics, restingUntil: null, restReason: null }
  return { ...metrics, probeUntil: now + PROBE_START_MS, probeAttemptId: attemptId }
}

/** The vendor took the probe's job on. It opens the route when it ends well, or does not end badly soon. */
export function afterAcceptance(metrics: RouteMetrics, now: number): RouteMetrics {
  const restingUntil = isHeld(metrics, now) ? metrics.restingUntil : null
  return { ...metrics, restingUntil, probeUntil: now + PROBE_END_MS }
}

/** It ended without an answer. Had it not opened the route yet, another one has to find out. */
function withoutProbe(metrics: RouteMetrics, now: number): RouteMetrics {
  if (metrics.probeUntil === null || metrics.probeUntil <= now) return metrics
  const restingUntil = metrics.restingUntil ?? now
  return { ...metrics, restingUntil, probeUntil: null, probeAttemptId: null }
}

function awake(metrics: RouteMetrics, now: number): RouteMetrics {
  // A limit with a date holds, however well those went that had begun before it.
  const isLimited = isHeld(metrics, now)
  return {
    ...metrics,
    failures: 0,
    rests: 0,
    restingUntil: isLimited ? metrics.restingUntil : null,
    restReason: isLimited ? metrics.restReason : null,
    probeUntil: null,
    probeAttemptId: null,
  }
}

function afterFailure(metrics: RouteMetrics, reason: string, now: number): RouteMetrics {
  const failures = metrics.failures + 1
  if (failures < MAX_FAILURES) return { ...metrics, failures }
  const restMs = Math.min(FIRST_REST_MS * 2 ** metrics.rests, LONGEST_REST_MS)
  // A limit with a date may hold for longer than the rest.
  const until = Math.max(now + restMs, metrics.restingUntil ?? 0)
  return resting({ ...metrics, failures, rests: metrics.rests + 1 }, until, reason)
}

function limited(
  metrics: RouteMetrics,
  until: number | null,
  isOfBefore: boolean,
  now: number,
): RouteMetrics {
  const date = until === null ? null : Math.min(until, now + LONGEST_LIMIT_MS)
  if (isOfBefore || (date !== null && isHeld(metrics, now))) {
    // Many hear of one limit at once. Only its date counts, which is obeyed whoever hears it.
    return date === null || date <= Math.max(metrics.restingUntil ?? 0, now)
      ? metrics
      : { ...metrics, restingUntil: date, restReason: LIMITED }
  }
  const after = afterFailure(metrics, LIMITED, now)
  if (date === null) return after
  return resting(after, Math.max(date, after.restingUntil ?? 0), LIMITED)
}

function resting(metrics: RouteMetrics, until: number, reason: string): RouteMetrics {
  return {
    ...metrics,
    restingUntil: until,
    restReason: reason,
    probeUntil: null,
    probeAttemptId: null,
  }
}

function isHeld({ restingUntil }: RouteMetrics, now: number): boolean {
  return restingUntil !== null && restingUntil > now
}

function withSample(metrics: RouteMetrics, success: 0 | 1): RouteMetrics {
  return {
    ...metrics,
    samples: metrics.samples + 1,
    success: average(metrics.samples === 0 ? null : metrics.success, success, metrics.samples),
  }
}

/** A plain mean at first, so that the first sample does not stay for long what it happened to be. */
function average(before: number | null, value: number, samples: number): number {
  if (before === null) return value
  return before + (value - before) * Math.max(WEIGHT, 1 / (samples + 1))
}
