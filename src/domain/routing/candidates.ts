import type { JobId, ModelId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { findProvider, isUsable } from '@/domain/providers'
import type { Candidate } from './decide'
import { listedCost } from './listed-cost'
import { type RouteMetrics, UNKNOWN_ROUTE } from './metrics'
import { readMetrics } from './record'
import { parseRouteConfig } from './route-config'
import { SANDBOX } from './sandbox'
import { aheadOf } from './slots'

export type With = Pick<Deps, 'providers' | 'db' | 'cache' | 'config' | 'secrets'>

type Row = {
  routeId: RouteId
  provider: string
  providerModel: string
  priority: number
  config: string
  maxConcurrent: number | null
  quality: number | null
}
export type Route = Omit<Row, 'config'> & { config: ReturnType<typeof parseRouteConfig> }

const routes = query<{ modelId: number }, Row>(
  `SELECT r.id AS routeId, p.name AS provider, r.provider_model AS providerModel, r.priority, r.config,
     r.max_concurrent AS maxConcurrent, r.quality
   FROM model_routes r JOIN providers p ON p.id = r.provider_id
   WHERE r.model_id = $modelId AND r.is_enabled = 1 ORDER BY r.priority, r.id`,
)
const open = query<{ routeId: number }, { count: number }>(
  `SELECT count(*) AS count FROM attempts
   WHERE route_id = $routeId AND route_id IS NOT NULL AND state IN ('starting', 'waiting')`,
)

/** Where nobody said how good a route is. */
const USUAL_QUALITY = 50

/** The enabled routes of a model, of vendors that are here or not. */
export function routesOf(deps: Pick<Deps, 'db' | 'cache'>, modelId: ModelId): Route[] {
  return deps.cache.get(`routes:${modelId}`, () =>
    routes
      .all(deps.db, { modelId })
      // Test keys always run there, and live jobs never do.
      .filter(({ provider }) => provider !== SANDBOX)
      .map(row => ({ ...row, config: parseRouteConfig(row.config) })),
  )
}

/** Those of them that could serve at all. */
export function usableRoutesOf(deps: With, modelId: ModelId): Route[] {
  return routesOf(deps, modelId).filter(({ provider }) => isUsable(deps, provider))
}

/** They as they are now, for this job. */
export function candidatesFor(
  deps: With,
  from: Db | Tx,
  job: { id: JobId; modelId: ModelId; seconds: number | null },
): Candidate[] {
  return usableRoutesOf(deps, job.modelId).map(route => ({
    routeId: route.routeId,
    provider: route.provider,
    providerModel: route.providerModel,
    priority: route.priority,
    quality: route.quality ?? USUAL_QUALITY,
    maxConcurrent: route.maxConcurrent,
    taken: route.maxConcurrent === null ? 0 : takenOf(deps.db, from, job.id, route.routeId),
    listedCostMicroUsd: listedCost(route.config, { outputs: 1, seconds: job.seconds }),
    isDown: findProvider(deps, route.provider)?.health === 'down',
    metrics: metricsOf(from, route.routeId),
  }))
}

function takenOf(db: Db, from: Db | Tx, job: JobId, routeId: RouteId): number {
  return (open.get(from, { routeId })?.count ?? 0) + aheadOf(db, job, routeId)
}

function metricsOf(from: Db | Tx, routeId: RouteId): RouteMetrics {
  return readMetrics(from, routeId) ?? UNKNOWN_ROUTE
}
