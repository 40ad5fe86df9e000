import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { findEveryModel } from './every-model'
import { type CatalogRoute, findRoute } from './every-route'
import { whole } from './whole'

/** What is absent stays as it is. */
export type RouteChange = {
  /** Lowest first. */
  priority?: number
  /** Null: as many as come. */
  maxConcurrent?: number | null
  /** 0 to 100; null: like a usual one. */
  quality?: number | null
  isEnabled?: boolean
}

const MAX_PRIORITY = 1_000
const MAX_CONCURRENT = 10_000

const update = command<{
  id: number
  priority: number
  maxConcurrent: number | null
  quality: number | null
  isEnabled: number
  now: number
}>(
  // A route that a seed switched off has `off:` before its hash, and a later seed may switch it on again.
  // Once an operator said so too it stays off, and on when they say that: it is no longer the seed's.
  `UPDATE model_routes SET priority = $priority, max_concurrent = $maxConcurrent, quality = $quality,
     is_enabled = $isEnabled, updated_at = $now,
     seed_hash = CASE WHEN $isEnabled = 0 THEN replace(seed_hash, 'off:', 'set:') ELSE seed_hash END
   WHERE id = $id`,
)

/**
 * An operator's change of who serves a model. What was changed here is never a seed's again. Throws 400 naming
 * the field, `model_not_found`, and `not_found` where the vendor does not serve the model.
 */
export async function setRoute(
  deps: Deps,
  actor: Actor,
  place: { model: string; provider: string },
  change: RouteChange,
): Promise<CatalogRoute> {
  check(change)
  return await write(deps.db, tx => {
    const model = findEveryModel(tx, place.model)
    if (!model) throw new AppError('model_not_found')
    const route = findRoute(tx, model.id, place.provider)
    if (!route) throw new AppError('not_found')
    const { priority = route.priority, maxConcurrent = route.maxConcurrent } = change
    const { quality = route.quality } = change
    const isEnabled = Number(change.isEnabled ?? route.isEnabled === 1) as 0 | 1
    const columns = { priority, maxConcurrent, quality, isEnabled }
    update.run(tx, { id: route.id, ...columns, now: tx.now })
    record(tx, actor, 'route.change', formatId('model', model.id), { ...place, ...change })
    tx.after(() => deps.cache.clear())
    return { ...route, ...columns }
  })
}

function check({ priority, maxConcurrent, quality }: RouteChange): void {
  if (priority !== undefined) whole('priority', priority, 0, MAX_PRIORITY)
  if (typeof maxConcurrent === 'number') whole('max_concurrent', maxConcurrent, 1, MAX_CONCURRENT)
  if (typeof quality === 'number') whole('quality', quality, 0, 100)
}
