import { AppError, type InputProblem } from '@/base/errors'
import type { Asked, Value } from './asked'
import type { Compiled } from './compile'

/**
 * What a call says of an app's own feature. Its input has the fields that the rule speaks of and no other,
 * each a text, a number or a yes or no. Throws 400 naming every wrong one.
 */
export function featureAsked(rule: Compiled, input: unknown): Asked {
  const given = entriesOf(input)
  const fields = fieldsIn(rule)
  const problems = [...given].flatMap(([field, value]): InputProblem[] => {
    if (!fields.has(field)) {
      return [{ path: pathOf(field), message: 'is not a field of this feature’s price' }]
    }
    if (isValue(value)) return []
    return [{ path: pathOf(field), message: 'must be a text, a number or a boolean' }]
  })
  if (problems.length > 0) throw new AppError('invalid_input', { detail: { details: problems } })
  return {
    outputs: 1,
    read: field => {
      const value = given.get(field)
      return isValue(value) ? value : undefined
    },
    measure: () => null,
  }
}

function fieldsIn(rule: Compiled): Set<string> {
  const rows = [...rule.units, ...rule.factors, ...rule.growth, ...rule.additions]
  return new Set(rows.flatMap(row => ('of' in row ? [row.of] : [])))
}

function entriesOf(input: unknown): Map<string, unknown> {
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input)
  if (isObject) return new Map(Object.entries(input))
  throw new AppError('invalid_input', {
    detail: { details: [{ path: 'input', message: 'must be an object' }] },
  })
}

function isValue(value: unknown): value is Value {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** A name from outside is shown only when it is a plain word. */
function pathOf(field: string): string {
  return `input.${/^[A-Za-z0-9_:-]{1,64}$/.test(field) ? field : '(unnamed)'}`
}
