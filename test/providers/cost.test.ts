import { describe, expect, test } from 'bun:test'
import { imageInput } from '@test/support/conformance'
import { costMicroUsd, Price, priceOf, usageOf } from '@/providers/cost'
import type { ProviderInput, RouteConfig } from '@/providers/spec'

test.each([
  [{ per_output: 3_000 }, { calls: 1, outputs: 4 }, 12_000],
  [{ per_call: 500, per_output: 100 }, { calls: 2, outputs: 3 }, 1_300],
  [{ per_second: 975 }, { calls: 1, outputs: 1, seconds: 2.5 }, 2_438],
  [{ per_second: 975 }, { calls: 1, outputs: 1, seconds: 0 }, 0],
  [{}, { calls: 1, outputs: 1 }, 0],
])('%p for %p is %p', (rates, made, cost) => {
  expect(costMicroUsd(rates, made)).toBe(cost)
})

test.each([
  [undefined, { calls: 1, outputs: 1 }],
  [null, { calls: 1, outputs: 1, seconds: 3 }],
  [{ per_second: 975 }, { calls: 1, outputs: 1 }],
  [
    { per_second: 975, per_output: 5 },
    { calls: 1, outputs: 1, seconds: null },
  ],
])('%p for %p is not known', (rates, made) => {
  expect(costMicroUsd(rates, made)).toBeNull()
})

describe('the price of a call', () => {
  const rates = { per_call: 7, per_output: 10, per_second: 100 }
  const priceOfInput = (extra: ProviderInput['extra'], cost?: RouteConfig['cost']) =>
    priceOf(imageInput({ extra, config: cost ? { cost } : {} }))

  test('is kept with the operation: the rates of that day, and the length that was asked for', () => {
    expect(priceOfInput({ duration_seconds: 5 }, rates)).toEqual({ seconds: 5, rates })
    expect(priceOfInput({ duration_seconds: '5' })).toEqual({ seconds: null, rates: null })
    const stored = JSON.parse(JSON.stringify(priceOfInput({}, { per_output: 3 })))
    expect(Price.parse(stored)).toEqual({ seconds: null, rates: { per_output: 3 } })
  })

  test('by the second is one of the video where its length is known, else of the machine', () => {
    const film = priceOfInput({ duration_seconds: 5 }, rates)
    expect(usageOf(film, 2, 40)).toEqual({ seconds: 40, costMicroUsd: 7 + 20 + 1_000 })
    expect(usageOf(film, 2)).toEqual({ costMicroUsd: 7 + 20 + 1_000 })
    const work = priceOfInput({}, rates)
    expect(usageOf(work, 1, 2.5)).toEqual({ seconds: 2.5, costMicroUsd: 7 + 10 + 250 })
  })

  test('is not told where it is not known', () => {
    expect(usageOf(priceOfInput({}, rates), 1)).toEqual({})
    expect(usageOf(priceOfInput({ duration_seconds: 5 }), 1, 3)).toEqual({ seconds: 3 })
  })
})
