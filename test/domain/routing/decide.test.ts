import { describe, expect, test } from 'bun:test'
import { MINUTE, SECOND } from '@/base/clock'
import { Decision } from '@/domain/routing'
import type { Candidate, Request } from '@/domain/routing/decide'
import { STRATEGIES } from '@/domain/routing/strategy'
import { type Change, candidate, decideAmong, NOW, servedBy, tried } from './candidates'

const verdicts = (candidates: Candidate[], change: Partial<Request> = {}) =>
  decideAmong(candidates, change).decision.considered.map(({ provider, verdict, until }) => [
    provider,
    verdict,
    until,
  ])

const RESTING: Change = { metrics: { rests: 1, restingUntil: NOW + 20 * SECOND } }
const PROBING: Change = {
  metrics: { rests: 1, restingUntil: NOW - 1, probeUntil: NOW + 40 * SECOND, probeAttemptId: 7 },
}
const FULL: Change = { maxConcurrent: 3, taken: 3 }

describe('each route gets one verdict', () => {
  test.each<[string, Change, Partial<Request>, [string, number | null]]>([
    ['resting', RESTING, {}, ['resting', NOW + 20 * SECOND]],
    ['being probed', PROBING, {}, ['probing', NOW + 40 * SECOND]],
    ['full', FULL, {}, ['full', null]],
    ['more than full', { maxConcurrent: 3, taken: 9 }, {}, ['full', null]],
    [
      'tried a moment ago',
      {},
      { tried: [tried(1, { retryAt: NOW + 3 * SECOND })] },
      ['tried', NOW + 3 * SECOND],
    ],
    ['done with for good', {}, { tried: [tried(1, { isPermanent: true })] }, ['refused', null]],
  ])('%s', (_, change, request, verdict) => {
    const decided = decideAmong([candidate(1, change), candidate(2)], request)
    expect(servedBy(decided)).toBe(2)
    expect(verdicts([candidate(1, change), candidate(2)], request)).toEqual([
      ['vendor-1', ...verdict],
      ['vendor-2', 'chosen', null],
    ])
  })

  test.each<[string, Change, Partial<Request>]>([
    ['its rest is over this millisecond', { metrics: { rests: 1, restingUntil: NOW } }, {}],
    [
      'its probe is over this millisecond',
      { metrics: { rests: 1, restingUntil: NOW - 9, probeUntil: NOW, probeAttemptId: 7 } },
      {},
    ],
    ['one place is left', { maxConcurrent: 3, taken: 2 }, {}],
    ['it has no cap', { maxConcurrent: null, taken: 900 }, {}],
    ['the pause of this job is over', {}, { tried: [tried(1, { retryAt: NOW })] }],
    ['another route was done with for good', {}, { tried: [tried(2, { isPermanent: true })] }],
    ['the sandbox was tried, which is no route', {}, { tried: [tried(null)] }],
  ])('it can serve when %s', (_, change, request) => {
    expect(servedBy(decideAmong([candidate(1, change)], request))).toBe(1)
  })

  test('of several reasons the one that holds longest for this job comes first', () => {
    const worst: Change = { ...FULL, metrics: { ...PROBING.metrics, ...RESTING.metrics } }
    const once = [tried(1, { retryAt: NOW + SECOND })]
    const forGood = [...once, tried(1, { isPermanent: true })]
    const verdict = (change: Change, request = {}) =>
      verdicts([candidate(1, change)], request)[0]?.[1]
    expect(verdict(worst, { tried: forGood })).toBe('refused')
    expect(verdict(worst, { tried: once })).toBe('tried')
    expect(verdict(worst)).toBe('resting')
    expect(verdict({ ...FULL, ...PROBING })).toBe('probing')
    expect(verdict(FULL)).toBe('full')
  })

  test('of several pauses of a job at one route the latest holds', () => {
    const pauses = [tried(1, { retryAt: NOW + 9 }), tried(1, { retryAt: NOW + 5 })]
    expect(verdicts([candidate(1)], { tried: pauses })).toEqual([['vendor-1', 'tried', NOW + 9]])
  })
})

describe('the order', () => {
  test('is that of the strategy', () => {
    const cheap = candidate(1, {
      priority: 3,
      listedCostMicroUsd: 10,
      metrics: { latencyMs: 900, samples: 9 },
    })
    const fast = candidate(2, {
      priority: 2,
      listedCostMicroUsd: 90,
      metrics: { latencyMs: 100, samples: 9 },
    })
    const good = candidate(3, {
      priority: 1,
      listedCostMicroUsd: 90,
      quality: 100,
      metrics: { latencyMs: 900, samples: 9 },
    })
    const served = STRATEGIES.map(strategy =>
      servedBy(decideAmong([cheap, fast, good], { strategy })),
    )
    expect(Object.fromEntries(STRATEGIES.map((name, index) => [name, served[index]]))).toEqual({
      priority: 3,
      cheapest: 1,
      fastest: 2,
      balanced: 2,
      best: 3,
    })
  })

  test('least tried by this job comes before everything else', () => {
    const three = [1, 2, 3].map(routeId => candidate(routeId))
    const served = (...routes: number[]) =>
      servedBy(decideAmong(three, { tried: routes.map(routeId => tried(routeId)) }))
    expect(served(1)).toBe(2)
    expect(served(1, 2)).toBe(3)
    expect(served(1, 2, 3)).toBe(1)
    expect(served(1, 2, 3, 1)).toBe(2)
    expect(served(2)).toBe(1)
  })

  test('a vendor that is down comes last, and still comes', () => {
    const down = candidate(1, { isDown: true })
    expect(servedBy(decideAmong([down, candidate(2)]))).toBe(2)
    expect(servedBy(decideAmong([down, candidate(2, RESTING)]))).toBe(1)
    expect(verdicts([down, candidate(2), candidate(3)])).toEqual([
      ['vendor-2', 'chosen', null],
      ['vendor-3', 'ready', null],
      ['vendor-1', 'ready', null],
    ])
    // Not even before one that this job has tried.
    expect(servedBy(decideAmong([down, candidate(2)], { tried: [tried(2)] }))).toBe(1)
  })

  test('a route that was done with for good never serves, whatever else there is', () => {
    for (const strategy of STRATEGIES) {
      const decided = decideAmong([candidate(1), candidate(2, RESTING), candidate(3, FULL)], {
        strategy,
        tried: [tried(1, { isPermanent: true }), tried(1)],
      })
      expect(servedBy(decided)).toBeNull()
      expect(decided.act).toBe('wait')
    }
  })
})

describe('nobody can now', () => {
  test('look again at the earliest time of all', () => {
    const decided = decideAmong([candidate(1, RESTING), candidate(2, PROBING), candidate(3)], {
      tried: [tried(3, { retryAt: NOW + MINUTE })],
    })
    // A probe's own time is the longest that it may take.
    expect(decided).toMatchObject({ act: 'wait', until: NOW + 5 * SECOND, full: [] })
  })

  test('full routes are named, and have no time', () => {
    const both = [candidate(1, FULL), candidate(2, FULL)]
    expect(decideAmong(both)).toMatchObject({ act: 'wait', until: null, full: [1, 2] })
    expect(decideAmong([...both, candidate(3, RESTING)])).toMatchObject({
      act: 'wait',
      until: NOW + 20 * SECOND,
      full: [1, 2],
    })
  })

  test('what is done with for good counts for no time', () => {
    const forGood = [tried(1, { isPermanent: true, retryAt: NOW + 1 })]
    const decided = decideAmong([candidate(1), candidate(2, RESTING)], { tried: forGood })
    expect(decided).toMatchObject({ act: 'wait', until: NOW + 20 * SECOND, full: [] })
  })

  test('nobody ever will: no route at all, or none that has not said no for good', () => {
    expect(decideAmong([])).toMatchObject({ act: 'none', decision: { considered: [] } })
    const all = [tried(1, { isPermanent: true }), tried(2, { isPermanent: true })]
    const decided = decideAmong([candidate(1, FULL), candidate(2, RESTING)], { tried: all })
    expect(decided.act).toBe('none')
    expect(decided.decision.considered.map(({ verdict }) => verdict)).toEqual([
      'refused',
      'refused',
    ])
  })
})

describe('the record', () => {
  test('says everything that was weighed, and reads as what it is', () => {
    const known = candidate(1, {
      priority: 4,
      quality: 80,
      listedCostMicroUsd: 77,
      metrics: { samples: 4, success: 0.123456, latencyMs: 1234.5678, costMicroUsd: 39.6 },
    })
    const { decision } = decideAmong([known, candidate(2, { listedCostMicroUsd: 20 })], {
      strategy: 'best',
    })
    expect(Decision.parse(JSON.parse(JSON.stringify(decision)))).toEqual(decision)
    expect(decision).toEqual({
      strategy: 'best',
      considered: [
        {
          provider: 'vendor-2',
          providerModel: 'model-2',
          priority: 2,
          verdict: 'chosen',
          until: null,
          // 0.5 x 1 + 1 x 1 + 2.5 x 1 + 6 x 0.5, of 10
          score: 0.7,
          success: null,
          latencyMs: null,
          costMicroUsd: 20,
          quality: 50,
          isDown: false,
        },
        {
          provider: 'vendor-1',
          providerModel: 'model-1',
          priority: 4,
          verdict: 'ready',
          until: null,
          // 0.5 x 20/39.6 + 1 x 1 + 2.5 x 0.123456 + 6 x 0.8, of 10
          score: 0.636,
          success: 0.123,
          latencyMs: 1235,
          costMicroUsd: 40,
          quality: 80,
          isDown: false,
        },
      ],
    })
  })

  test('by priority nothing is scored', () => {
    const { decision } = decideAmong([candidate(1), candidate(2)])
    expect(decision.strategy).toBe('priority')
    expect(decision.considered.map(({ score }) => score)).toEqual([null, null])
  })

  test('nothing that came in was changed', () => {
    const request = [candidate(2), candidate(1, { isDown: true })]
    const before = structuredClone(request)
    decideAmong(request, { strategy: 'best' })
    expect(request).toEqual(before)
  })
})
