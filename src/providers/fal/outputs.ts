import { fileOf } from '../file-of'
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
    // In sync mode a picture comes inline.
    outputs: clean.flatMap(({ url, content_type }) => fileOf(url, content_type)),
    flagged: files.length - clean.length,
  }
}
