import { checkParams, notFor } from '../check-params'
import { ProviderError } from '../errors'
import { mapInput, modelOf, namesOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { splitCalls } from '../split-calls'
import { BflParams } from './params'

/** One task: the model's endpoint and what is posted there. */
export type BflCall = { endpoint: string; body: { [key: string]: Json } }

/**
 * A task makes one picture, so more of them are as many tasks. Throws ProviderError `rejected` for what is
 * not made there, `unavailable` for a route that names no endpoint and for pictures without an address.
 */
export function callsOf(input: ProviderInput): BflCall[] {
  if (!KINDS.has(input.kind)) throw notFor(VENDOR, `it makes no ${input.kind}`)
  checkParams(VENDOR, BflParams, input)
  // It takes base64 as well, but not in the form of a `data:` address, and how much of it is not told.
  if (!input.images.every(isAddress)) throw notHere(`${VENDOR} is sent addresses of pictures only`)
  const endpoint = modelOf(input)
  if (!ENDPOINT.test(endpoint)) throw notHere(`the route names no endpoint of ${VENDOR}`)
  return splitCalls(input, 1).map(call => ({ endpoint, body: bodyOf(call) }))
}

const VENDOR = 'Black Forest Labs'
const KINDS = new Set(['image', 'image_edit'])
/** It becomes part of an address, so nothing else is let through. */
const ENDPOINT = /^[\w-]+(\.[\w-]+)*$/

const isAddress = (image: string) => /^https:/i.test(image)

/** For good, and another vendor may serve. */
function notHere(message: string): ProviderError {
  return new ProviderError('unavailable', message, { isPermanent: true })
}

/** Newer endpoints want `width` and `height` in place of a ratio: their routes say so. */
function bodyOf(call: ProviderInput): BflCall['body'] {
  return { ...mapInput(call, {}, { num_outputs: null, images: null }), ...picturesOf(call) }
}

/** Each picture has a field of its own: `input_image`, `input_image_2`, and so on. */
function picturesOf(call: ProviderInput): BflCall['body'] {
  const { images: field = 'input_image' } = namesOf(call)
  if (field === null) return {}
  const name = field.replace(/\[\]$/, '')
  return Object.fromEntries(
    call.images.map((url, index) => [index === 0 ? name : `${name}_${index + 1}`, url]),
  )
}
