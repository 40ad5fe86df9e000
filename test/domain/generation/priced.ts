import { MODEL, rows, type Stage } from '@test/domain/jobs/stage'
import type { RouteConfig } from '@/providers/spec'

/** How the model of the stage is asked for at a vendor, and what it costs there. */
export function setConfig(on: Stage, provider: string, config: RouteConfig) {
  change(
    on,
    `UPDATE model_routes SET config = ?
     WHERE provider_id = (SELECT id FROM providers WHERE name = ?)`,
    JSON.stringify(config),
    provider,
  )
}

/** A change by an operator: whatever was read before is forgotten. */
export function change(on: Stage, sql: string, ...params: (string | number | null)[]) {
  on.deps.db.sqlite.run(sql, params)
  on.deps.cache.clear()
}

export type MetricsRow = {
  provider: string
  samples: number
  success: number
  latency_ms: number | null
  cost_micro_usd: number | null
  failures: number
  rests: number
  resting_until: number | null
}

/** What was learnt of the routes of the stage's model, in the order of their priority. */
export function learnt(on: Stage): MetricsRow[] {
  return rows<MetricsRow>(
    on,
    `SELECT p.name AS provider, m.samples, m.success, m.latency_ms, m.cost_micro_usd, m.failures, m.rests,
       m.resting_until
     FROM route_metrics m JOIN model_routes r ON r.id = m.route_id JOIN providers p ON p.id = r.provider_id
     WHERE r.model_id = (SELECT id FROM models WHERE name = ?) ORDER BY r.priority`,
    MODEL,
  )
}
