import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { type Candidate, decide, type Tried } from '@/domain/routing/decide'
import {
  afterAcceptance,
  afterChoice,
  afterOutcome,
  type RouteMetrics,
  type RouteOutcome,
  UNKNOWN_ROUTE,
} from '@/domain/routing/metrics'
import { WEIGHTS } from '@/domain/routing/weights'
import { candidate } from './candidates'

/** What a vendor does with a start: takes it on after a while or not, and how it ends, ms after the start. */
export type Behaviour = { acceptedAfterMs?: number; endsAfterMs: number; end: End }
export type End =
  | 'succeeded'
  | 'answered'
  | 'failed'
  | 'unheard'
  | { limitedForMs: number }
  | { limitedForMs: null }

export type Call = { routeId: number; at: number; isProbe: boolean; endsAt: number; end: End }

export type World = {
  now(): number
  readonly calls: Call[]
  metricsOf(routeId: number): RouteMetrics
  /** Ends what is under way there, unheard of. */
  cancelOne(routeId: number, which: number): void
  /** A job arrives at that time. */
  arrive(at: number): void
  /** Something of the test's own happens at that time. */
  plan(at: number, act: () => void): void
  runUntil(at: number): void
}

type Job = { tried: Tried[] }
type Running = { job: Job; attemptId: number; routeId: number; isOver: boolean }

const MAX_ATTEMPTS = 4
const PAUSE_MS = SECOND
const LONGEST_LOOK_MS = MINUTE

/**
 * The rules of routing as a loop in memory: routes by priority, jobs that are served, refused, tried
 * elsewhere and made to wait as the executor does it. What must never happen throws.
 */
export function world(behaviours: ((now: number) => Behaviour)[]): World {
  const routes: Candidate[] = behaviours.map((_, index) => candidate(index + 1))
  const known = new Map<number, RouteMetrics>()
  const running: Running[] = []
  const calls: Call[] = []
  const probes = new Map<number, { attemptId: number; until: number }>()
  const agenda = createAgenda()
  let now = 0
  let attempts = 0

  const metricsOf = (routeId: number) => known.get(routeId) ?? UNKNOWN_ROUTE
  const change = (routeId: number, metrics: RouteMetrics) => {
    const { restingUntil, success } = metrics
    if (restingUntil !== null && restingUntil > now + HOUR) throw new Error('rests for ever')
    if (success < 0 || success > 1) throw new Error(`success of ${success}`)
    known.set(routeId, metrics)
  }

  const serve = (job: Job) => {
    const decided = decide({
      strategy: 'priority',
      weights: WEIGHTS.usual,
      candidates: routes.map(route => ({ ...route, metrics: metricsOf(route.routeId) })),
      tried: job.tried,
      now,
    })
    if (decided.act === 'none') throw new Error('somebody always serves')
    if (decided.act === 'serve') return begin(job, decided.candidate.routeId)
    if (decided.until === null || decided.until <= now) throw new Error('waits for nothing')
    agenda.plan(Math.min(decided.until, now + LONGEST_LOOK_MS), () => serve(job))
  }

  const begin = (job: Job, routeId: number) => {
    const before = metricsOf(routeId)
    if (before.restingUntil !== null && before.restingUntil > now) throw new Error('was resting')
    const probe = probes.get(routeId)
    if (probe && probe.until > now) throw new Error('was being probed')
    const attemptId = ++attempts
    const isProbe = before.restingUntil !== null && before.rests > 0
    if (isProbe) probes.set(routeId, { attemptId, until: now + MINUTE })
    change(routeId, afterChoice(before, attemptId, now))

    const behaviour = behaviours[routeId - 1]?.(now)
    if (!behaviour) throw new Error('no such route')
    const run = { job, attemptId, routeId, isOver: false }
    const endsAt = now + behaviour.endsAfterMs
    running.push(run)
    calls.push({ routeId, at: now, isProbe, endsAt, end: behaviour.end })
    if (behaviour.acceptedAfterMs !== undefined) {
      agenda.plan(now + behaviour.acceptedAfterMs, () => accept(run))
    }
    agenda.plan(endsAt, () => finish(run, behaviour.end, behaviour.endsAfterMs))
  }

  const accept = ({ isOver, attemptId, routeId }: Running) => {
    const metrics = metricsOf(routeId)
    if (isOver || metrics.probeAttemptId !== attemptId || metrics.restingUntil === null) return
    probes.set(routeId, { attemptId, until: now + 30 * SECOND })
    change(routeId, afterAcceptance(metrics, now))
  }

  const finish = (run: Running, end: End, latencyMs: number) => {
    if (run.isOver) return
    run.isOver = true
    running.splice(running.indexOf(run), 1)
    const { routeId, attemptId, job } = run
    if (probes.get(routeId)?.attemptId === attemptId) probes.delete(routeId)
    change(
      routeId,
      afterOutcome(metricsOf(routeId), attemptId, outcomeOf(end, now, latencyMs), now),
    )
    if (end !== 'failed' && typeof end === 'string') return
    const pauseMs = typeof end === 'string' ? PAUSE_MS : (end.limitedForMs ?? PAUSE_MS)
    job.tried.push({ routeId, isPermanent: false, retryAt: now + pauseMs })
    if (job.tried.length < MAX_ATTEMPTS) serve(job)
  }

  return {
    now: () => now,
    calls,
    metricsOf,
    cancelOne(routeId, which) {
      const there = running.filter(run => run.routeId === routeId)
      const run = there[which % Math.max(there.length, 1)]
      if (run) finish(run, 'unheard', 0)
    },
    arrive: at => agenda.plan(at, () => serve({ tried: [] })),
    plan: agenda.plan,
    runUntil(at) {
      for (let next = agenda.next(at); next; next = agenda.next(at)) {
        now = next.at
        next.act()
      }
      now = at
    },
  }
}

function outcomeOf(end: End, now: number, latencyMs: number): RouteOutcome {
  if (end === 'succeeded') return { kind: 'succeeded', latencyMs, costMicroUsd: null }
  if (end === 'failed') return { kind: 'failed', reason: 'unavailable' }
  if (typeof end === 'string') return { kind: end }
  return { kind: 'limited', until: end.limitedForMs === null ? null : now + end.limitedForMs }
}

type Entry = { at: number; seq: number; act: () => void }

/** What is to come, in order of time; at one moment in the order in which it was planned. */
function createAgenda() {
  const heap: Entry[] = []
  let seq = 0
  const isBefore = (a: Entry | undefined, b: Entry | undefined) =>
    a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.seq < b.seq))
  const swap = (i: number, j: number) => {
    const [a, b] = [heap[i], heap[j]]
    if (a && b) [heap[i], heap[j]] = [b, a]
  }
  return {
    plan(at: number, act: () => void) {
      heap.push({ at, seq: seq++, act })
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1
        if (!isBefore(heap[i], heap[parent])) break
        swap(i, parent)
        i = parent
      }
    },
    /** The first that is due by then. */
    next(by: number): Entry | null {
      const [first] = heap
      if (!first || first.at > by) return null
      swap(0, heap.length - 1)
      heap.pop()
      for (let i = 0; ; ) {
        const children = [2 * i + 1, 2 * i + 2]
        const least = children.reduce((best, c) => (isBefore(heap[c], heap[best]) ? c : best), i)
        if (least === i) return first
        swap(i, least)
        i = least
      }
    },
  }
}

/** Repeatable numbers from 0 to 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
