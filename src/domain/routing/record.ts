import type { AttemptId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import {
  afterAcceptance,
  afterChoice,
  afterOutcome,
  type RouteMetrics,
  type RouteOutcome,
  UNKNOWN_ROUTE,
} from './metrics'
import { callNext } from './slots'

const select = query<{ routeId: number }, RouteMetrics>(
  `SELECT samples, success, latency_ms AS latencyMs, cost_micro_usd AS costMicroUsd, failures, rests,
     resting_until AS restingUntil, rest_reason AS restReason, probe_until AS probeUntil,
     probe_attempt_id AS probeAttemptId
   FROM route_metrics WHERE route_id = $routeId`,
)
const upsert = command<{
  routeId: number
  samples: number
  success: number
  latencyMs: number | null
  costMicroUsd: number | null
  failures: number
  rests: number
  restingUntil: number | null
  restReason: string | null
  probeUntil: number | null
  probeAttemptId: number | null
  now: number
}>(
  `INSERT INTO route_metrics (route_id, samples, success, latency_ms, cost_micro_usd, failures, rests,
     resting_until, rest_reason, probe_until, probe_attempt_id, updated_at)
   SELECT $routeId, $samples, $success, $latencyMs, $costMicroUsd, $failures, $rests, $restingUntil,
     $restReason, $probeUntil, $probeAttemptId, $now
   -- One that was deleted by hand while it worked is remembered no more.
   WHERE EXISTS (SELECT 1 FROM model_routes WHERE id = $routeId)
   ON CONFLICT (route_id) DO UPDATE SET samples = excluded.samples, success = excluded.success,
     latency_ms = excluded.latency_ms, cost_micro_usd = excluded.cost_micro_usd,
     failures = excluded.failures, rests = excluded.rests, resting_until = excluded.resting_until,
     rest_reason = excluded.rest_reason, probe_until = excluded.probe_until,
     probe_attempt_id = excluded.probe_attempt_id, updated_at = excluded.updated_at`,
)

/** What is known of a route; null before its first attempt has ended. */
export function readMetrics(from: Db | Tx, routeId: RouteId): RouteMetrics | null {
  return select.get(from, { routeId })
}

/** The attempt was given to the route, in the write that inserts it. */
export function recordChoice(tx: Tx, routeId: RouteId, attemptId: AttemptId): void {
  change(tx, routeId, metrics => afterChoice(metrics, attemptId, tx.now))
}

/** Its vendor works on it. Matters to a probe only, and most attempts are none. */
export function recordAcceptance(tx: Tx, routeId: RouteId, attemptId: AttemptId): void {
  change(tx, routeId, metrics =>
    metrics.probeAttemptId === attemptId && metrics.restingUntil !== null
      ? afterAcceptance(metrics, tx.now)
      : metrics,
  )
}

/** It has ended, or will not be heard of: what that tells of the route, and a place for the next. */
export function recordOutcome(
  tx: Tx,
  routeId: RouteId,
  attemptId: AttemptId,
  outcome: RouteOutcome,
): void {
  change(tx, routeId, metrics => afterOutcome(metrics, attemptId, outcome, tx.now))
  callNext(tx, routeId)
}

function change(tx: Tx, routeId: RouteId, act: (metrics: RouteMetrics) => RouteMetrics): void {
  const before = readMetrics(tx, routeId) ?? UNKNOWN_ROUTE
  const after = act(before)
  if (after !== before) upsert.run(tx, { routeId, ...after, now: tx.now })
}
