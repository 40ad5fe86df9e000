import { fileOf } from '../file-of'
import type { Json, Output } from '../spec'

/**
 * What a prediction made. The shape is the model's: an address, a list of them, or an object that holds
 * them somewhere; a text model answers a text, or a list of its pieces. Nothing usable is an empty list.
 */
export function outputsOf(output: unknown, kind: string): Output[] {
  return kind === 'text' ? textOf(output) : filesOf(output, 0)
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

function textOf(output: unknown): Output[] {
  const isPieces = Array.isArray(output) && output.every(piece => typeof piece === 'string')
  const text = isPieces ? output.join('') : output
  if (typeof text === 'string') return text.trim() === '' ? [] : [{ type: 'text', text }]
  return text === null || text === undefined ? [] : [{ type: 'json', value: text as Json }]
}
