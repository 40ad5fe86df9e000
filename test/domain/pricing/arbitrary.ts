import fc from 'fast-check'
import type { Asked, Measure } from '@/domain/pricing/asked'
import { rational } from '@/domain/pricing/rational'
import type { Rule } from '@/domain/pricing/rule'

/** Rules and requests by the die, and a second way to work them out. */
export type Request = {
  outputs: number
  quantities: Record<string, number>
  words: Record<string, string>
  /** What a measure is at most, for one output. */
  measures: Partial<Record<Measure, number>>
}

export const QUANTITIES = ['images', 'steps', 'size']
const WORDS = ['quality', 'resolution']
const VALUES = ['low', 'medium', 'high']
const COUNTS = ['round', 'iteration']
export const MEASURED = ['output_tokens', 'compute_seconds'] as const

/** A decimal in one of the forms that a rule takes. */
const decimal = (max: number, min = 0) =>
  fc.oneof(
    fc.integer({ min, max }),
    fc
      .tuple(fc.integer({ min, max: max - 1 }), fc.integer({ min: 1, max: 6 }), fc.nat(999_999))
      .map(
        ([whole, places, digits]) => `${whole}.${`${digits}`.padStart(6, '0').slice(0, places)}`,
      ),
  )

const unit = (of: readonly string[]) =>
  fc.record(
    {
      of: fc.constantFrom(...of),
      price: decimal(500),
      each: fc.constantFrom(1, 3, 7, 1_000, 1_000_000),
      free: decimal(50),
      per: fc.constantFrom('output' as const, 'job' as const),
    },
    { requiredKeys: ['of', 'price'] },
  )

const factor = fc.oneof(
  decimal(20).map(by => ({ name: 'margin', by })),
  fc
    .record({
      of: fc.constantFrom(...WORDS),
      table: fc.record({ low: decimal(20), high: decimal(20) }),
      else: decimal(20),
    })
    .map(({ of, table, ...rest }) => ({ of, table, ...rest })),
)

export const rules: fc.Arbitrary<Rule> = fc
  .record(
    {
      base: decimal(1_000),
      per_output: decimal(1_000),
      units: fc.array(unit(QUANTITIES), { maxLength: 4 }),
      factors: fc.array(factor, { maxLength: 6 }),
      growth: fc.array(fc.record({ of: fc.constantFrom(...COUNTS), by: decimal(3, 1) }), {
        maxLength: 2,
      }),
      additions: fc.array(unit(QUANTITIES), { maxLength: 4 }),
      minimum: fc.nat(100),
      maximum: fc.integer({ min: 100, max: 1_000_000_000 }),
    },
    { requiredKeys: ['base'] },
  )
  .map(rule => rule as Rule)

/** Rules of which a part is known only at the end. */
export const measuringRules: fc.Arbitrary<Rule> = fc
  .tuple(rules, fc.array(unit(MEASURED), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([rule, more, isBefore]) => {
    const units = more.map(({ per: _, ...rest }) => rest)
    return (
      isBefore
        ? { ...rule, units: [...(rule.units ?? []), ...units] }
        : { ...rule, additions: [...(rule.additions ?? []), ...units] }
    ) as Rule
  })

const quantity = fc.oneof(
  fc.nat(200),
  fc.double({ min: 0, max: 200, noNaN: true }),
  fc.constantFrom(0, 0.1, 0.30000000000000004, 1e-7, 5e-324, 123_456.789),
)

export const requests: fc.Arbitrary<Request> = fc.record({
  outputs: fc.integer({ min: 1, max: 4 }),
  quantities: fc.record(
    Object.fromEntries([
      ...QUANTITIES.map(name => [name, quantity]),
      ...COUNTS.map(name => [name, fc.nat(6)]),
    ]),
  ) as fc.Arbitrary<Record<string, number>>,
  words: fc.record(
    Object.fromEntries(WORDS.map(name => [name, fc.constantFrom(...VALUES)])),
  ) as fc.Arbitrary<Record<string, string>>,
  measures: fc.record(
    Object.fromEntries(MEASURED.map(name => [name, fc.nat(10_000)])),
  ) as fc.Arbitrary<Request['measures']>,
})

export function askedOf({ outputs, quantities, words, measures }: Request): Asked {
  return {
    outputs,
    read: field => quantities[field] ?? words[field],
    measure: name => {
      const measure = MEASURED.find(measured => measured === name)
      if (!measure) return null
      const asked = rational(measures[measure] ?? 0)
      return { measure, field: name, asked, isExact: false, bound: null }
    },
  }
}

const MICRO = 10n ** 6n
/** As many places as the smallest number of JavaScript needs. */
const FINE = 10n ** 400n

/**
 * The same price another way: no fractions, but two whole numbers that are made of everything multiplied out,
 * with one division at the end. Answers it exactly, and rounded up.
 */
export function byHand(rule: Rule, request: Request): { n: bigint; d: bigint; tokens: bigint } {
  const { outputs, quantities, words, measures } = request
  const units = [...(rule.units ?? []), ...(rule.additions ?? [])]
  const everyEach = units.reduce((product, { each = 1 }) => product * BigInt(each), 1n)
  const sumOf = (rows: NonNullable<Rule['units']>) => {
    let sum = 0n
    for (const { of, price, each = 1, free = 0, per } of rows) {
      const amount = quantities[of] ?? measures[of as Measure] ?? 0
      const paid = fine(amount) - micros(free) * (FINE / MICRO)
      if (paid <= 0n) continue
      const many = per === 'job' ? 1n : BigInt(outputs)
      sum += micros(price) * paid * many * (everyEach / BigInt(each))
    }
    return sum
  }
  const d = MICRO * FINE * everyEach
  const fixed = micros(rule.base ?? 0) + micros(rule.per_output ?? 0) * BigInt(outputs)
  let n = fixed * FINE * everyEach + sumOf(rule.units ?? [])
  let scale = 1n
  for (const { by, of, table = {}, else: otherwise = 0 } of rule.factors ?? []) {
    n *= micros(of === undefined ? (by ?? 0) : (table[words[of] ?? ''] ?? otherwise))
    scale *= MICRO
  }
  for (const { of, by } of rule.growth ?? []) {
    for (let i = 0; i < (quantities[of] ?? 0); i++) {
      n *= micros(by)
      scale *= MICRO
    }
  }
  n += sumOf(rule.additions ?? []) * scale
  let all = { n, d: d * scale }
  if (rule.minimum !== undefined && all.n < BigInt(rule.minimum) * all.d) {
    all = { n: BigInt(rule.minimum), d: 1n }
  }
  if (rule.maximum !== undefined && all.n > BigInt(rule.maximum) * all.d) {
    all = { n: BigInt(rule.maximum), d: 1n }
  }
  const tokens = all.n / all.d
  return { ...all, tokens: tokens * all.d === all.n ? tokens : tokens + 1n }
}

/** Millionths. */
function micros(value: string | number): bigint {
  const [whole = '', fraction = ''] = `${value}`.split('.')
  return BigInt(whole) * MICRO + BigInt(fraction.padEnd(6, '0'))
}

/** Of what JSON brings, in the places that `FINE` has. */
function fine(value: number): bigint {
  const [digits = '', power = '0'] = `${value}`.split('e')
  const [whole = '', fraction = ''] = digits.split('.')
  const places = 400 - fraction.length + Number(power)
  return BigInt(whole + fraction) * 10n ** BigInt(places)
}
