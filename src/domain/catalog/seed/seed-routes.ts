import { invariant } from '@/base/invariant'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { hashOf, mayFollow, type Seeded, SMALL } from './follow'
import type { SeedModel, SeedProvider, SeedRoute } from './types'

type RouteColumns = {
  provider_model: string
  priority: number
  config: string
  max_concurrent: number | null
  quality: number | null
}
type Place = { model_id: number; provider_id: number }
type RouteRow = Seeded<RouteColumns> & Place & { is_enabled: 0 | 1 }

const everyRow = query<Record<string, never>, RouteRow>(
  `SELECT id, model_id, provider_id, is_enabled, seed_hash, provider_model, priority, config,
     max_concurrent, quality FROM model_routes`,
  SMALL,
)
const insert = command<RouteColumns & Place & { id: number; seedHash: string; now: number }>(
  `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config,
     max_concurrent, quality, is_enabled, seed_hash, created_at, updated_at)
   VALUES ($id, $model_id, $provider_id, $provider_model, $priority, $config,
     $max_concurrent, $quality, 1, $seedHash, $now, $now)`,
)
const update = command<
  RouteColumns & { id: number; isEnabled: 0 | 1; seedHash: string; now: number }
>(
  `UPDATE model_routes SET provider_model = $provider_model, priority = $priority, config = $config,
     max_concurrent = $max_concurrent, quality = $quality, is_enabled = $isEnabled, seed_hash = $seedHash, updated_at = $now WHERE id = $id`,
)
const switchOff = command<{ id: number; seedHash: string; now: number }>(
  'UPDATE model_routes SET is_enabled = 0, seed_hash = $seedHash, updated_at = $now WHERE id = $id',
)

/** Before the hash of a route that a seed switched off: only such a one does a later seed switch on again. */
const SWITCHED_OFF = 'off:'

type Ids = ReadonlyMap<string, number>

/** Routes that a model of the seed no longer has are switched off where nobody has changed them. */
export function seedRoutes(
  tx: Tx,
  models: readonly SeedModel[],
  {
    vendors,
    providerIds,
    modelIds,
  }: { vendors: readonly SeedProvider[]; providerIds: Ids; modelIds: Ids },
): void {
  const known = everyRow.all(tx, {})
  for (const { name, routes } of models) {
    const modelId = idIn(modelIds, name)
    const left = new Map(
      known.filter(row => row.model_id === modelId).map(row => [row.provider_id, row]),
    )
    for (const route of routes) {
      const providerId = idIn(providerIds, route.provider)
      const place = { model_id: modelId, provider_id: providerId }
      seedRoute(tx, left.get(providerId), place, columnsOf(route, vendors))
      left.delete(providerId)
    }
    for (const row of left.values()) leaveOut(tx, row)
  }
}

function seedRoute(tx: Tx, row: RouteRow | undefined, place: Place, columns: RouteColumns): void {
  const newHash = hashOf(columns)
  if (!row) {
    insert.run(tx, { id: tx.id(), ...place, ...columns, seedHash: newHash, now: tx.now })
    return
  }
  const { id, is_enabled, seed_hash, model_id: _, provider_id: __, ...present } = row
  const comesBack = is_enabled === 0 && seed_hash === SWITCHED_OFF + hashOf(present)
  if (comesBack || mayFollow(present, seed_hash, newHash)) {
    const isEnabled = comesBack ? 1 : is_enabled
    update.run(tx, { id, isEnabled, ...columns, seedHash: newHash, now: tx.now })
  }
}

function leaveOut(tx: Tx, row: RouteRow): void {
  const { id, is_enabled, seed_hash, model_id: _, provider_id: __, ...present } = row
  if (is_enabled === 1 && seed_hash === hashOf(present)) {
    switchOff.run(tx, { id, seedHash: SWITCHED_OFF + seed_hash, now: tx.now })
  }
}

function columnsOf(route: SeedRoute, vendors: readonly SeedProvider[]): RouteColumns {
  const usualAtOnce = vendors.find(({ name }) => name === route.provider)?.usualAtOnce
  return {
    provider_model: route.providerModel,
    priority: route.priority,
    config: JSON.stringify(route.config),
    max_concurrent: route.maxConcurrent ?? usualAtOnce ?? null,
    quality: route.quality ?? null,
  }
}

function idIn(ids: Ids, name: string): number {
  const id = ids.get(name)
  invariant(id !== undefined, `the seed has what it names: ${name}`)
  return id
}
