import type { ModelId, ProviderId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { findProvider, isUsable } from '@/domain/providers'
import { parseRouteConfig, type RouteMetrics, readMetrics } from '@/domain/routing'
import type { RouteConfig } from '@/providers/spec'

/** Who serves a model and how, as its operator sees it: also what is switched off. */
export type CatalogRoute = {
  id: RouteId
  modelId: ModelId
  provider: string
  providerModel: string
  priority: number
  maxConcurrent: number | null
  quality: number | null
  isEnabled: 0 | 1
  config: RouteConfig
}

/**
 * Whether a live job may go there now, and why not: the route or its vendor is switched off, there is no key,
 * the vendor's checks fail (it is asked when nobody else is left), or the route rests after failures.
 */
export type RouteState = 'ready' | 'off' | 'paused' | 'no_adapter' | 'no_key' | 'down' | 'resting'

type Row = Omit<CatalogRoute, 'config'> & { config: string }

const COLUMNS = `r.id, r.model_id AS modelId, p.name AS provider, r.provider_model AS providerModel,
  r.priority, r.max_concurrent AS maxConcurrent, r.quality, r.is_enabled AS isEnabled, r.config`

const ofModel = query<{ modelId: number }, Row>(
  `SELECT ${COLUMNS} FROM model_routes r JOIN providers p ON p.id = r.provider_id
   WHERE r.model_id = $modelId ORDER BY r.priority, r.id`,
)
const enabled = query<Record<string, never>, { providerId: ProviderId }>(
  'SELECT provider_id AS providerId FROM model_routes WHERE is_enabled = 1',
  { mayScan: 'the catalogue is small, and operators look at it' },
)

/** How many models a vendor has a route for that is switched on. */
export function routeCounts(db: Db): ReadonlyMap<ProviderId, number> {
  const counts = new Map<ProviderId, number>()
  for (const { providerId } of enabled.all(db, {})) {
    counts.set(providerId, (counts.get(providerId) ?? 0) + 1)
  }
  return counts
}

export function everyRouteOf(from: Db | Tx, modelId: ModelId): CatalogRoute[] {
  return ofModel.all(from, { modelId }).map(read)
}

export function findRoute(from: Db | Tx, modelId: ModelId, provider: string): CatalogRoute | null {
  return everyRouteOf(from, modelId).find(route => route.provider === provider) ?? null
}

export function stateOf(
  deps: Deps,
  route: CatalogRoute,
): { state: RouteState; metrics: RouteMetrics | null } {
  const metrics = readMetrics(deps.db, route.id)
  return { state: wordFor(deps, route, metrics), metrics }
}

function wordFor(deps: Deps, route: CatalogRoute, metrics: RouteMetrics | null): RouteState {
  const provider = findProvider(deps, route.provider)
  if (route.isEnabled !== 1) return 'off'
  if (deps.providers.get(route.provider) === null) return 'no_adapter'
  if (provider?.isEnabled !== 1) return 'paused'
  if (!isUsable(deps, route.provider)) return 'no_key'
  if ((metrics?.restingUntil ?? 0) > deps.clock.now()) return 'resting'
  return provider.health === 'down' ? 'down' : 'ready'
}

function read({ config, ...row }: Row): CatalogRoute {
  return { ...row, config: parseRouteConfig(config) }
}
