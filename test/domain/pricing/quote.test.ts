import { expect, test } from 'bun:test'
import { quote } from '@/domain/pricing'

test('a quote is the model’s price for each output, with the steps that led to it', () => {
  for (const tokenCost of [0, 1, 7, 1_000_003]) {
    for (const numOutputs of [1, 2, 3, 4]) {
      const tokens = tokenCost * numOutputs
      expect(quote({ tokenCost }, { numOutputs })).toEqual({
        tokens,
        perOutput: tokenCost,
        steps: [{ what: `${tokenCost} tokens x ${numOutputs} outputs`, tokens }],
        ruleVersion: 0,
      })
    }
  }
})

test.each([
  [0.5, 3],
  [-1, 2],
  [Number.NaN, 1],
  [Number.MAX_SAFE_INTEGER, 2],
])('a price of %p tokens for %p outputs is never quoted', (tokenCost, numOutputs) => {
  expect(() => quote({ tokenCost }, { numOutputs })).toThrow('whole number of tokens')
})
