import type { JobId, ModelId, RealmId, RouteId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps, Mode } from '@/deps'
import { settingOf } from '@/domain/settings'
import { candidatesFor, routesOf, usableRoutesOf, type With } from './candidates'
import { decide, type Tried } from './decide'
import type { Decision } from './decision'
import { sentenceOf } from './explain'
import { SANDBOX } from './sandbox'
import { passOn } from './slots'
import { isStrategy, type Strategy } from './strategy'
import { WEIGHTS } from './weights'

export type JobToServe = {
  id: JobId
  realmId: RealmId
  mode: Mode
  modelId: ModelId
  modelName: string
  /** The length that was asked for, of what is priced by it. */
  seconds: number | null
  tried: Tried[]
  /** What the user's plan says; null or absent: nothing. */
  planStrategy?: Strategy | null
}

export type Choice = {
  /** Null on the sandbox, which has no routes. */
  routeId: RouteId | null
  provider: string
  providerModel: string
  /** Why this one, in words. */
  reason: string
  decision: Decision | null
}

export type Chosen =
  | { act: 'serve'; choice: Choice }
  /** Nobody can now: look again at `until` (null: nobody knows when), or when a full route calls. */
  | { act: 'wait'; until: number | null; full: number[]; reason: string }
  | { act: 'none' }

const ownStrategies = query<
  { modelId: number; realmId: number },
  { model: string | null; app: string | null }
>(
  `SELECT (SELECT strategy FROM models WHERE id = $modelId) AS model,
     (SELECT strategy FROM apps WHERE id = (SELECT app_id FROM realms WHERE id = $realmId)) AS app`,
)

/** Who serves this job now, as far as rows can tell; `decide` has the rules. */
export function choose(deps: With, job: JobToServe, tx: Tx): Chosen {
  if (job.mode === 'test') return chooseSandbox(deps, job, tx.now)
  const decided = decide({
    strategy: strategyFor(deps, job),
    weights: settingOf(deps, WEIGHTS),
    candidates: candidatesFor(deps, tx, job),
    tried: job.tried,
    now: tx.now,
  })
  const reason = sentenceOf(decided.decision)
  const routeId = decided.act === 'serve' ? (decided.candidate.routeId as RouteId) : null
  if (decided.act !== 'wait') passOn(tx, job.id, routeId)
  if (decided.act === 'none') return { act: 'none' }
  if (decided.act === 'wait') {
    return { act: 'wait', until: decided.until, full: decided.full, reason }
  }
  const { provider, providerModel } = decided.candidate
  return {
    act: 'serve',
    choice: {
      routeId,
      provider,
      providerModel,
      reason,
      decision: decided.decision,
    },
  }
}

/** The model's own strategy, else that of the user's plan, else the app's, else by priority. */
export function strategyFor(
  deps: Pick<Deps, 'db' | 'cache'>,
  {
    modelId,
    realmId,
    planStrategy = null,
  }: { modelId: ModelId; realmId: RealmId; planStrategy?: Strategy | null },
): Strategy {
  const known = deps.cache.get(`strategy:${modelId}:${realmId}`, () =>
    ownStrategies.get(deps.db, { modelId, realmId }),
  )
  const strategy = known?.model ?? planStrategy ?? known?.app ?? ''
  return isStrategy(strategy) ? strategy : 'priority'
}

/** Whether a job submitted now would find anybody, today or after somebody's rest. */
export function canServe(deps: With, request: { mode: Mode; modelId: ModelId }): boolean {
  if (request.mode === 'test') return deps.providers.get(SANDBOX) !== null
  return usableRoutesOf(deps, request.modelId).length > 0
}

/** What is missing for live jobs of a model, for its operator; null when somebody serves it. */
export function whyNotServed(deps: With, modelId: ModelId): string | null {
  if (usableRoutesOf(deps, modelId).length > 0) return null
  const names = [...new Set(routesOf(deps, modelId).map(({ provider }) => provider))]
  if (names.length === 0) return 'no provider serves this model'
  return `it would be served by ${names.join(', ')}: set up a key, or switch one on`
}

function chooseSandbox(
  deps: Pick<Deps, 'providers'>,
  { modelName, tried }: JobToServe,
  now: number,
): Chosen {
  if (deps.providers.get(SANDBOX) === null) return { act: 'none' }
  if (tried.some(({ isPermanent }) => isPermanent)) return { act: 'none' }
  const retryAt = Math.max(0, ...tried.map(attempt => attempt.retryAt ?? 0))
  if (retryAt > now) return { act: 'wait', until: retryAt, full: [], reason: 'tried a moment ago' }
  return {
    act: 'serve',
    choice: {
      routeId: null,
      provider: SANDBOX,
      providerModel: modelName,
      reason: 'test keys run on the sandbox',
      decision: null,
    },
  }
}
