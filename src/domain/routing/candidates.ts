import type { JobId, ModelId, RouteId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { findProvider, isUsable } from '@/domain/providers'
import type { RouteConfig } from '@/providers/spec'
import type { Candidate } from './decide'
import { listedCost } from './listed-cost'
import { type RouteMetrics, UNKNOWN_ROUTE } from './metrics'
import { readMetrics } from './record'
import { parseRouteConfig } from './route-config'
import { SANDBOX } from './sandbox'
import { aheadOf } from './slots'

export type With = Pick<Deps, 'providers' | 'db' | 'cache' | 'config' | 'secrets' | 'log'>

type Row = {
  routeId: RouteId
  provider: string
  providerModel: string
  priority: number
  config: string
  maxConcurrent: number | null
  quality: number | null
}
export type Route = Omit<Row, 'config'> & { config: RouteConfig }

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
export function routesOf(deps: Pick<Deps, 'db' | 'cache' | 'log'>, modelId: ModelId): Route[] {
  return deps.cache.get(`routes:${modelId}`, () =>
    routes
      .all(deps.db, { modelId })
      // Test keys always run there, and live jobs never do.
      .filter(({ provider }) => provider !== SANDBOX)
      .flatMap(row => {
        const config = readConfig(deps, row)
        return config ? [{ ...row, config }] : []
      }),
  )
}

/** One route that cannot be read must not take the others of its model along. */
function readConfig({ log }: Pick<Deps, 'log'>, { routeId, config }: Row): RouteConfig | null {
  try {
    return parseRouteConfig(config)
  } catch (error) {
    log.error('a route cannot be read and is left out', { route: routeId, error })
    return null
  }
}

/** Those of them that could serve at all. */
export function usableRoutesOf(deps: With, modelId: ModelId): Route[] {
  return routesOf(deps, modelId).filter(({ provider }) => isUsable(deps, provider))
}

/** They as they are now, for this job. */
export function candidatesFor(
  deps: With,
  tx: Tx,
  job: { id: JobId; modelId: ModelId; seconds: number | null },
): Candidate[] {
  return usableRoutesOf(deps, job.modelId).map(route => ({
    routeId: route.routeId,
    provider: route.provider,
    providerModel: route.providerModel,
    priority: route.priority,
    quality: route.quality ?? USUAL_QUALITY,
    maxConcurrent: route.maxConcurrent,
    taken: takenOf(tx, job.id, route),
    listedCostMicroUsd: listedCost(route.config, { outputs: 1, seconds: job.seconds }),
    isDown: findProvider(deps, route.provider)?.health === 'down',
    metrics: metricsOf(tx, route.routeId),
  }))
}

/** Nobody counts where nobody minds, nor who stands in the line of a route that is full without them. */
function takenOf(tx: Tx, job: JobId, { routeId, maxConcurrent }: Route): number {
  if (maxConcurrent === null) return 0
  const working = open.get(tx, { routeId })?.count ?? 0
  return working + aheadOf(tx, job, routeId, maxConcurrent - working)
}

function metricsOf(tx: Tx, routeId: RouteId): RouteMetrics {
  return readMetrics(tx, routeId) ?? UNKNOWN_ROUTE
}
