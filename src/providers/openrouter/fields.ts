import { ProviderError } from '../errors'
import { type FieldNames, mapInput, modelOf, namesOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import {
  CHAT_IMAGE_FIELDS,
  IMAGE_FIELDS,
  OpenrouterParams,
  TEXT_FIELDS,
  VIDEO_FIELDS,
} from './params'

export type Fields = { [name: string]: Json }

/** The body of the picture endpoint. Throws `rejected` for bad input. */
export function imageFields(input: ProviderInput, count: number, reference: string): Fields {
  const { n: _, ...fields } = mapped(input, IMAGE_FIELDS, { num_outputs: 'n' })
  if (typeof fields.prompt !== 'string') throw refusal('a picture needs a prompt')
  const references = input.images.map(imagePart)
  return {
    ...fields,
    // Of the vendors behind those that make one at a time refuse the field with more.
    ...(count > 1 ? { n: count } : {}),
    ...(references.length > 0 ? { input_references: references } : {}),
    model: modelOf(input),
    session_id: reference,
  }
}

/** The body of a chat completion that draws. Throws `rejected` for bad input. */
export function chatImageFields(input: ProviderInput): Fields {
  const asked = { ...input, outputFormat: null }
  const names = { num_outputs: null, resolution: 'image_size' }
  const { prompt, aspect_ratio, image_size, image_config, ...fields } = mapped(
    asked,
    CHAT_IMAGE_FIELDS,
    names,
  )
  const wanted = {
    ...(isFields(image_config) ? image_config : {}),
    ...(aspect_ratio === undefined ? {} : { aspect_ratio }),
    ...(image_size === undefined ? {} : { image_size }),
  }
  return {
    ...fields,
    ...(Object.keys(wanted).length > 0 ? { image_config: wanted } : {}),
    model: modelOf(input),
    messages: messagesOf(prompt, input.images),
  }
}

/** The body of a chat completion that writes. Throws `rejected` for bad input. */
export function textFields(input: ProviderInput): Fields {
  const asked = { ...input, aspectRatio: null, outputFormat: null }
  const names = { num_outputs: null, max_output_tokens: 'max_completion_tokens' }
  const { prompt, ...fields } = mapped(asked, TEXT_FIELDS, names)
  return { ...fields, model: modelOf(input), messages: messagesOf(prompt, input.images) }
}

/**
 * The body of a video job. Pictures are its first and last frame, unless the route maps `images` to
 * `input_references`. A prompt may be missing: some models go by a picture alone.
 */
export function videoFields(
  input: ProviderInput,
  reference: string,
  callbackUrl: string | null,
): Fields {
  const asked = { ...input, outputFormat: null }
  const names = { num_outputs: null, duration_seconds: 'duration' }
  const fields = mapped(asked, VIDEO_FIELDS, names)
  return {
    ...fields,
    ...frames(input),
    ...(callbackUrl === null ? {} : { callback_url: callbackUrl }),
    model: modelOf(input),
    session_id: reference,
  }
}

function frames(input: ProviderInput): Fields {
  const { images } = input
  if (images.length === 0) return {}
  if (namesOf(input).images?.startsWith('input_references')) {
    return { input_references: images.map(imagePart) }
  }
  if (images.length > FRAMES.length) throw refusal('a video has a first and a last frame only')
  const frame = (url: string, index: number): Json => ({
    ...imagePart(url),
    frame_type: FRAMES[index] ?? null,
  })
  return { frame_images: images.map(frame) }
}

const FRAMES = ['first_frame', 'last_frame'] as const

function messagesOf(prompt: Json | undefined, images: readonly string[]): Json {
  if (typeof prompt !== 'string') throw refusal('this needs a prompt')
  const parts = [{ type: 'text', text: prompt }, ...images.map(imagePart)]
  return [{ role: 'user', content: images.length > 0 ? parts : prompt }]
}

function imagePart(url: string) {
  return { type: 'image_url', image_url: { url } }
}

/** Not even a route may send them: what is ours, and what changes the form of the answer. */
const NEVER_SENT = ['stream', 'stream_options', 'callback_url']

/** Fields of the model's own schema are sent where the endpoint takes them or the route names them. */
function mapped(input: ProviderInput, taken: readonly string[], names: FieldNames): Fields {
  const params = OpenrouterParams.safeParse(input.params)
  if (!params.success) throw refusal(`openrouter parameters: ${params.error.message}`)
  const named = Object.keys(namesOf(input))
  const pick = (from: Fields, allowed: readonly string[]) =>
    Object.fromEntries(Object.entries(from).filter(([name]) => allowed.includes(name)))
  const asked: ProviderInput = {
    ...input,
    extra: pick(input.extra, [...taken, ...named]),
    params: pick(input.params, taken),
  }
  const fields = mapInput(asked, names, { images: null })
  for (const name of NEVER_SENT) delete fields[name]
  return fields
}

const isFields = (value: Json | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', why, { reason: 'input' })
}
