import type { RouteMetrics } from './metrics'
import type { Strategy } from './strategy'
import type { Weights } from './weights'

/** A route as it is compared with the others of its model. */
export type Ranked = {
  priority: number
  /** 0 to 100. */
  quality: number
  /** By the route's rates for this job, micro-USD an output; null where it has none. */
  listedCostMicroUsd: number | null
  metrics: RouteMetrics
}

/** Until then a route counts as good as the best, so that it is tried and becomes known. */
const ENOUGH_SAMPLES = 3

/**
 * Pure: the routes in the order of the strategy, each with what it made of them (null: by priority). Equal
 * ones stand by priority, then as they came.
 */
export function rank<R extends Ranked>(
  routes: readonly R[],
  strategy: Strategy,
  weights: Weights,
): { route: R; score: number | null }[] {
  const score = strategy === 'priority' ? () => null : scorer(routes, weights[strategy])
  return routes
    .map(route => ({ route, score: score(route) }))
    .sort((a, b) => (b.score ?? 0) - (a.score ?? 0) || a.route.priority - b.route.priority)
}

/** What an output costs there: measured where it was, else by the rates. */
export function costOf({ metrics, listedCostMicroUsd }: Ranked): number | null {
  return metrics.costMicroUsd ?? listedCostMicroUsd
}

function scorer(routes: readonly Ranked[], weights: Weights['balanced']) {
  const best = {
    cost: least(routes.map(costOf)),
    latencyMs: least(routes.map(latencyOf)),
  }
  const total = weights.cost + weights.speed + weights.reliability + weights.quality
  return (route: Ranked): number => {
    const { metrics, quality } = route
    const cost = costOf(route)
    const latencyMs = latencyOf(route)
    const sum =
      // A price that nobody knows is no bargain.
      weights.cost * (cost === null ? 0 : share(best.cost, cost)) +
      weights.speed * (latencyMs === null ? 1 : share(best.latencyMs, latencyMs)) +
      weights.reliability * (metrics.samples < ENOUGH_SAMPLES ? 1 : metrics.success) +
      weights.quality * (quality / 100)
    return total === 0 ? 0 : Math.round((sum / total) * 1_000) / 1_000
  }
}

/** Null while it is not known well enough; for ever where nothing came back yet. */
function latencyOf({ metrics }: Ranked): number | null {
  if (metrics.samples < ENOUGH_SAMPLES) return null
  return metrics.latencyMs ?? Number.POSITIVE_INFINITY
}

/** 1 for the best, a half for twice as much. */
function share(best: number | null, value: number): number {
  if (value <= 0 || best === null) return 1
  if (value === Number.POSITIVE_INFINITY) return 0
  return Math.max(best, 0) / value
}

function least(values: (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}
