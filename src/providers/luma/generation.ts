import { z } from 'zod'
import { fileOf } from '../file-of'
import type { Output } from '../spec'

const Asset = z.string().nullish().catch(null)

/**
 * What is read of the vendor's answers, and no more, so that a new field or a missing one breaks nothing.
 * A state that is not known means that it goes on.
 */
export const Generation = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  state: z.string(),
  failure_reason: z.string().nullish().catch(null),
  assets: z.object({ image: Asset, video: Asset }).nullish().catch(null),
  request: z.object({ callback_url: Asset }).nullish().catch(null),
})

export type Generation = z.infer<typeof Generation>

export function isEnded(state: string): boolean {
  return state === 'completed' || state === 'failed'
}

/** What was made; `progress_video` is what a film looks like half way and is never it. */
export function outputsOf({ state, assets }: Generation, made: string): Output[] {
  const address = made === 'video' ? assets?.video : assets?.image
  return state === 'completed' && address ? fileOf(address) : []
}
