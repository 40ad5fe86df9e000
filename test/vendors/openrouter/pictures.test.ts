import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { OpenRouter } from '@openrouter/sdk'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureInHand } from '@test/support/pictures'
import { createSafeFetch } from '@/base/safe-fetch'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { KEY, type OpenrouterServer, openrouterServer } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const PNG = pictureInHand(2_000)
const JPEG = pictureInHand(3 * 1024 * 1024, 'jpeg')
const part = (url: string) => ({ type: 'image_url', image_url: { url } })

let server: OpenrouterServer

beforeEach(() => {
  server = openrouterServer()
})
afterEach(() => server.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: 'google/gemini-3.1-flash-image', ...changes })
  const whole = providerContext({ fetch, apiKey: KEY, ...ctx })
  return createOpenrouter({ baseUrl: server.baseUrl }).start(input, whole)
}

test('the vendor’s own client sends a picture in hand as its address, as we do', async () => {
  const client = new OpenRouter({ apiKey: KEY, serverURL: server.baseUrl })
  const text = 'a lighthouse at dawn'
  await client.chat.send({
    chatRequest: {
      model: 'google/gemini-3.1-flash-image',
      modalities: ['image', 'text'],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text },
            { type: 'image_url', imageUrl: { url: PNG } },
          ],
        },
      ],
    },
  })
  await start({ images: [PNG], config: { constants: { modalities: ['image', 'text'] } } })
  const [theirs, ours] = server.starts()
  const messages = [{ role: 'user', content: [{ type: 'text', text }, part(PNG)] }]
  expect(theirs?.json.messages).toEqual(messages)
  expect(ours?.json.messages).toEqual(messages)
})

describe('pictures in hand are sent as they are', () => {
  const address = 'https://a.example/1.png'

  test('to the endpoint for pictures', async () => {
    await start({ images: [JPEG, address] })
    const input_references = [part(JPEG), part(address)]
    expect(server.starts()[0]?.json).toMatchObject({ input_references })
  })

  test('to a video, which has the time for them', async () => {
    const timeouts: (number | undefined)[] = []
    const watching: ProviderContext['fetch'] = (url, init) => {
      timeouts.push(init?.timeoutMs)
      return fetch(url, init)
    }
    const video = { kind: 'video', providerModel: 'google/veo-3.1', aspectRatio: '16:9' }
    await start({ ...video, images: [JPEG] }, { fetch: watching })
    expect(server.starts()[0]?.json).toMatchObject({
      frame_images: [{ ...part(JPEG), frame_type: 'first_frame' }],
    })
    const most = 60_000 + Math.ceil((JPEG.length / (128 * 1024)) * 1_000)
    expect(timeouts).toEqual([most])
  })
})
