import { z } from 'zod'
import { ProviderError } from '../errors'
import { parseJson } from '../http'
import type { CallbackHint } from '../spec'
import { isEnded } from './generation'

/**
 * Luma signs nothing, so this proves nothing: the address it came to, which has a secret of ours in it
 * for this one attempt, is all there is. It is read as a hint to ask, and what it says was made is never
 * looked at. Each state of a generation is one event, however often the vendor repeats it. It names no
 * operation, for it could name anybody's.
 */
export function readCallback(rawBody: Uint8Array): CallbackHint {
  const body = Body.safeParse(parseJson(Buffer.from(rawBody).toString('utf8')))
  if (!body.success) {
    throw new ProviderError('rejected', 'the callback says nothing of a generation', {
      reason: 'input',
    })
  }
  const { id, state } = body.data
  return { eventId: `${id}:${state}`, isFinal: isEnded(state) }
}

const Body = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  state: z.string().regex(/^[a-z_]{1,32}$/),
})
