import { z } from 'zod'
import { rational } from './rational'

/**
 * A price as data:
 *
 *     (base + per_output x outputs + units) x factors x growth + additions
 *
 * rounded up once, then at least `minimum` and at most `maximum`. docs/prices.md tells it with examples. Only
 * the form is checked here; whether a model has what the rule speaks of is `checkRule`'s.
 */

/** No price, hold or grant is larger. */
export const MAX_TOKENS = 1_000_000_000
const MAX_FACTOR = 1_000
/** More rows than any tariff has; they bound what one quote costs. */
const MAX_ROWS = 20
const MAX_VALUES = 100
const MAX_EACH = 1_000_000
/** With six decimals 1.2 to this is a number of a few hundred digits, which takes microseconds. */
export const MAX_EXPONENT = 100

const DECIMAL = /^(0|[1-9]\d{0,9})(\.\d{1,6})?$/

/** A whole number, or a decimal in quotes: 1.1 without them would be a float, which is a bit more or less. */
function decimal(max: number, min = 0) {
  return z.custom<string | number>(value => isDecimal(value, min, max), {
    error: `must be a whole number, or a decimal in quotes such as "1.5", from ${min} to ${max} with at most 6 decimals`,
  })
}

function isDecimal(value: unknown, min: number, max: number): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= min && value <= max
  if (typeof value !== 'string' || !DECIMAL.test(value)) return false
  const found = rational(value)
  return found !== null && found.n >= BigInt(min) * found.d && found.n <= BigInt(max) * found.d
}

/** A field of the input, or what is measured of the result. */
const Of = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, { error: 'must be the name of a field' })
const Label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}$/, { error: 'must be 1 to 40 letters, digits, - _ .' })
const Whole = z.int().min(0).max(MAX_TOKENS)

const Unit = z.strictObject({
  of: Of,
  /** Tokens for each `each` (1) of it, beyond `free` (0). */
  price: decimal(MAX_TOKENS),
  each: z.int().min(1).max(MAX_EACH).optional(),
  free: decimal(MAX_TOKENS).optional(),
  /** Paid for every output, as by default, or once. */
  per: z.enum(['output', 'job']).optional(),
  /** A request for more is refused. */
  max: Whole.optional(),
  /** What counts where the input does not say. */
  absent: decimal(MAX_TOKENS).optional(),
})

const Factor = z
  .strictObject({
    /** Always multiplies by this: margin, complexity. */
    name: Label.optional(),
    by: decimal(MAX_FACTOR).optional(),
    /** Multiplies by what the table says of the value. */
    of: Of.optional(),
    table: z
      .record(z.string().min(1).max(64), decimal(MAX_FACTOR))
      .refine(table => Object.keys(table).length > 0, { error: 'must have a value' })
      .refine(table => Object.keys(table).length <= MAX_VALUES, {
        error: `must have at most ${MAX_VALUES} values`,
      })
      .optional(),
    /** For values that the table does not have. Without it they are refused. */
    else: decimal(MAX_FACTOR).optional(),
    /** Where the input does not say. Without it: as `else`. */
    absent: decimal(MAX_FACTOR).optional(),
  })
  .superRefine((factor, context) => {
    const isFixed = factor.of === undefined
    const needed = isFixed ? (['name', 'by'] as const) : (['table'] as const)
    const strange = isFixed ? (['table', 'else', 'absent'] as const) : (['name', 'by'] as const)
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    for (const field of needed) {
      if (factor[field] === undefined)
        complain(field, 'is missing: `name` and `by`, or `of` and `table`')
    }
    for (const field of strange) {
      if (factor[field] !== undefined) complain(field, 'does not go with the rest of this factor')
    }
  })

const Growth = z.strictObject({
  of: Of,
  /** At least 1, so that more of something never costs less. */
  by: decimal(MAX_FACTOR, 1),
  max: z.int().min(0).max(MAX_EXPONENT).optional(),
  absent: z.int().min(0).max(MAX_EXPONENT).optional(),
})

export const Rule = z
  .strictObject({
    base: decimal(MAX_TOKENS).optional(),
    per_output: decimal(MAX_TOKENS).optional(),
    units: z.array(Unit).max(MAX_ROWS).optional(),
    factors: z.array(Factor).max(MAX_ROWS).optional(),
    growth: z.array(Growth).max(MAX_ROWS).optional(),
    additions: z.array(Unit).max(MAX_ROWS).optional(),
    minimum: Whole.optional(),
    maximum: Whole.optional(),
  })
  .superRefine((rule, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const { base, per_output, units = [], additions = [], minimum = 0, maximum } = rule
    if (base === undefined && per_output === undefined && units.length + additions.length === 0) {
      complain('base', 'is missing: a rule has a base, a price per output, units or additions')
    }
    if (maximum !== undefined && maximum < minimum) complain('maximum', 'is less than the minimum')
  })

export type Rule = z.output<typeof Rule>
export type Unit = z.output<typeof Unit>
export type Factor = z.output<typeof Factor>
export type Growth = z.output<typeof Growth>
