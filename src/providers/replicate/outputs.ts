import type { Json, Output } from '../spec'

/**
 * What a prediction made. The shape is the model's: an address, a list of them, or an object that holds
 * them somewhere; a text model answers a text, or a list of its pieces. Nothing usable is an empty list.
 * `kind` is null where nobody knows what was asked for.
 */
export function outputsOf(output: unknown, kind: string | null): Output[] {
  if (kind === 'text') return textOf(output)
  const files = filesOf(output, 0)
  return files.length > 0 || kind !== null ? files : textOf(output)
}

/** Deeper than any model nests its files. */
const MAX_DEPTH = 4
/** More than any call makes; a list of a million strings must not be walked. */
const MAX_FILES = 64

function filesOf(value: unknown, depth: number): Output[] {
  if (typeof value === 'string') return fileOf(value)
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return []
  const inner = Object.values(value).slice(0, MAX_FILES)
  return inner.flatMap(part => filesOf(part, depth + 1)).slice(0, MAX_FILES)
}

/** The declared type of neither is believed: whoever stores the bytes looks at them. */
function fileOf(value: string): Output[] {
  if (value.startsWith('data:')) return inlineOf(value)
  const url = URL.parse(value)
  return url?.protocol === 'https:' ? [{ type: 'file', url: value, contentType: null }] : []
}

function inlineOf(value: string): Output[] {
  const comma = value.indexOf(',')
  if (comma < 0 || !value.slice(0, comma).endsWith(';base64')) return []
  try {
    const bytes = Uint8Array.fromBase64(value.slice(comma + 1))
    return bytes.length > 0 ? [{ type: 'file', bytes, contentType: null }] : []
  } catch {
    return []
  }
}

function textOf(output: unknown): Output[] {
  const isPieces = Array.isArray(output) && output.every(piece => typeof piece === 'string')
  const text = isPieces ? output.join('') : output
  if (typeof text === 'string') return text.trim() === '' ? [] : [{ type: 'text', text }]
  return text === null || text === undefined ? [] : [{ type: 'json', value: text as Json }]
}
