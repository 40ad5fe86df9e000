import { SECOND } from '@/base/clock'
import type { Considered, Decision } from './decision'
import { costOf, type Ranked, rank } from './rank'
import type { Strategy } from './strategy'
import type { Weights } from './weights'

/** A route that could serve the model at all: its vendor is here, switched on and has a key. */
export type Candidate = Ranked & {
  routeId: number
  provider: string
  providerModel: string
  maxConcurrent: number | null
  /** How many it works on now, those included who are ahead of this job in its line. */
  taken: number
  /** The last checks of the vendor failed: asked only when nobody else is left. */
  isDown: boolean
}

/** An earlier attempt of the job, oldest first. */
export type Tried = {
  routeId: number | null
  /** For good: this job never goes there again. */
  isPermanent: boolean
  /** When this job may go there again. */
  retryAt: number | null
}

export type Request = {
  strategy: Strategy
  weights: Weights
  candidates: readonly Candidate[]
  tried: readonly Tried[]
  now: number
}

export type Decided =
  | { act: 'serve'; candidate: Candidate; decision: Decision }
  /** Nobody can now. `until` is when to look again; a full route may call earlier. */
  | { act: 'wait'; until: number | null; full: number[]; decision: Decision }
  /** Nobody ever will. */
  | { act: 'none'; decision: Decision }

/**
 * Who serves a job now. Pure: everything that it depends on comes in, and everything that it weighed
 * goes out. Of those who can, the ones that this job tried least come first, then those whose vendor is
 * not down, then the order of the strategy.
 */
export function decide(request: Request): Decided {
  const { candidates, tried } = request
  const timesTried = (candidate: Candidate) =>
    tried.filter(({ routeId }) => routeId === candidate.routeId).length
  const ordered = rank(candidates, request.strategy, request.weights)
    .map(({ route, score }) => ({ candidate: route, score, standing: standingOf(route, request) }))
    .sort((a, b) => Number(a.candidate.isDown) - Number(b.candidate.isDown))
  const [served] = ordered
    .filter(({ standing }) => standing.verdict === 'ready')
    .sort((a, b) => timesTried(a.candidate) - timesTried(b.candidate))
  const decision: Decision = {
    strategy: request.strategy,
    considered: ordered.map(each => describe(each, each === served)),
  }
  if (served) return { act: 'serve', candidate: served.candidate, decision }

  const waiting = ordered.filter(({ standing }) => standing.verdict !== 'refused')
  if (waiting.length === 0) return { act: 'none', decision }
  const times = waiting.flatMap(({ standing: { verdict, until } }) => {
    if (until === null) return []
    // A probe mostly ends long before its time.
    return verdict === 'probing' ? Math.min(until, request.now + PROBE_LOOK_MS) : until
  })
  return {
    act: 'wait',
    until: times.length > 0 ? Math.min(...times) : null,
    full: waiting
      .filter(({ standing }) => standing.verdict === 'full')
      .map(({ candidate }) => candidate.routeId),
    decision,
  }
}

const PROBE_LOOK_MS = 5 * SECOND

type Standing = { verdict: Considered['verdict']; until: number | null }

function standingOf(candidate: Candidate, { tried, now }: Request): Standing {
  const { metrics, maxConcurrent, taken } = candidate
  const ofThis = tried.filter(({ routeId }) => routeId === candidate.routeId)
  if (ofThis.some(({ isPermanent }) => isPermanent)) return { verdict: 'refused', until: null }
  const retryAt = Math.max(0, ...ofThis.map(attempt => attempt.retryAt ?? 0))
  if (retryAt > now) return { verdict: 'tried', until: retryAt }
  if (metrics.restingUntil !== null && metrics.restingUntil > now) {
    return { verdict: 'resting', until: metrics.restingUntil }
  }
  if (metrics.probeUntil !== null && metrics.probeUntil > now) {
    return { verdict: 'probing', until: metrics.probeUntil }
  }
  if (maxConcurrent !== null && taken >= maxConcurrent) return { verdict: 'full', until: null }
  return { verdict: 'ready', until: null }
}

function describe(
  {
    candidate,
    score,
    standing,
  }: { candidate: Candidate; score: number | null; standing: Standing },
  isChosen: boolean,
): Considered {
  const { metrics } = candidate
  const round = (value: number | null) => (value === null ? null : Math.round(value))
  return {
    provider: candidate.provider,
    providerModel: candidate.providerModel,
    priority: candidate.priority,
    verdict: isChosen ? 'chosen' : standing.verdict,
    until: standing.until,
    score,
    success: metrics.samples === 0 ? null : Math.round(metrics.success * 1_000) / 1_000,
    latencyMs: round(metrics.latencyMs),
    costMicroUsd: round(costOf(candidate)),
    quality: candidate.quality,
    isDown: candidate.isDown,
  }
}
