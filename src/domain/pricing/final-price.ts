import { invariant } from '@/base/invariant'
import type { ProviderUsage } from '@/providers/spec'
import type { Measure } from './asked'
import { type Usage, within } from './price'
import type { Quote } from './quote'
import {
  add,
  beyond,
  fromStored,
  least,
  over,
  type Rational,
  rational,
  roundedUp,
  times,
  whole,
} from './rational'

/** One output, as far as it is measured: a stored file, or a text. */
export type MeasuredOutput = {
  text?: string
  width?: number | null
  height?: number | null
  durationMs?: number | null
}

export type Ended = {
  /** How many were made, and how many were asked for. */
  outputs: number
  numOutputs: number
  /** What the vendor measured, of everything that was made. */
  usage?: ProviderUsage | undefined
  /** What we measured ourselves. */
  made?: readonly MeasuredOutput[] | undefined
}

/**
 * What a job costs now that it has ended: 0 where nothing was made, else from 0 to what was quoted, by the
 * rule as it was frozen then. What nobody measured counts as it was quoted. Of fewer outputs than asked the
 * price is their share of what all would have cost, rounded in the user's favour.
 */
export function finalPrice(quote: Quote, { outputs, numOutputs, usage, made = [] }: Ended): number {
  invariant(isCount(outputs) && isCount(numOutputs) && numOutputs > 0, 'outputs are counted')
  const count = BigInt(Math.min(outputs, numOutputs))
  if (count === 0n) return 0
  const measured = quote.usage ? priceOf(quote.usage, told(usage, made, outputs)) : null
  const held = BigInt(quote.tokens)
  const forAll = measured !== null && measured < held ? measured : held
  return Number((forAll * count) / BigInt(numOutputs))
}

type Told = Partial<Record<Measure, Rational | null>>

/** As if every output that was asked for were as those that were made. */
function priceOf({ fixed, parts, minimum, maximum }: Usage, told: Told): bigint {
  let sum = fromStored(fixed)
  for (const part of parts) {
    const most = fromStored(part.most)
    const measured = told[part.of] ?? most
    const paid = beyond(least(measured, most), fromStored(part.free))
    sum = add(sum, times(fromStored(part.price), paid))
  }
  return roundedUp(within(sum, limit(minimum), limit(maximum)))
}

function limit(tokens: number | null): Rational | null {
  return tokens === null ? null : whole(BigInt(tokens))
}

/** For one output on average. */
function told(usage: ProviderUsage = {}, made: readonly MeasuredOutput[], outputs: number): Told {
  const each = (amount: number | null | undefined, per = 1) => {
    // Vendors' numbers are anything at all; one that is no amount was not told.
    const value = typeof amount === 'number' ? rational(amount) : null
    return value && over(value, BigInt(outputs) * BigInt(per))
  }
  return {
    input_tokens: each(usage.inputTokens),
    output_tokens: each(usage.outputTokens),
    // Of the machine: the length of a film is ours to measure.
    compute_seconds: each(usage.seconds),
    seconds: each(
      total(made, outputs, ({ durationMs }) => durationMs),
      1_000,
    ),
    megapixels: each(total(made, outputs, pixels), 1_000_000),
  }
}

/** Null unless every output was measured. */
function total(
  made: readonly MeasuredOutput[],
  outputs: number,
  measure: (output: MeasuredOutput) => number | null | undefined,
): number | null {
  if (made.length !== outputs) return null
  let sum = 0
  for (const output of made) {
    const found = measure(output)
    if (found === null || found === undefined) return null
    sum += found
  }
  return sum
}

function pixels({ width, height }: MeasuredOutput): number | null {
  return width && height ? width * height : null
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
