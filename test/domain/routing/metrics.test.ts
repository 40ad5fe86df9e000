import { describe, expect, test } from 'bun:test'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import {
  afterAcceptance,
  afterChoice,
  afterOutcome,
  type RouteMetrics,
  type RouteOutcome,
  UNKNOWN_ROUTE,
} from '@/domain/routing/metrics'
import { NOW } from './candidates'

const FAILED: RouteOutcome = { kind: 'failed', reason: 'unavailable' }
const ANSWERED: RouteOutcome = { kind: 'answered' }
const UNHEARD: RouteOutcome = { kind: 'unheard' }
const SUCCEEDED: RouteOutcome = { kind: 'succeeded', latencyMs: 1_000, costMicroUsd: 50 }
const limited = (until: number | null): RouteOutcome => ({ kind: 'limited', until })
const took = (latencyMs: number, costMicroUsd: number | null = null): RouteOutcome => ({
  kind: 'succeeded',
  latencyMs,
  costMicroUsd,
})

/** All outcomes one after the other, of attempts 1, 2, 3 ... at one moment. */
function after(outcomes: RouteOutcome[], from = UNKNOWN_ROUTE, now = NOW): RouteMetrics {
  return outcomes.reduce(
    (metrics, outcome, index) => afterOutcome(metrics, index + 1, outcome, now),
    from,
  )
}

const times = (count: number, outcome: RouteOutcome) => Array.from({ length: count }, () => outcome)

/** Rests since `NOW` for 15 s; attempts below 100 began before. */
const RESTING = after(times(5, FAILED))
const RESTED_AT = NOW + 15 * SECOND
/** Attempt 100 is its probe. */
const PROBED = afterChoice(RESTING, 100, RESTED_AT)

describe('averages', () => {
  test('the first ones count alike, later ones a tenth', () => {
    let metrics = UNKNOWN_ROUTE
    const means = [1_000, 3_000, 5_000].map(latencyMs => {
      metrics = after([took(latencyMs)], metrics)
      return metrics.latencyMs
    })
    expect(means).toEqual([1_000, 2_000, 3_000])
    const old: RouteMetrics = { ...UNKNOWN_ROUTE, samples: 500, latencyMs: 1_000, costMicroUsd: 40 }
    expect(after([took(2_000, 50)], old)).toMatchObject({
      samples: 501,
      latencyMs: 1_100,
      costMicroUsd: 41,
    })
  })

  test('success is a share; limits, noes and silence tell nothing of it', () => {
    const metrics = after([SUCCEEDED, FAILED, SUCCEEDED, SUCCEEDED])
    expect(metrics).toMatchObject({ samples: 4, success: 0.75 })
    expect(after([ANSWERED, UNHEARD, limited(null)], metrics)).toMatchObject({
      samples: 4,
      success: 0.75,
    })
    expect(after([FAILED])).toMatchObject({ samples: 1, success: 0 })
  })

  test('a failure has neither a latency nor a cost', () => {
    expect(after([took(1_000, 50), FAILED])).toMatchObject({ latencyMs: 1_000, costMicroUsd: 50 })
    expect(after([FAILED])).toMatchObject({ latencyMs: null, costMicroUsd: null })
  })

  test('a success of unknown cost leaves what is known', () => {
    expect(after([took(1_000, 50), took(1_000)])).toMatchObject({ samples: 2, costMicroUsd: 50 })
  })

  test('a hundred failures still leave room for better times', () => {
    const healed = after(times(30, SUCCEEDED), after(times(100, FAILED)), NOW + HOUR)
    expect(healed.success).toBeGreaterThan(0.9)
    expect(healed.success).toBeLessThan(1)
  })

  test('what began before a rest is measured all the same', () => {
    expect(after([took(7_000)], RESTING)).toMatchObject({ samples: 6, latencyMs: 7_000 })
    expect(after([FAILED], RESTING)).toMatchObject({ samples: 6 })
  })
})

describe('a rest', () => {
  test('begins with the fifth failure in a row, for 15 s', () => {
    expect(after(times(4, FAILED))).toMatchObject({ failures: 4, rests: 0, restingUntil: null })
    expect(RESTING).toMatchObject({
      failures: 5,
      rests: 1,
      restingUntil: RESTED_AT,
      restReason: 'unavailable',
      probeUntil: null,
    })
  })

  test.each<[string, RouteOutcome, number]>([
    ['a success begins the row anew', SUCCEEDED, 0],
    ['so does an answer that is no: it is well', ANSWERED, 0],
    ['silence does not', UNHEARD, 4],
    ['a limit without a date is one of them', limited(null), 5],
  ])('%s', (_, outcome, failures) => {
    expect(after([...times(4, FAILED), outcome]).failures).toBe(failures)
  })

  test('is twice as long after each probe that fails, to ten minutes', () => {
    let metrics = RESTING
    const rests: number[] = []
    for (let attempt = 100; attempt < 110; attempt++) {
      const now = metrics.restingUntil ?? 0
      metrics = afterOutcome(afterChoice(metrics, attempt, now), attempt, FAILED, now)
      rests.push(((metrics.restingUntil ?? 0) - now) / SECOND)
    }
    expect(rests).toEqual([30, 60, 120, 240, 480, 600, 600, 600, 600, 600])
  })

  test('is neither ended nor lengthened by what began before it', () => {
    for (const outcome of [SUCCEEDED, ANSWERED, FAILED, UNHEARD, limited(null)]) {
      const later = afterOutcome(RESTING, 6, outcome, NOW + 14 * SECOND)
      const { failures, rests, restingUntil } = later
      expect({ outcome, failures, rests, restingUntil }).toEqual({
        outcome,
        failures: 5,
        rests: 1,
        restingUntil: RESTED_AT,
      })
    }
  })

  test('nor after its time, while nobody has probed', () => {
    const late = RESTED_AT + HOUR
    expect(afterOutcome(RESTING, 6, SUCCEEDED, late)).toMatchObject({ rests: 1, failures: 5 })
    expect(afterOutcome(RESTING, 6, FAILED, late).restingUntil).toBe(RESTED_AT)
  })

  test('nor while it is probed, nor when the probe was accepted', () => {
    const accepted = afterAcceptance(PROBED, RESTED_AT)
    for (const metrics of [PROBED, accepted]) {
      for (const outcome of [SUCCEEDED, ANSWERED, FAILED, UNHEARD, limited(null)]) {
        const { rests, restingUntil, probeUntil, probeAttemptId } = afterOutcome(
          metrics,
          6,
          outcome,
          RESTED_AT + SECOND,
        )
        expect({ outcome, rests, restingUntil, probeUntil, probeAttemptId }).toEqual({
          outcome,
          rests: 1,
          restingUntil: metrics.restingUntil,
          probeUntil: metrics.probeUntil,
          probeAttemptId: 100,
        })
      }
    }
  })
})

describe('a probe', () => {
  test('is the first choice after a rest, for at most a minute', () => {
    expect(PROBED).toMatchObject({ probeAttemptId: 100, probeUntil: RESTED_AT + MINUTE })
    expect(afterChoice(UNKNOWN_ROUTE, 1, NOW)).toBe(UNKNOWN_ROUTE)
  })

  test.each([
    ['ends well', SUCCEEDED],
    ['is answered by a no', ANSWERED],
  ])('that %s opens the route, and nothing is held against it', (_, outcome) => {
    expect(afterOutcome(PROBED, 100, outcome, RESTED_AT + 5)).toMatchObject({
      failures: 0,
      rests: 0,
      restingUntil: null,
      restReason: null,
      probeUntil: null,
      probeAttemptId: null,
    })
  })

  test('that fails begins the next rest, twice as long', () => {
    for (const outcome of [FAILED, limited(null)]) {
      expect(afterOutcome(PROBED, 100, outcome, RESTED_AT + 5)).toMatchObject({
        rests: 2,
        restingUntil: RESTED_AT + 5 + 30 * SECOND,
        probeUntil: null,
        probeAttemptId: null,
      })
    }
  })

  test('that is cancelled makes room for another', () => {
    const free = afterOutcome(PROBED, 100, UNHEARD, RESTED_AT + 5)
    expect(free).toMatchObject({ rests: 1, restingUntil: RESTED_AT, probeUntil: null })
    expect(afterChoice(free, 101, RESTED_AT + 6)).toMatchObject({
      probeAttemptId: 101,
      probeUntil: RESTED_AT + 6 + MINUTE,
    })
  })

  test('also when it had been accepted a moment before: it has found out nothing', () => {
    const accepted = afterAcceptance(PROBED, RESTED_AT)
    const free = afterOutcome(accepted, 100, UNHEARD, RESTED_AT + SECOND)
    expect(afterChoice(free, 101, RESTED_AT + 2 * SECOND).probeAttemptId).toBe(101)
    // Half a minute later it had opened the route, and that stays.
    const open = afterOutcome(accepted, 100, UNHEARD, RESTED_AT + 31 * SECOND)
    expect(afterChoice(open, 101, RESTED_AT + 31 * SECOND)).toBe(open)
  })

  test('that was accepted keeps others out for 30 s; what fails then is a new rest at once', () => {
    const accepted = afterAcceptance(PROBED, RESTED_AT)
    expect(accepted).toMatchObject({ restingUntil: null, probeUntil: RESTED_AT + 30 * SECOND })
    const open = afterChoice(accepted, 101, RESTED_AT + 30 * SECOND)
    expect(open).toBe(accepted)
    expect(afterOutcome(open, 101, FAILED, RESTED_AT + MINUTE)).toMatchObject({
      rests: 2,
      restingUntil: RESTED_AT + MINUTE + 30 * SECOND,
    })
    expect(afterOutcome(open, 101, SUCCEEDED, RESTED_AT + MINUTE)).toMatchObject({
      rests: 0,
      failures: 0,
    })
  })

  test('that answers after its minute is one of before: the next probe decides', () => {
    const next = afterChoice(PROBED, 200, RESTED_AT + MINUTE)
    expect(next.probeAttemptId).toBe(200)
    expect(afterOutcome(next, 100, SUCCEEDED, RESTED_AT + 2 * MINUTE)).toMatchObject({
      rests: 1,
      probeAttemptId: 200,
    })
  })
})

describe('a limit with a date', () => {
  const DATE = NOW + 45 * SECOND
  const LIMITED = after([limited(DATE)])

  test('holds from the first on, and is over when it says so, without a probe', () => {
    expect(LIMITED).toMatchObject({ rests: 0, restingUntil: DATE, restReason: 'rate limited' })
    expect(afterChoice(LIMITED, 9, DATE)).toMatchObject({
      restingUntil: null,
      restReason: null,
      probeUntil: null,
      probeAttemptId: null,
    })
  })

  test('holds for an hour at most', () => {
    expect(after([limited(NOW + 2 * HOUR)]).restingUntil).toBe(NOW + HOUR)
  })

  test('holds although those go well that had begun before', () => {
    for (const outcome of [SUCCEEDED, ANSWERED]) {
      expect(afterOutcome(LIMITED, 2, outcome, DATE - 1).restingUntil).toBe(DATE)
      expect(afterOutcome(LIMITED, 2, outcome, DATE).restingUntil).toBeNull()
    }
  })

  test('is not shortened, by an earlier date or by failures of before', () => {
    expect(afterOutcome(LIMITED, 2, limited(NOW + SECOND), NOW).restingUntil).toBe(DATE)
    expect(after(times(9, FAILED), LIMITED).restingUntil).toBe(DATE)
    expect(after(times(9, limited(null)), LIMITED).restingUntil).toBe(DATE)
  })

  test('heard by fifty at once it is one limit and no row of failures', () => {
    const heard = after(times(50, limited(DATE)))
    expect(heard).toMatchObject({ failures: 1, rests: 0, restingUntil: DATE })
    expect(afterOutcome(heard, 51, limited(DATE + 5), NOW).restingUntil).toBe(DATE + 5)
  })

  test('again and again, with nothing in between, it ends in a rest', () => {
    let metrics = UNKNOWN_ROUTE
    for (let attempt = 1; attempt <= 5; attempt++) {
      const now = NOW + attempt * MINUTE
      metrics = afterOutcome(afterChoice(metrics, attempt, now), attempt, limited(now + 1), now)
    }
    expect(metrics).toMatchObject({ rests: 1, restingUntil: NOW + 5 * MINUTE + 15 * SECOND })
  })

  test('said to a probe or during a rest, it holds when it is later than the rest', () => {
    const probe = afterOutcome(PROBED, 100, limited(RESTED_AT + HOUR), RESTED_AT)
    expect(probe).toMatchObject({ rests: 2, restingUntil: RESTED_AT + HOUR })
    const early = afterOutcome(PROBED, 100, limited(RESTED_AT + SECOND), RESTED_AT)
    expect(early.restingUntil).toBe(RESTED_AT + 30 * SECOND)
    expect(afterOutcome(RESTING, 6, limited(DATE), NOW)).toMatchObject({
      rests: 1,
      restingUntil: DATE,
    })
    expect(afterOutcome(RESTING, 6, limited(NOW + 1), NOW).restingUntil).toBe(RESTED_AT)
  })

  test('said to one of before while a probe is under way, it holds although the probe goes well', () => {
    const heard = afterOutcome(PROBED, 6, limited(RESTED_AT + HOUR), RESTED_AT)
    expect(afterOutcome(heard, 100, SUCCEEDED, RESTED_AT + SECOND)).toMatchObject({
      rests: 0,
      restingUntil: RESTED_AT + HOUR,
    })
  })
})
