import { describe, expect, test } from 'bun:test'
import { rank } from '@/domain/routing/rank'
import type { Strategy } from '@/domain/routing/strategy'
import { WEIGHTS, type Weights } from '@/domain/routing/weights'
import { type Change, candidate } from './candidates'

const NOTHING = { cost: 0, speed: 0, reliability: 0, quality: 0 }

/** `[number of the route, score]` in the order of the strategy. */
function ranked(strategy: Strategy, routes: Change[], weights: Weights = WEIGHTS.usual) {
  const candidates = routes.map((change, index) => candidate(index + 1, { priority: 1, ...change }))
  return rank(candidates, strategy, weights).map(({ route, score }) => [route.routeId, score])
}

/** Of which enough is known. */
const known = (change: NonNullable<Change['metrics']>): Change => ({
  metrics: { samples: 3, ...change },
})

describe('worked examples', () => {
  test('priority: the lowest number, nothing is weighed', () => {
    const routes = [{ priority: 3 }, { priority: 1, quality: 0 }, { priority: 2, quality: 100 }]
    expect(ranked('priority', routes)).toEqual([
      [2, null],
      [3, null],
      [1, null],
    ])
  })

  test('cheapest: half as good for twice as much', () => {
    const routes = [
      { listedCostMicroUsd: 400 },
      { listedCostMicroUsd: 100 },
      { listedCostMicroUsd: 200 },
    ]
    expect(ranked('cheapest', routes)).toEqual([
      [2, 1],
      [3, 0.5],
      [1, 0.25],
    ])
  })

  test('cheapest: what was measured counts and not the list', () => {
    const dearer = { listedCostMicroUsd: 100, metrics: { costMicroUsd: 300 } }
    expect(ranked('cheapest', [dearer, { listedCostMicroUsd: 150 }])).toEqual([
      [2, 1],
      [1, 0.5],
    ])
  })

  test('fastest: by the average, once there are three samples', () => {
    const routes = [
      known({ latencyMs: 8_000 }),
      known({ latencyMs: 2_000 }),
      known({ latencyMs: 4_000 }),
    ]
    expect(ranked('fastest', routes)).toEqual([
      [2, 1],
      [3, 0.5],
      [1, 0.25],
    ])
  })

  test('balanced: 3 cost, 3 speed, 3 reliability, 1 quality', () => {
    const cheap = {
      ...known({ latencyMs: 4_000, success: 0.5 }),
      listedCostMicroUsd: 100,
      quality: 50,
    }
    const fast = {
      ...known({ latencyMs: 1_000, success: 1 }),
      listedCostMicroUsd: 300,
      quality: 90,
    }
    expect(ranked('balanced', [cheap, fast])).toEqual([
      // (3 x 1/3 + 3 x 1 + 3 x 1 + 1 x 0.9) / 10
      [2, 0.79],
      // (3 x 1 + 3 x 1/4 + 3 x 0.5 + 1 x 0.5) / 10
      [1, 0.575],
    ])
  })

  test('best: quality first, then reliability', () => {
    const good = {
      ...known({ latencyMs: 4_000, success: 0.9 }),
      listedCostMicroUsd: 200,
      quality: 95,
    }
    const cheap = {
      ...known({ latencyMs: 1_000, success: 1 }),
      listedCostMicroUsd: 100,
      quality: 60,
    }
    expect(ranked('best', [cheap, good])).toEqual([
      // (0.5 x 0.5 + 1 x 0.25 + 2.5 x 0.9 + 6 x 0.95) / 10
      [2, 0.845],
      // (0.5 x 1 + 1 x 1 + 2.5 x 1 + 6 x 0.6) / 10
      [1, 0.76],
    ])
  })
})

describe('what is not known', () => {
  test('a route with fewer than three samples counts as fast as the best, so that it is tried', () => {
    const slow: Change = { metrics: { samples: 2, latencyMs: 90_000 } }
    expect(ranked('fastest', [slow, known({ latencyMs: 1_000 })])).toEqual([
      [1, 1],
      [2, 1],
    ])
    expect(
      ranked('fastest', [known({ latencyMs: 90_000 }), known({ latencyMs: 1_000 })])[0],
    ).toEqual([2, 1])
    // Nor is it the measure of the others.
    const quick: Change = { metrics: { samples: 1, latencyMs: 1 } }
    expect(ranked('fastest', [known({ latencyMs: 1_000 }), quick])).toEqual([
      [1, 1],
      [2, 1],
    ])
  })

  test('and as reliable as the best', () => {
    const weights = { ...WEIGHTS.usual, balanced: { ...NOTHING, reliability: 1 } }
    const failed: Change = { metrics: { samples: 2, success: 0 } }
    expect(ranked('balanced', [failed, known({ success: 0.9 })], weights)).toEqual([
      [1, 1],
      [2, 0.9],
    ])
  })

  test('a price that nobody knows is no bargain', () => {
    expect(ranked('cheapest', [{}, { listedCostMicroUsd: 1_000_000 }])).toEqual([
      [2, 1],
      [1, 0],
    ])
  })

  test('where nobody knows any price it is by priority', () => {
    expect(ranked('cheapest', [{ priority: 2 }, { priority: 1 }])).toEqual([
      [2, 0],
      [1, 0],
    ])
  })

  test('what is free is the best there is, and two of them are alike', () => {
    const free = { listedCostMicroUsd: 0 }
    expect(ranked('cheapest', [{ listedCostMicroUsd: 5 }, free, free])).toEqual([
      [2, 1],
      [3, 1],
      [1, 0],
    ])
  })
})

describe('ties', () => {
  test('stand by priority, then as they came', () => {
    const routes = [{ priority: 2 }, { priority: 1 }, { priority: 2 }, { priority: 1 }]
    for (const strategy of ['priority', 'cheapest', 'fastest', 'balanced', 'best'] as const) {
      expect(ranked(strategy, routes).map(([route]) => route)).toEqual([2, 4, 1, 3])
    }
  })
})

describe('weights', () => {
  test('only their proportions matter', () => {
    const routes = [
      { ...known({ latencyMs: 4_000, success: 0.5 }), listedCostMicroUsd: 100, quality: 50 },
      { ...known({ latencyMs: 1_000, success: 1 }), listedCostMicroUsd: 300, quality: 90 },
    ]
    const { cost, speed, reliability, quality } = WEIGHTS.usual.best
    const tenfold = {
      cost: cost * 10,
      speed: speed * 10,
      reliability: reliability * 10,
      quality: quality * 10,
    }
    expect(ranked('best', routes, { ...WEIGHTS.usual, best: tenfold })).toEqual(
      ranked('best', routes),
    )
  })

  test('all zero: by priority', () => {
    const weights = { ...WEIGHTS.usual, best: NOTHING }
    const routes = [{ priority: 2, quality: 100 }, { priority: 1 }]
    expect(ranked('best', routes, weights)).toEqual([
      [2, 0],
      [1, 0],
    ])
  })

  test('every score is between 0 and 1', () => {
    const extremes = [0, 1, 50, 1e9, null].flatMap(cost =>
      [0, 1, 1e9, null].flatMap(latencyMs =>
        [0, 0.5, 1].map(success => ({
          ...known({ latencyMs, success }),
          listedCostMicroUsd: cost,
          quality: success * 100,
        })),
      ),
    )
    for (const strategy of ['cheapest', 'fastest', 'balanced', 'best'] as const) {
      for (const [, score] of ranked(strategy, extremes)) {
        expect(score).toBeGreaterThanOrEqual(0)
        expect(score).toBeLessThanOrEqual(1)
      }
    }
  })
})
