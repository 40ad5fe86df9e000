import { ProviderError } from '../errors'
import { errorOfStatus } from '../http'
import type { Provider } from '../spec'
import { withoutPictures } from '../without-pictures'
import { ask, GEMINI_BASE_URL } from './api'
import { geminiError } from './errors'
import { generate } from './generate'
import { GeminiParams } from './params'
import { pollVideos, startVideos } from './veo'

export type GeminiOptions = {
  /** With the version and without a slash at its end. The key goes to its origin and nowhere else. */
  baseUrl?: string
}

/**
 * Google's Gemini API: pictures and texts in the same call, videos (Veo) as operations. Neither can be
 * stopped or found again by our reference, and what they call back with is not documented.
 */
export function createGemini({ baseUrl = GEMINI_BASE_URL }: GeminiOptions = {}): Provider {
  return withoutPictures({
    name: 'gemini',
    params: GeminiParams,

    async start(input, ctx) {
      switch (input.kind) {
        case 'image':
        case 'image_edit':
        case 'text':
          return await generate(baseUrl, input, ctx)
        case 'video':
          return await startVideos(baseUrl, input, ctx)
        default:
          throw new ProviderError('rejected', `gemini makes no ${input.kind}`, { reason: 'input' })
      }
    },

    async poll(operation, ctx) {
      return await pollVideos(baseUrl, operation, ctx)
    },

    async check(ctx) {
      const answer = await ask(ctx, { url: `${baseUrl}/models?pageSize=1` })
      if (answer.status !== 200) throw geminiError(answer)
      if (answer.json === null) throw errorOfStatus(answer)
    },
  })
}
