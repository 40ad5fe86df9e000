import type { InputProblem } from '@/base/errors'
import { ASKED_BY, findMeasure, type Measure, mostInputTokens, type PricedModel } from './asked'
import { OUTPUTS } from './compile'
import type { Field } from './fields'
import { isMore, least, type Rational, rational, toText, whole } from './rational'
import { type Factor, type Growth, MAX_EXPONENT, type Rule, type Unit } from './rule'
import { tooLarge, type Worst, worstFactor } from './worst-case'

/** Whose price it is. A feature has no schema: the rule itself says what it is asked with. */
export type Subject = {
  model: PricedModel
  fields: Map<string, Field>
  maxPromptBytes: number
} | null

/** What one check found: problems, or the most that the row can count. */
type Found = { problems: InputProblem[]; worst: Worst }

/**
 * Everything that is wrong with a rule for its subject, with the field named: fields that are not there,
 * numbers without an end, values that nobody can ask for, input that would have no price, and a price that
 * could come to more than anybody may be charged. Empty: it may be saved.
 */
export function checkRule(rule: Rule, subject: Subject): InputProblem[] {
  const problems: InputProblem[] = []
  if (!subject && rule.per_output !== undefined) {
    problems.push({ path: 'rule.per_output', message: 'is for models: a feature has no outputs' })
  }
  const keep = (found: Found[]): Worst[] =>
    found.map(({ problems: some, worst }) => {
      problems.push(...some)
      return worst
    })
  const units = keep(
    (rule.units ?? []).map((unit, i) => checkUnit(unit, `rule.units.${i}`, subject)),
  )
  const factors = keep(
    (rule.factors ?? []).map((factor, i) => checkFactor(factor, `rule.factors.${i}`, subject)),
  )
  const growth = keep(
    (rule.growth ?? []).map((row, i) => checkGrowth(row, `rule.growth.${i}`, subject)),
  )
  const additions = keep(
    (rule.additions ?? []).map((unit, i) => checkUnit(unit, `rule.additions.${i}`, subject)),
  )
  if (problems.length > 0) return problems
  const outputs = subject?.fields.get(OUTPUTS)?.number?.max ?? whole(1n)
  const found = tooLarge(rule, outputs, { units, factors: [...factors, ...growth], additions })
  return found ? [{ path: 'rule.maximum', message: found }] : []
}

function checkUnit(unit: Unit, path: string, subject: Subject): Found {
  const measure = subject && findMeasure(subject.model, unit.of)
  if (subject && measure) return checkMeasured(unit, measure, path, subject)
  const problems = numberProblems(unit, path, subject)
  if (subject && unit.of === OUTPUTS && unit.per === 'output') {
    problems.push({ path: `${path}.per`, message: 'cannot be `output` for the number of outputs' })
  }
  if (!subject && unit.per === 'output') {
    problems.push({ path: `${path}.per`, message: 'is for models: a feature has no outputs' })
  }
  const most = mostOf(subject?.fields.get(unit.of)?.number?.max ?? null, unit.max)
  const isThere = !problems.some(problem => problem.path === `${path}.of`)
  if (!most && isThere) problems.push({ path: `${path}.max`, message: NEEDS_MAX })
  return { problems: [...problems, ...absentProblems(unit, path, most)], worst: most ?? whole(0n) }
}

const NEEDS_MAX = 'is missing: nothing else says how much of it there can be'

function checkMeasured(
  unit: Unit,
  measure: Measure,
  path: string,
  subject: Exclude<Subject, null>,
): Found {
  const problems: InputProblem[] = []
  if (unit.per === 'job') {
    problems.push({
      path: `${path}.per`,
      message: 'cannot be `job`: it is measured of every output',
    })
  }
  if (measure === 'input_tokens') {
    if (unit.absent !== undefined) {
      problems.push({ path: `${path}.absent`, message: 'is not needed: the prompt says how much' })
    }
    const pictures = subject.fields.get('images')?.number?.max ?? whole(0n)
    const bound = mostInputTokens(subject.maxPromptBytes, Number(pictures.n / pictures.d))
    return { problems, worst: mostOf(bound, unit.max) ?? bound }
  }
  const askedBy = subject.fields.get(ASKED_BY[measure] ?? '')
  const standing = askedBy ? null : unit.absent === undefined ? null : rational(unit.absent)
  const most = mostOf(askedBy?.number?.max ?? standing, unit.max)
  if (!most) problems.push({ path: `${path}.max`, message: NEEDS_MAX })
  return { problems: [...problems, ...absentProblems(unit, path, most)], worst: most ?? whole(0n) }
}

function checkFactor(factor: Factor, path: string, subject: Subject): Found {
  const worst = worstFactor(factor)
  const { of, table = {} } = factor
  if (of === undefined || !subject) return { problems: [], worst }
  const field = subject.fields.get(of)
  if (!field) return { problems: [unknownField(of, path, subject)], worst }
  const problems = Object.keys(table).flatMap(value =>
    field.values && !field.values.includes(value)
      ? [{ path: `${path}.table.${wordOf(value)}`, message: noValue(field.values) }]
      : [],
  )
  if (field.standard === null && factor.absent === undefined && factor.else === undefined) {
    problems.push({ path: `${path}.absent`, message: NEEDS_ABSENT })
  }
  const isStandardPriced =
    field.standard === null || factor.else !== undefined || Object.hasOwn(table, field.standard)
  if (!isStandardPriced) {
    const message =
      'lacks the value that the field has when the input does not say, and there is no `else`'
    problems.push({ path: `${path}.table`, message })
  }
  return { problems, worst }
}

function checkGrowth(growth: Growth, path: string, subject: Subject): Found {
  const problems = numberProblems(growth, path, subject)
  const field = subject?.fields.get(growth.of)
  if (field?.number && !field.number.isWhole) {
    problems.push({ path: `${path}.of`, message: 'is not a whole number' })
  }
  const most = mostOf(field?.number?.max ?? null, growth.max)
  if (!most || isMore(most, whole(BigInt(MAX_EXPONENT)))) {
    problems.push({ path: `${path}.max`, message: `is missing: at most ${MAX_EXPONENT}` })
    return { problems, worst: whole(0n) }
  }
  const by = rational(growth.by) ?? whole(1n)
  const exponent = most.n / most.d
  const worst = { n: by.n ** exponent, d: by.d ** exponent }
  return { problems: [...problems, ...absentProblems(growth, path, most)], worst }
}

/** That the field is there, is a number, is never negative, and counts as something when it is left out. */
function numberProblems(row: Unit | Growth, path: string, subject: Subject): InputProblem[] {
  if (!subject) return []
  const field = subject.fields.get(row.of)
  if (!field) return [unknownField(row.of, path, subject)]
  if (!field.number) return [{ path: `${path}.of`, message: 'is not a number' }]
  if (field.number.isNegative) {
    return [{ path: `${path}.of`, message: 'may be negative by the model’s own schema' }]
  }
  const isMissing = field.standard === null && row.absent === undefined
  return isMissing ? [{ path: `${path}.absent`, message: NEEDS_ABSENT }] : []
}

const NEEDS_ABSENT = 'is missing: the input may leave the field out'

function absentProblems(row: Unit | Growth, path: string, most: Rational | null): InputProblem[] {
  const absent = row.absent === undefined ? null : rational(row.absent)
  if (!absent || !most || !isMore(absent, most)) return []
  return [{ path: `${path}.absent`, message: `is more than there can be, ${toText(most)}` }]
}

function unknownField(of: string, path: string, subject: Exclude<Subject, null>): InputProblem {
  const known = [...subject.fields.keys()].sort().join(', ')
  const isMeasured = findMeasure(subject.model, of) !== null
  const message = isMeasured
    ? 'is measured when the job has ended: only units and additions can count it'
    : `is not a field of this model, which has ${known}`
  return { path: `${path}.of`, message }
}

function noValue(values: string[]): string {
  return `is not a value of this field, which takes ${values.slice(0, 20).join(', ')}`
}

function wordOf(value: string): string {
  return /^[A-Za-z0-9_:.-]{1,64}$/.test(value) ? value : '(unnamed)'
}

function mostOf(bound: Rational | null, max: number | undefined): Rational | null {
  if (max === undefined) return bound
  const own = whole(BigInt(max))
  return bound ? least(bound, own) : own
}
