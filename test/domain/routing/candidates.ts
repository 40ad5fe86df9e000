import type { Candidate, Decided, Request, Tried } from '@/domain/routing/decide'
import { decide } from '@/domain/routing/decide'
import { type RouteMetrics, UNKNOWN_ROUTE } from '@/domain/routing/metrics'
import { WEIGHTS } from '@/domain/routing/weights'

/** 12:00:00 UTC. */
export const NOW = Date.UTC(2026, 0, 15, 12)

export type Change = Partial<Omit<Candidate, 'metrics'>> & { metrics?: Partial<RouteMetrics> }

/** A route of which nothing is known, at a vendor that is named after its number. */
export function candidate(routeId: number, change: Change = {}): Candidate {
  return {
    routeId,
    provider: `vendor-${routeId}`,
    providerModel: `model-${routeId}`,
    priority: routeId,
    quality: 50,
    maxConcurrent: null,
    taken: 0,
    listedCostMicroUsd: null,
    isDown: false,
    ...change,
    metrics: metrics(change.metrics),
  }
}

export function metrics(change: Partial<RouteMetrics> = {}): RouteMetrics {
  return { ...UNKNOWN_ROUTE, ...change }
}

/** An earlier attempt that may be repeated at once. */
export function tried(routeId: number | null, change: Partial<Tried> = {}): Tried {
  return { routeId, isPermanent: false, retryAt: null, ...change }
}

export function decideAmong(candidates: Candidate[], change: Partial<Request> = {}): Decided {
  const request = { strategy: 'priority', tried: [], now: NOW } as const
  return decide({ ...request, weights: WEIGHTS.usual, candidates, ...change })
}

/** The number of the route that serves; null when none does. */
export function servedBy(decided: Decided): number | null {
  return decided.act === 'serve' ? decided.candidate.routeId : null
}
