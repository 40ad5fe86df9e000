import type { Deps } from '@/deps'
import { describeInput, type Model } from '@/domain/catalog'
import { type Rational, rational } from './rational'

/** What a model's schema says of one field, as far as a price can depend on it. */
export type Field = {
  /** Null: it is no number. */
  number: { isNegative: boolean; isWhole: boolean; max: Rational | null } | null
  /** Every value that it can have, as text; null: too many to say. */
  values: string[] | null
  /** As text; null: the input may leave it out. */
  standard: string | null
}

/** Always in the input, whatever their schema says. */
const COUNTED = ['num_outputs', 'images']
const COMMON = [...COUNTED, 'aspect_ratio', 'output_format']
/** Longer lists of values are told by their bounds. */
const MOST_VALUES = 100

type Schema = { [word: string]: unknown }

/** The fields of a model that a rule may speak of. */
export function fieldsOf(deps: Deps, model: Model): Map<string, Field> {
  const { properties } = describeInput(deps, model) as { properties: Record<string, Schema> }
  const own = (model.inputSchema.properties ?? {}) as Record<string, Schema>
  const fields = new Map<string, Field>()
  for (const [name, schema] of Object.entries(own)) {
    const field = fieldOf(schema)
    if (field) fields.set(name, field)
  }
  for (const name of COMMON) {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined
    const field = schema && fieldOf(name === 'images' ? counted(schema) : schema)
    if (field) fields.set(name, field)
  }
  return fields
}

/** In bytes, which a prompt may have as many of as characters. */
export function longestPrompt(deps: Deps, model: Model): number {
  const { properties } = describeInput(deps, model) as { properties: Record<string, Schema> }
  const { maxLength } = properties.prompt ?? {}
  return typeof maxLength === 'number' ? maxLength : 0
}

/** Null for lists and objects, and for what no JSON Schema of ours says. */
function fieldOf(schema: Schema): Field | null {
  const { type, minimum, exclusiveMinimum, maximum } = schema
  const values = valuesOf(schema)
  const standard = schema.default === undefined ? null : `${schema.default}`
  const isNumber = values
    ? values.every(value => typeof value === 'number')
    : type === 'integer' || type === 'number'
  if (!isNumber) {
    if (values) return { number: null, values: values.map(String), standard }
    if (type === 'boolean') return { number: null, values: ['true', 'false'], standard }
    return type === 'string' ? { number: null, values: null, standard } : null
  }
  const least = [minimum, exclusiveMinimum].find(bound => typeof bound === 'number')
  const numbers = (values ?? []) as number[]
  const isWhole = values ? numbers.every(Number.isInteger) : type === 'integer'
  const max = values ? numbers.toSorted((a, b) => b - a)[0] : maximum
  const isNegative = values ? numbers.some(value => value < 0) : least === undefined || least < 0
  return {
    number: { isNegative, isWhole, max: typeof max === 'number' ? rational(max) : null },
    values: values ? numbers.map(String) : rangeOf(type, minimum, maximum),
    standard,
  }
}

function valuesOf(schema: Schema): unknown[] | null {
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum
  return schema.const === undefined ? null : [schema.const]
}

function rangeOf(type: unknown, minimum: unknown, maximum: unknown): string[] | null {
  if (type !== 'integer' || typeof minimum !== 'number' || typeof maximum !== 'number') return null
  const count = maximum - minimum + 1
  if (!(count > 0 && count <= MOST_VALUES)) return null
  return Array.from({ length: count }, (_, index) => `${minimum + index}`)
}

/** Of a list its length counts. */
function counted({ minItems = 0, maxItems }: Schema): Schema {
  return { type: 'integer', minimum: minItems, maximum: maxItems, default: minItems }
}
