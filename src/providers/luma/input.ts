import { checkParams, notFor } from '../check-params'
import { addressesOnly, isInHand } from '../data-url'
import { ProviderError } from '../errors'
import { type FieldNames, mapInput, modelOf, namesOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { splitCalls } from '../split-calls'
import { LumaParams, PARAMS_OF } from './params'

export type Made = 'image' | 'video'
/** A generation makes one picture or one film; more of them are as many generations. */
export type Creation = { made: Made; body: { [key: string]: Json } }

/** Throws ProviderError `rejected` for what Luma cannot make of it, `unavailable` for pictures in hand. */
export function creationsOf(input: ProviderInput): Creation[] {
  const made = madeOf(input)
  // Its pages know no other way in than an address, and it has no place for uploads.
  if (input.images.some(isInHand)) throw addressesOnly('Luma')
  checkParams('Luma', LumaParams, input)
  const odd = Object.keys(input.params).find(name => !PARAMS_OF[made].includes(name))
  if (odd !== undefined) throw notFor('Luma', `${odd} is not for a ${made}`)
  return splitCalls(input, 1).map(call => ({ made, body: bodyOf(call, made) }))
}

/** Luma enlarges only films of its own, by their id, which the hub does not keep. */
export function madeOf({ kind }: ProviderInput): Made {
  if (kind === 'image' || kind === 'image_edit') return 'image'
  if (kind === 'video') return 'video'
  throw notFor('Luma', `it makes no ${kind}`)
}

const FIELDS: Record<Made, FieldNames> = {
  image: { output_format: 'format' },
  video: { output_format: null, duration_seconds: 'duration:seconds' },
}
/** Its spelling. */
const OUTPUT_FORMATS = { jpeg: 'jpg' }
const FORMATS: Json[] = ['jpg', 'png']

function bodyOf(call: ProviderInput, made: Made): Creation['body'] {
  const output_formats = { ...OUTPUT_FORMATS, ...call.config.output_formats }
  const config = { ...call.config, output_formats }
  const fixed = { num_outputs: null, images: null }
  const body = mapInput({ ...call, config }, FIELDS[made], fixed)
  const { format = 'jpg' } = body
  if (!FORMATS.includes(format)) throw notFor('Luma', `it makes no ${format}, only jpeg and png`)
  return { ...body, ...picturesOf(call), model: modelOf(call) }
}

const PICTURES: { [kind: string]: string } = {
  image: 'image_ref',
  image_edit: 'modify_image_ref',
  video: 'keyframes',
}

/** Each of the vendor's fields holds pictures in a shape of its own; none holds an address as it is. */
function picturesOf(call: ProviderInput): { [key: string]: Json } {
  const { images, kind } = call
  const { images: field = PICTURES[kind] ?? null } = namesOf(call)
  const [first, second] = images
  if (first === undefined || field === null) return {}
  const name = field.replace(/\[\]$/, '')
  const most = MOST_PICTURES.get(name)
  if (most === undefined) {
    throw new ProviderError('unavailable', `Luma has no field ${field}`, { isPermanent: true })
  }
  if (images.length > most) throw notFor('Luma', `${name} takes at most ${most} pictures`)
  if (name === 'modify_image_ref') return { modify_image_ref: { url: first } }
  if (name === 'keyframes') {
    const frame1 = second === undefined ? {} : { frame1: { type: 'image', url: second } }
    return { keyframes: { frame0: { type: 'image', url: first }, ...frame1 } }
  }
  if (name === 'character_ref') return { character_ref: { identity0: { images } } }
  return { [name]: images.map(url => ({ url })) }
}

const MOST_PICTURES = new Map([
  ['image_ref', 4],
  ['style_ref', 4],
  ['character_ref', 4],
  ['modify_image_ref', 1],
  ['keyframes', 2],
])
