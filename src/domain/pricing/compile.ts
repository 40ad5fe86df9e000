import { invariant } from '@/base/invariant'
import { ONE, over, type Rational, rational, whole, ZERO } from './rational'
import type { Rule, Unit } from './rule'

/** A rule whose texts have become fractions: made once, asked on every quote. */
export type Compiled = {
  base: Rational
  perOutput: Rational
  units: CompiledUnit[]
  factors: CompiledFactor[]
  growth: CompiledGrowth[]
  additions: CompiledUnit[]
  minimum: Rational | null
  maximum: Rational | null
}
export type CompiledUnit = {
  of: string
  /** For one of it. */
  price: Rational
  /** As the rule has it, for the steps. */
  told: { price: Rational; each: number }
  free: Rational
  isPerOutput: boolean
  max: Rational | null
  absent: Rational | null
}
export type CompiledFactor =
  | { name: string; by: Rational }
  | {
      of: string
      table: ReadonlyMap<string, Rational>
      otherwise: Rational | null
      absent: Rational | null
    }
export type CompiledGrowth = { of: string; by: Rational; max: number | null; absent: number | null }

/** The field that is a number of outputs already, so that nothing of it is paid for every output. */
export const OUTPUTS = 'num_outputs'

export function compile(rule: Rule): Compiled {
  return {
    base: number(rule.base) ?? ZERO,
    perOutput: number(rule.per_output) ?? ZERO,
    units: (rule.units ?? []).map(compileUnit),
    factors: (rule.factors ?? []).map(factor =>
      factor.of === undefined
        ? { name: factor.name ?? '', by: number(factor.by) ?? ONE }
        : {
            of: factor.of,
            table: new Map(
              Object.entries(factor.table ?? {}).map(([value, by]) => [value, number(by) ?? ONE]),
            ),
            otherwise: number(factor.else),
            absent: number(factor.absent) ?? number(factor.else),
          },
    ),
    growth: (rule.growth ?? []).map(({ of, by, max = null, absent = null }) => ({
      of,
      by: number(by) ?? ONE,
      max,
      absent,
    })),
    additions: (rule.additions ?? []).map(compileUnit),
    minimum: number(rule.minimum),
    maximum: number(rule.maximum),
  }
}

function compileUnit({ of, price, each = 1, free, per, max, absent }: Unit): CompiledUnit {
  const told = { price: number(price) ?? ZERO, each }
  return {
    of,
    price: over(told.price, BigInt(each)),
    told,
    free: number(free) ?? ZERO,
    isPerOutput: (per ?? (of === OUTPUTS ? 'job' : 'output')) === 'output',
    max: max === undefined ? null : whole(BigInt(max)),
    absent: number(absent),
  }
}

function number(text: string | number | undefined): Rational | null {
  if (text === undefined) return null
  const found = rational(text)
  invariant(found, 'a saved rule has numbers where numbers are')
  return found
}
