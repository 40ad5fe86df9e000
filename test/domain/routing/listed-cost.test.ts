import { describe, expect, test } from 'bun:test'
import { listedCost } from '@/domain/routing'
import type { RouteConfig } from '@/providers/spec'

const cost = (config: RouteConfig, outputs = 1, seconds: number | null = null) =>
  listedCost(config, { outputs, seconds })

describe('by the rates of a route', () => {
  test.each<[string, RouteConfig, number, number | null, number | null]>([
    ['no rates', {}, 4, 5, null],
    ['nothing but rates of nothing', { cost: {} }, 4, null, 0],
    ['by the output', { cost: { per_output: 30 } }, 4, null, 120],
    ['by the call, however many it makes', { cost: { per_call: 100 } }, 4, null, 100],
    ['by the call, one each', { cost: { per_call: 100 }, outputs_per_call: 1 }, 4, null, 400],
    [
      'by the call, a last one that is not full',
      { cost: { per_call: 100 }, outputs_per_call: 3 },
      4,
      null,
      200,
    ],
    ['by the second, of each output', { cost: { per_second: 7 } }, 2, 5, 70],
    ['by parts of a second', { cost: { per_second: 7 } }, 1, 2.5, 18],
    ['by the second of unknown length', { cost: { per_second: 7, per_call: 100 } }, 1, null, null],
    ['all three', { cost: { per_output: 1, per_call: 100, per_second: 7 } }, 2, 5, 172],
    ['a call that made nothing', { cost: { per_output: 30, per_call: 100 } }, 0, null, 100],
    ['that and one each', { cost: { per_call: 100 }, outputs_per_call: 1 }, 0, null, 100],
  ])('%s', (_, config, outputs, seconds, expected) => {
    expect(cost(config, outputs, seconds)).toBe(expected)
  })
})
