import type { CheckedInput, Model } from '@/domain/catalog'
import { least, type Rational, rational, whole } from './rational'

export type Value = string | number | boolean

/** What a price is asked for: how many outputs, and what the input says of them. */
export type Asked = {
  outputs: number
  /** Undefined: the input does not say. */
  read(field: string): Value | undefined
  /** Of what only the result shows. Null: this is a field like any other. */
  measure(name: string): Measured | null
}

/** What is known at submit of something that is measured when the job has ended, for one output. */
export type Measured = {
  measure: Measure
  /** The input field that asks for it. */
  field: string
  /** What the input asks for. */
  asked: Rational | null
  /** The result has exactly what was asked for, so that nothing need be measured. */
  isExact: boolean
  /** It is never more, whatever the input says. */
  bound: Rational | null
}

/**
 * What is counted of a result: `seconds` of film or sound, `megapixels` (of a million) of pictures and
 * films, text tokens in and out as the vendor counts them, and the seconds that its machine worked.
 */
export const MEASURES = [
  'seconds',
  'megapixels',
  'input_tokens',
  'output_tokens',
  'compute_seconds',
] as const
export type Measure = (typeof MEASURES)[number]

/** The input fields that bound a measure. */
export const ASKED_BY: Partial<Record<Measure, string>> = {
  seconds: 'duration_seconds',
  output_tokens: 'max_output_tokens',
}

/** No tokenizer makes more tokens than a text has bytes; these are for what vendors put around it. */
const WRAPPING_TOKENS = 64
/** The dearest of the vendors' tables for one picture of usual size. */
const TOKENS_OF_A_PICTURE = 4_096

export type PricedModel = Pick<Model, 'name' | 'tokenCost' | 'inputSchema'>

export function askedOfModel(model: PricedModel, input: CheckedInput): Asked {
  return {
    outputs: input.numOutputs,
    read: field => read(input, field),
    measure: name => measured(model, input, name),
  }
}

/** The schema of one of the model's own fields. */
export function ownField(model: PricedModel, name: string): Record<string, unknown> | null {
  const { properties } = model.inputSchema
  if (typeof properties !== 'object' || properties === null) return null
  if (!Object.hasOwn(properties, name)) return null
  return (properties as Record<string, Record<string, unknown>>)[name] ?? null
}

export function findMeasure(model: PricedModel, name: string): Measure | null {
  const found = MEASURES.find(measure => measure === name)
  return found && !ownField(model, name) ? found : null
}

/** The most tokens that a text of so many bytes and these pictures can be. */
export function mostInputTokens(bytes: number, pictures: number): Rational {
  return whole(
    BigInt(bytes) + BigInt(WRAPPING_TOKENS) + BigInt(pictures) * BigInt(TOKENS_OF_A_PICTURE),
  )
}

export function leastOf(a: Rational | null, b: Rational | null): Rational | null {
  return a && b ? least(a, b) : (a ?? b)
}

function read(input: CheckedInput, field: string): Value | undefined {
  if (field === 'num_outputs') return input.numOutputs
  if (field === 'images') return input.images.length
  if (field === 'aspect_ratio') return input.aspectRatio ?? undefined
  if (field === 'output_format') return input.outputFormat ?? undefined
  const value = Object.hasOwn(input.extra, field) ? input.extra[field] : undefined
  return typeof value === 'object' ? undefined : value
}

function measured(model: PricedModel, input: CheckedInput, name: string): Measured | null {
  const measure = findMeasure(model, name)
  if (!measure) return null
  if (measure === 'input_tokens') {
    const bytes = Buffer.byteLength(input.prompt ?? '')
    const bound = mostInputTokens(bytes, input.images.length)
    return { measure, field: 'prompt', asked: null, isExact: false, bound }
  }
  const field = ASKED_BY[measure]
  const schema = field === undefined ? null : ownField(model, field)
  if (field === undefined || !schema) {
    return { measure, field: name, asked: null, isExact: false, bound: null }
  }
  const value = read(input, field)
  const asked = typeof value === 'number' ? rational(value) : null
  const { maximum } = schema
  const bound = typeof maximum === 'number' ? rational(maximum) : null
  // A film has the length that was ordered; of a text only the largest length was.
  return { measure, field, asked, isExact: measure === 'seconds' && asked !== null, bound }
}
