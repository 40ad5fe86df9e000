import { invalidInput } from '@/base/errors'
import { type Asked, leastOf, type Measure } from './asked'
import type { Compiled, CompiledFactor, CompiledGrowth, CompiledUnit } from './compile'
import {
  add,
  beyond,
  isMore,
  least,
  most,
  power,
  type Rational,
  rational,
  roundedUp,
  times,
  toStored,
  toText,
  whole,
  ZERO,
} from './rational'
import { MAX_EXPONENT } from './rule'

export type Step = { what: string; tokens: number }

/**
 * What is left of a rule when everything that the input says is worked in: a sum for each thing that only the
 * result shows. JSON, kept with the job, so that its end needs neither the rule nor the input. Fractions are
 * texts such as `285/4`; amounts are for one output.
 */
export type Usage = {
  fixed: string
  parts: { of: Measure; price: string; free: string; most: string }[]
  minimum: number | null
  maximum: number | null
}

export type Priced = {
  /** With minimum and maximum, not rounded. */
  exact: Rational
  steps: Step[]
  /** Null: nothing is left to be measured. */
  usage: Usage | null
}

/** Something that is measured: `price` for one of it, for all outputs together. */
type Part = { of: Measure; price: Rational; free: Rational; most: Rational }

/** A price as it grows, row by row. */
type Bill = { total: Rational; fixed: Rational; parts: Part[]; steps: Step[] }

/**
 * Works a rule out. What is to be measured counts at its most. Throws 400 naming the field of `input` that
 * the rule has no price for.
 */
export function price(rule: Compiled, asked: Asked): Priced {
  const bill: Bill = { total: ZERO, fixed: ZERO, parts: [], steps: [] }
  const { outputs } = asked
  if (rule.base.n > 0n) charge(bill, rule.base, `${toText(rule.base)} tokens`)
  if (rule.perOutput.n > 0n) {
    const amount = times(rule.perOutput, whole(BigInt(outputs)))
    charge(bill, amount, `${toText(rule.perOutput)} tokens x ${outputs} outputs`)
  }
  for (const unit of rule.units) chargeUnit(bill, unit, asked)
  for (const factor of rule.factors) multiply(bill, ...factorOf(factor, asked))
  for (const growth of rule.growth) multiply(bill, ...growthOf(growth, asked))
  for (const unit of rule.additions) chargeUnit(bill, unit, asked)
  return closed(bill, rule)
}

function closed({ total, fixed, parts, steps }: Bill, { minimum, maximum }: Compiled): Priced {
  let exact = total
  if (steps.length === 0) steps.push({ what: '0 tokens', tokens: 0 })
  if (minimum && isMore(minimum, exact)) {
    exact = minimum
    steps.push({ what: `at least ${toText(minimum)} tokens`, tokens: shown(exact) })
  }
  if (maximum && isMore(exact, maximum)) {
    exact = maximum
    steps.push({ what: `at most ${toText(maximum)} tokens`, tokens: shown(exact) })
  }
  if (exact.n % exact.d !== 0n) steps.push({ what: 'rounded up', tokens: shown(exact) })
  if (parts.length === 0) return { exact, steps, usage: null }
  const usage = {
    fixed: toStored(fixed),
    parts: parts.map(part => ({
      of: part.of,
      price: toStored(part.price),
      free: toStored(part.free),
      most: toStored(part.most),
    })),
    minimum: minimum && shown(minimum),
    maximum: maximum && shown(maximum),
  }
  return { exact, steps, usage }
}

function chargeUnit(bill: Bill, unit: CompiledUnit, asked: Asked): void {
  const amount = amountOf(unit, asked)
  const outputs = whole(BigInt(unit.isPerOutput ? asked.outputs : 1))
  const forAll = times(unit.price, outputs)
  const paid = times(forAll, beyond(amount.value, unit.free))
  const what = unitText(unit, amount, unit.isPerOutput ? asked.outputs : 1)
  if (amount.measure) {
    bill.parts.push({ of: amount.measure, price: forAll, free: unit.free, most: amount.value })
    say(bill, add(bill.total, paid), what)
  } else {
    charge(bill, paid, what)
  }
}

type Amount = { value: Rational; measure: Measure | null }

/** How much of it one output has, or at most has. */
function amountOf(unit: CompiledUnit, asked: Asked): Amount {
  const measured = asked.measure(unit.of)
  if (!measured) return { value: quantity(unit, asked), measure: null }
  if (measured.asked) mustNotBeMore(measured.field, measured.asked, unit.max)
  const value = measured.asked ?? unit.absent ?? leastOf(measured.bound, unit.max)
  if (!value) throw mustBeGiven(measured.field)
  return { value, measure: measured.isExact ? null : measured.measure }
}

function quantity({ of, absent, max }: CompiledUnit, asked: Asked): Rational {
  const given = asked.read(of)
  if (given === undefined) {
    if (!absent) throw mustBeGiven(of)
    return absent
  }
  const value = typeof given === 'number' ? rational(given) : null
  if (!value) throw refused(of, 'must be a number that is not negative: the price depends on it')
  mustNotBeMore(of, value, max)
  return value
}

/** Its name and by how much it multiplies. */
function factorOf(factor: CompiledFactor, asked: Asked): [Rational, string] {
  if ('name' in factor) return [factor.by, `${toText(factor.by)} ${factor.name}`]
  const { of, table, otherwise } = factor
  const given = asked.read(of)
  const name = of.replaceAll('_', ' ')
  if (given === undefined) {
    if (!factor.absent) throw mustBeGiven(of)
    return [factor.absent, `${toText(factor.absent)} ${name} as it is`]
  }
  const value = `${given}`
  const by = table.get(value)
  if (by) return [by, `${toText(by)} ${name} ${value}`]
  if (!otherwise) throw refused(of, 'has no price with this value')
  // Not the value itself: it may be any text.
  return [otherwise, `${toText(otherwise)} other ${name}`]
}

function growthOf({ of, by, max, absent }: CompiledGrowth, asked: Asked): [Rational, string] {
  const given = asked.read(of) ?? absent
  if (given === null) throw mustBeGiven(of)
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 0) {
    throw refused(of, 'must be a whole number that is not negative: the price depends on it')
  }
  mustNotBeMore(of, whole(BigInt(given)), whole(BigInt(max ?? MAX_EXPONENT)))
  return [power(by, BigInt(given)), `${toText(by)} ^ ${given} ${of.replaceAll('_', ' ')}`]
}

function charge(bill: Bill, amount: Rational, what: string): void {
  bill.fixed = add(bill.fixed, amount)
  say(bill, add(bill.total, amount), what)
}

function multiply(bill: Bill, by: Rational, what: string): void {
  bill.fixed = times(bill.fixed, by)
  bill.parts = bill.parts.map(part => ({ ...part, price: times(part.price, by) }))
  bill.total = times(bill.total, by)
  bill.steps.push({ what: `x ${withSum(what, bill.total)}`, tokens: shown(bill.total) })
}

function say(bill: Bill, total: Rational, what: string): void {
  const sign = bill.steps.length === 0 ? '' : '+ '
  bill.total = total
  bill.steps.push({ what: `${sign}${withSum(what, total)}`, tokens: shown(total) })
}

/** `tokens` of a step are whole, so a sum that is not stands in its words. */
function withSum(what: string, total: Rational): string {
  const isTold = total.n % total.d === 0n || what === `${toText(total)} tokens`
  return isTold ? what : `${what} = ${toText(total)}`
}

function unitText({ of, told, free }: CompiledUnit, amount: Amount, outputs: number): string {
  const name = of.replaceAll('_', ' ')
  const rate = `${toText(told.price)} tokens${told.each === 1 ? '' : ` for ${told.each}`}`
  const paid = toText(beyond(amount.value, free))
  const note = free.n === 0n ? '' : ` (of ${toText(amount.value)}, ${toText(free)} free)`
  const many = outputs === 1 ? '' : ` x ${outputs} outputs`
  return `${rate} x ${amount.measure ? 'at most ' : ''}${paid} ${name}${note}${many}`
}

const LARGEST = BigInt(Number.MAX_SAFE_INTEGER)

/** Whole tokens, for people. */
function shown(value: Rational): number {
  const up = roundedUp(value)
  return Number(up > LARGEST ? LARGEST : up)
}

function mustNotBeMore(field: string, value: Rational, max: Rational | null): void {
  if (max && isMore(value, max))
    throw refused(field, `must be at most ${toText(max)} at this price`)
}

function mustBeGiven(field: string) {
  return refused(field, 'must be given: the price depends on it')
}

function refused(field: string, message: string) {
  return invalidInput(`input.${field}`, message)
}

/** Minimum and maximum of what a rule comes to. */
export function within(value: Rational, low: Rational | null, high: Rational | null): Rational {
  const raised = low ? most(value, low) : value
  return high ? least(raised, high) : raised
}
