import { ProviderError } from '../errors'
import { type FieldNames, mapInput, modelOf, namesOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { EDIT_FIELDS, GENERATION_FIELDS, OpenaiParams, TEXT_FIELDS } from './params'

export type Fields = { [name: string]: Json }

/** What a picture is asked for by, but for the pictures to change. Throws `rejected` for bad input. */
export function imageFields(input: ProviderInput, count: number): Fields {
  const isEdit = input.images.length > 0
  const fields = mapped(input, isEdit ? EDIT_FIELDS : GENERATION_FIELDS, {
    aspect_ratio: 'size',
    num_outputs: 'n',
  })
  for (const name of [...NEVER_SENT, MASK]) delete fields[name]
  if (fields.size !== undefined) fields.size = sizeOf(fields.size)
  if (typeof fields.prompt !== 'string') throw refusal('a picture needs a prompt')
  return { ...fields, n: count, model: modelOf(input) }
}

/** The body of a chat completion. Throws `rejected` for bad input. */
export function chatFields(input: ProviderInput, count: number): Fields {
  const asked = { ...input, aspectRatio: null, outputFormat: null }
  const {
    prompt,
    n: _,
    ...fields
  } = mapped(asked, TEXT_FIELDS, {
    num_outputs: 'n',
    max_output_tokens: 'max_completion_tokens',
  })
  for (const name of NEVER_SENT) delete fields[name]
  if (typeof prompt !== 'string') throw refusal('a text needs a prompt')
  const pictures = input.images.map(url => ({ type: 'image_url', image_url: { url } }))
  const content = pictures.length > 0 ? [{ type: 'text', text: prompt }, ...pictures] : prompt
  return {
    ...fields,
    ...(count > 1 ? { n: count } : {}),
    model: modelOf(input),
    messages: [{ role: 'user', content }],
  }
}

/** A field of the model's own schema: the address of a picture whose clear parts are to be changed. */
export const MASK = 'mask'

/** They make a picture request fail, or change the form of the answer: not even a route may send them. */
const NEVER_SENT = [
  ...['response_format', 'style', 'seed', 'negative_prompt'],
  ...['stream', 'stream_options', 'partial_images'],
]

/** Fields of the model's own schema are sent where the endpoint takes them or the route names them. */
function mapped(input: ProviderInput, taken: readonly string[], names: FieldNames): Fields {
  const params = OpenaiParams.safeParse(input.params)
  if (!params.success) throw refusal(`openai parameters: ${params.error.message}`)
  const named = Object.keys(namesOf(input))
  const pick = (from: Fields, allowed: readonly string[]) =>
    Object.fromEntries(Object.entries(from).filter(([name]) => allowed.includes(name)))
  const asked: ProviderInput = {
    ...input,
    extra: pick(input.extra, [...taken, ...named]),
    params: pick(input.params, taken),
  }
  return mapInput(asked, names, { images: null })
}

/**
 * A size as the vendor writes it. The route may give it in full, as `1536x864` or `{width, height}`; of a
 * mere ratio comes the nearest of the three sizes that every picture model takes, and of any other word
 * (`match_input_image`) the vendor's own choice.
 */
function sizeOf(value: Json): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return `${value.width}x${value.height}`
  }
  if (typeof value !== 'string') return 'auto'
  if (/^\d+x\d+$/.test(value)) return value
  const [, across, down] = /^(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)$/.exec(value) ?? []
  const ratio = Number(across) / Number(down)
  if (!Number.isFinite(ratio) || ratio <= 0) return 'auto'
  if (ratio > NO_LONGER_SQUARE) return '1536x1024'
  return ratio < 1 / NO_LONGER_SQUARE ? '1024x1536' : '1024x1024'
}

/** As far from 1:1 as from 3:2. */
const NO_LONGER_SQUARE = Math.sqrt(3 / 2)

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', why, { reason: 'input' })
}
