import { invalidInput } from '@/base/errors'
import type { RealmId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Deps } from '@/deps'
import type { CheckedInput } from '@/domain/catalog'
import { type Asked, askedOfModel, type PricedModel } from './asked'
import { featureAsked } from './feature'
import { price, type Step, type Usage } from './price'
import { over, roundedUp } from './rational'
import { MAX_TOKENS } from './rule'
import { type RuleInForce, ruleInForce } from './rules'

/** What a request costs in tokens and how that came about. Frozen on the job at submit, as JSON. */
export type Quote = {
  /** The most that it can cost. */
  tokens: number
  /** Of one output, rounded up. */
  perOutput: number
  /** In words, each with what it comes to so far, rounded up. */
  steps: Step[]
  /** Which version of the rule made it; 0 is the model's plain price. */
  ruleVersion: number
  /** Whose rule; absent with the plain price. */
  ruleOf?: 'app' | 'hub'
  /** What of the price is known only when the job has ended; absent: nothing. */
  usage?: Usage
}

export type ToPrice = { realm: { id: RealmId }; model: PricedModel; input: CheckedInput }

/**
 * By the app's own rule for this model, else the hub's, else the model's plain price for each output. Throws
 * 400 where a rule has no price for what the input asks.
 */
export function quote(deps: Pick<Deps, 'db' | 'cache'>, { realm, model, input }: ToPrice): Quote {
  const rule = ruleInForce(deps, realm.id, `model:${model.name}`)
  return rule ? quoteBy(rule, askedOfModel(model, input)) : plainQuote(model, input)
}

/**
 * What an app's own feature costs, by its rule. Null where neither the app nor the hub has one. Throws 400
 * naming a field of `input` that is missing or has no price.
 */
export function featurePrice(
  deps: Pick<Deps, 'db' | 'cache'>,
  realm: { id: RealmId },
  feature: string,
  input: unknown = {},
): Quote | null {
  const rule = ruleInForce(deps, realm.id, `feature:${feature}`)
  return rule ? quoteBy(rule, featureAsked(rule.compiled, input)) : null
}

export function quoteBy(
  { compiled, version, of }: Pick<RuleInForce, 'compiled' | 'version' | 'of'>,
  asked: Asked,
): Quote {
  const { exact, steps, usage } = price(compiled, asked)
  const tokens = roundedUp(exact)
  // A saved rule never comes to as much, but its model may have got a wider schema since.
  if (tokens > BigInt(MAX_TOKENS))
    throw invalidInput('input', `costs more than ${MAX_TOKENS} tokens`)
  return {
    tokens: Number(tokens),
    perOutput: Number(roundedUp(over(exact, BigInt(asked.outputs)))),
    steps,
    ruleVersion: version,
    ruleOf: of,
    ...(usage ? { usage } : {}),
  }
}

/** Where no rule is in force. */
export function plainQuote(model: { tokenCost: number }, input: { numOutputs: number }): Quote {
  const tokens = model.tokenCost * input.numOutputs
  invariant(Number.isSafeInteger(tokens) && tokens >= 0, 'a price is a whole number of tokens')
  return {
    tokens,
    perOutput: model.tokenCost,
    steps: [{ what: `${model.tokenCost} tokens x ${input.numOutputs} outputs`, tokens }],
    ruleVersion: 0,
  }
}
