import { ProviderError } from '../errors'
import { errorOfStatus } from '../http'
import type { Provider } from '../spec'
import { withoutPictures } from '../without-pictures'
import { Envelope } from './answers'
import { ask } from './ask'
import { readCallback } from './callback'
import { defapiError } from './errors'
import { DefapiParams } from './params'
import { query, submit } from './tasks'

export type DefapiOptions = {
  /** Without a slash at its end. The key goes there and nowhere else. */
  baseUrl?: string
}

const BASE_URL = 'https://api.defapi.org'
const MAKES = ['image', 'image_edit', 'video']

/**
 * DefAPI, which resells others. It publishes no specification: all that is known is how people's programs
 * talk to it, so what is not known is read with suspicion. It cannot cancel, and finds nothing by our
 * reference.
 */
export function createDefapi({ baseUrl = BASE_URL }: DefapiOptions = {}): Provider {
  return withoutPictures({
    name: 'defapi',
    params: DefapiParams,

    async start(input, ctx) {
      if (MAKES.includes(input.kind)) return await submit(baseUrl, input, ctx)
      throw new ProviderError('rejected', `defapi makes no ${input.kind}`, { reason: 'input' })
    },

    async poll(operation, ctx) {
      return await query(baseUrl, operation, ctx)
    },

    async parseCallback(rawBody) {
      return readCallback(rawBody)
    },

    async check(ctx) {
      const answer = await ask(ctx, { url: `${baseUrl}/api/user` })
      const told = Envelope.safeParse(answer.json)
      if (answer.status === 200 && told.success && told.data.code === 0) return
      // Nothing but the key was asked about, so a refusal is about the key.
      const error = told.success ? defapiError(answer) : errorOfStatus(answer)
      if (error.kind !== 'rejected') throw error
      throw new ProviderError('unavailable', error.message, { isPermanent: true })
    },
  })
}
