import { expect, test } from 'bun:test'
import { costMicroUsd } from '@/providers/cost'

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
