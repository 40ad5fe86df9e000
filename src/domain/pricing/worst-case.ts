import { OUTPUTS } from './compile'
import {
  add,
  beyond,
  isMore,
  most,
  ONE,
  over,
  type Rational,
  rational,
  times,
  whole,
  ZERO,
} from './rational'
import { type Factor, MAX_TOKENS, type Rule, type Unit } from './rule'

/** The most of what a row counts, or multiplies by. */
export type Worst = Rational

/** What a price may come to on the way, before its maximum cuts it: far below what a number can hold. */
const MAX_ON_THE_WAY = 1_000_000_000_000

/**
 * Every quantity as large as it can be: nothing in a rule makes a price smaller but a factor below one, and of
 * these the largest is taken. Null when nobody can be charged too much, else what to do about it.
 */
export function tooLarge(
  rule: Rule,
  outputs: Rational,
  worst: { units: Worst[]; factors: Worst[]; additions: Worst[] },
): string | null {
  let sum = add(number(rule.base), times(number(rule.per_output), outputs))
  const charge = (units: Unit[] | undefined, counts: Worst[]) => {
    for (const [i, unit] of (units ?? []).entries()) {
      const price = over(number(unit.price), BigInt(unit.each ?? 1))
      const paid = beyond(counts[i] ?? ZERO, number(unit.free))
      const many = unit.per === 'job' || unit.of === OUTPUTS ? ONE : outputs
      sum = add(sum, times(times(price, paid), many))
    }
  }
  charge(rule.units, worst.units)
  let peak = sum
  for (const factor of worst.factors) {
    sum = times(sum, factor)
    peak = most(peak, sum)
  }
  charge(rule.additions, worst.additions)
  peak = most(peak, sum)
  if (isMore(peak, whole(BigInt(MAX_ON_THE_WAY)))) {
    return `cannot help: some request would come to more than ${MAX_ON_THE_WAY} tokens; give its units a smaller \`max\``
  }
  if (rule.maximum === undefined && isMore(sum, whole(BigInt(MAX_TOKENS)))) {
    return `is missing: some request would cost more than ${MAX_TOKENS} tokens`
  }
  return null
}

/** The largest of the factors that the input can choose among. */
export function worstFactor({ by, table = {}, else: otherwise, absent }: Factor): Worst {
  const all = [by, otherwise, absent, ...Object.values(table)]
  return all.flatMap(each => (each === undefined ? [] : [number(each)])).reduce(most, ZERO)
}

function number(text: string | number | undefined): Rational {
  return text === undefined ? ZERO : (rational(text) ?? ZERO)
}
