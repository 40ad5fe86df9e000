/**
 * The addresses in a task's result, whose form depends on the model: an object or a list of them, or the
 * address itself. Of an object the first of the known names counts: the others hold the same thing smaller.
 */
export function mediaOf(result: unknown, depth = MAX_DEPTH): string[] {
  if (typeof result === 'string') return /^https?:\/\//i.test(result) ? [result] : []
  if (depth === 0 || typeof result !== 'object' || result === null) return []
  if (Array.isArray(result)) return result.flatMap(entry => mediaOf(entry, depth - 1))
  for (const name of NAMES) {
    const value: unknown = Object.entries(result).find(([key]) => key === name)?.[1]
    const found = mediaOf(value, depth - 1)
    if (found.length > 0) return found
  }
  return []
}

/** A list of objects with a list of objects is the deepest that was ever seen. */
const MAX_DEPTH = 4
const NAMES = ['video', 'video_url', 'big_image_url', 'image', 'images', 'url']
