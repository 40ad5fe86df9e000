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

test.each([0.5, -1, Number.NaN, Number.MAX_SAFE_INTEGER])(
  'a price of %p tokens for two outputs is never quoted',
  tokenCost => {
    // Half a token for two outputs is a whole one, so this one is asked for three.
    const numOutputs = tokenCost === 0.5 ? 3 : 2
    expect(() => quote({ tokenCost }, { numOutputs })).toThrow('whole number of tokens')
  },
)
