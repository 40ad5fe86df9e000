import type { ModelId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps, Mode } from '@/deps'
import { isUsable } from '@/domain/providers'
import type { ProviderErrorKind } from '@/providers/errors'

/** What was tried for this job before, oldest first. */
export type Tried = { provider: string; errorKind: ProviderErrorKind | null }
export type Choice = {
  provider: string
  providerModel: string
  /** Why this one, in words, for the attempt's record. */
  reason: string
}

/** Test keys always run here, and live jobs never do. */
export const SANDBOX = 'sandbox'

type Route = { provider: string; providerModel: string; priority: number }

const routes = query<{ modelId: number }, Route>(
  `SELECT p.name AS provider, r.provider_model AS providerModel, r.priority
   FROM model_routes r JOIN providers p ON p.id = r.provider_id
   WHERE r.model_id = $modelId AND r.is_enabled = 1 AND p.is_enabled = 1
   ORDER BY r.priority, r.id`,
)

/**
 * Who serves this job now: the first route by priority whose provider is here, that has not given this
 * job its final no, least tried first. Null when nobody can.
 */
export function choose(
  deps: Pick<Deps, 'providers' | 'db' | 'cache' | 'config' | 'secrets'>,
  request: { mode: Mode; modelId: ModelId; modelName: string; tried: Tried[] },
  tx?: Tx,
): Choice | null {
  if (request.mode === 'test') return chooseSandbox(deps, request)
  const present = routes
    .all(tx ?? deps.db, { modelId: request.modelId })
    .filter(route => route.provider !== SANDBOX && isUsable(deps, route.provider))
  const refused = new Set(
    request.tried.filter(tried => tried.errorKind === 'rejected').map(tried => tried.provider),
  )
  const timesTried = (route: Route) =>
    request.tried.filter(tried => tried.provider === route.provider).length
  const [best] = present
    .filter(route => !refused.has(route.provider))
    .sort((a, b) => timesTried(a) - timesTried(b) || a.priority - b.priority)
  return best
    ? {
        provider: best.provider,
        providerModel: best.providerModel,
        reason: reasonOf(best, request.tried),
      }
    : null
}

/** Whether a job submitted now would find anybody. */
export function canServe(
  deps: Pick<Deps, 'providers' | 'db' | 'cache' | 'config' | 'secrets'>,
  request: { mode: Mode; modelId: ModelId; modelName: string },
): boolean {
  return choose(deps, { ...request, tried: [] }) !== null
}

function chooseSandbox(
  deps: Pick<Deps, 'providers'>,
  request: { modelName: string; tried: Tried[] },
): Choice | null {
  if (deps.providers.get(SANDBOX) === null) return null
  if (request.tried.some(tried => tried.errorKind === 'rejected')) return null
  return {
    provider: SANDBOX,
    providerModel: request.modelName,
    reason: 'test keys run on the sandbox',
  }
}

function reasonOf(route: Route, tried: Tried[]): string {
  const failed = [
    ...new Set(tried.map(({ provider, errorKind }) => `${provider} ${errorKind ?? 'ended'}`)),
  ]
  const history = failed.length > 0 ? `; before: ${failed.join(', ')}` : ''
  return `priority ${route.priority} of the routes that can serve it${history}`
}
