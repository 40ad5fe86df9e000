import type { z } from 'zod'
import type { Output } from '../spec'
import { Result } from './answers'

/** `flagged` counts pictures that the endpoint's safety checker has blackened: they are no outputs. */
export type Made = { outputs: Output[]; flagged: number }

/**
 * The media of a result, under whichever of the known names; null for a body that is no object at all.
 * Videos first: some endpoints answer a still beside them.
 */
export function readOutputs(json: unknown): Made | null {
  const result = Result.safeParse(json)
  if (!result.success) return null
  const { videos, video, images, image, has_nsfw_concepts } = result.data
  const files = [videos, video, images, image].find(list => list && list.length > 0) ?? []
  const isFlagged = (index: number) => has_nsfw_concepts?.[index] === true
  const clean = files.filter((_, index) => !isFlagged(index))
  return {
    outputs: clean.flatMap(file => outputOf(file) ?? []),
    flagged: files.length - clean.length,
  }
}

type File = NonNullable<z.infer<typeof Result>['images']>[number]

function outputOf({ url, content_type }: File): Output | null {
  const address = URL.parse(url)
  // What it says of its type is not believed: the bytes tell.
  if (address?.protocol === 'data:') return inline(url)
  if (address?.protocol !== 'https:') return null
  return { type: 'file', url, contentType: content_type ?? null }
}

/** In sync mode a picture comes as `data:image/png;base64,...`. */
function inline(url: string): Output | null {
  const comma = url.indexOf(',')
  if (!/;base64$/i.test(url.slice(0, comma))) return null
  const bytes = new Uint8Array(Buffer.from(url.slice(comma + 1), 'base64'))
  return bytes.length > 0 ? { type: 'file', bytes, contentType: null } : null
}
