import { ProviderError } from '../errors'
import { mapInput } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { LumaParams, PARAMS_OF } from './params'

/** A generation makes one picture or one film; more of them are as many generations. */
export type Creation = { made: 'image' | 'video'; body: { [key: string]: Json } }

/** Throws ProviderError `rejected` for what Luma cannot make of it. */
export function creationOf(input: ProviderInput): Creation {
  const made = MADE.get(input.kind)
  if (made === undefined) throw refusal(`it makes no ${input.kind}`)
  checkParams(input.params, made)
  const { config, images } = input
  const model = images.length > 0 ? config.with_images_model : undefined
  const mapped = mapInput({ ...input, images: [], numOutputs: 1 }, FIELDS[made])
  return {
    made,
    body: {
      ...adjusted(mapped),
      ...picturesOf(images, pictureField(input)),
      model: model ?? input.providerModel,
    },
  }
}

/** Luma enlarges only films of its own, by their id, which the hub does not keep. */
const MADE = new Map<string, 'image' | 'video'>([
  ['image', 'image'],
  ['image_edit', 'image'],
  ['video', 'video'],
])

const FIELDS = {
  image: { num_outputs: null, output_format: 'format' },
  video: { num_outputs: null, output_format: null, duration_seconds: 'duration' },
}

const PICTURES: { [kind: string]: string } = {
  image: 'image_ref',
  image_edit: 'modify_image_ref',
  video: 'keyframes',
}

/** The vendor's own spellings of values that the hub spells otherwise. */
function adjusted(body: { [key: string]: Json }): { [key: string]: Json } {
  const { format, duration, ...rest } = body
  return {
    ...rest,
    ...(format === undefined ? {} : { format: formatOf(format) }),
    ...(duration === undefined ? {} : { duration: durationOf(duration) }),
  }
}

function formatOf(format: Json): Json {
  if (format === 'jpeg') return 'jpg'
  if (format === 'jpg' || format === 'png') return format
  throw refusal(`it makes no ${String(format)}, only jpeg and png`)
}

/** `5s`, not 5. */
function durationOf(duration: Json): Json {
  return typeof duration === 'number' ? `${duration}s` : duration
}

/** Null where the route leaves them out. */
function pictureField({ config, kind }: ProviderInput): string | null {
  const field = config.fields?.images
  return field === undefined ? (PICTURES[kind] ?? null) : field
}

/** Each of the vendor's fields holds pictures in a shape of its own; none holds an address as it is. */
function picturesOf(images: string[], field: string | null): { [key: string]: Json } {
  const [first, second, ...more] = images
  if (first === undefined || field === null) return {}
  const name = field.replace(/\[\]$/, '')
  const most = MOST_PICTURES.get(name)
  if (most === undefined) throw new ProviderError('unavailable', `Luma has no field ${field}`)
  if (images.length > most) throw refusal(`${name} takes at most ${most} pictures`)
  if (name === 'modify_image_ref') return { modify_image_ref: { url: first } }
  if (name === 'keyframes') {
    const frame1 = second === undefined ? {} : { frame1: { type: 'image', url: second } }
    return { keyframes: { frame0: { type: 'image', url: first }, ...frame1 } }
  }
  const all = second === undefined ? [first] : [first, second, ...more]
  if (name === 'character_ref') return { character_ref: { identity0: { images: all } } }
  return { [name]: all.map(url => ({ url })) }
}

const MOST_PICTURES = new Map([
  ['image_ref', 4],
  ['style_ref', 4],
  ['character_ref', 4],
  ['modify_image_ref', 1],
  ['keyframes', 2],
])

function checkParams(params: ProviderInput['params'], made: 'image' | 'video'): void {
  const result = LumaParams.safeParse(params)
  if (!result.success) throw refusal(result.error.issues.map(issue => issue.message).join(', '))
  const odd = Object.keys(params).find(name => !PARAMS_OF[made].includes(name))
  if (odd !== undefined) throw refusal(`${odd} is not for a ${made}`)
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `not for Luma: ${why}`, { reason: 'input' })
}
