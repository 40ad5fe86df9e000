import { invariant } from '@/base/invariant'

/** What a request costs in tokens and how that came about. Frozen on the job at submit. */
export type Quote = {
  tokens: number
  perOutput: number
  steps: { what: string; tokens: number }[]
  /** Which rules made it; 0 is the model's plain price. */
  ruleVersion: number
}

/** Pure: the same model and input cost the same, whoever asks. */
export function quote(model: { tokenCost: number }, input: { numOutputs: number }): Quote {
  const tokens = model.tokenCost * input.numOutputs
  invariant(Number.isSafeInteger(tokens) && tokens >= 0, 'a price is a whole number of tokens')
  return {
    tokens,
    perOutput: model.tokenCost,
    steps: [{ what: `${model.tokenCost} tokens x ${input.numOutputs} outputs`, tokens }],
    ruleVersion: 0,
  }
}
