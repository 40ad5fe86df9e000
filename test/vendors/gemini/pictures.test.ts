import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { GoogleGenAI } from '@google/genai'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureBytes, pictureInHand } from '@test/support/pictures'
import { createSafeFetch } from '@/base/safe-fetch'
import { createGemini } from '@/providers/gemini/gemini'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { type GeminiServer, geminiServer, KEY } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const PNG = pictureInHand(2_000)
const WEBP = pictureInHand(300_000, 'webp')

let server: GeminiServer

beforeEach(() => {
  server = geminiServer()
})
afterEach(() => server.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const whole = providerContext({ fetch, apiKey: KEY, ...ctx })
  return createGemini({ baseUrl: server.baseUrl }).start(imageInput(changes), whole)
}

const PARTS = [
  { inlineData: { mimeType: 'image/png', data: pictureBytes(2_000).toBase64() } },
  { inlineData: { mimeType: 'image/webp', data: pictureBytes(300_000, 'webp').toBase64() } },
]

test('the vendor’s own client sends pictures inline, as we do', async () => {
  const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: server.origin } })
  const contents = [{ role: 'user', parts: [{ text: 'a lighthouse at dawn' }, ...PARTS] }]
  await client.models.generateContent({ model: 'gemini-3-pro-image', contents })
  await start({ images: [PNG, WEBP] })
  const [theirs, ours] = server.of('generate')
  expect(theirs?.body.contents).toEqual(contents)
  expect(ours?.body.contents).toEqual(contents)
})

describe('pictures in hand', () => {
  test('stand beside those with an address, in their place', async () => {
    server.pictures.set('cat.png', () => new Response(pictureBytes(900)))
    await start({ images: [PNG, `${server.origin}/pictures/cat.png`, WEBP] })
    const cat = { inlineData: { mimeType: 'image/png', data: pictureBytes(900).toBase64() } }
    const parts = [{ text: 'a lighthouse at dawn' }, PARTS[0], cat, PARTS[1]]
    expect(server.of('generate')[0]?.body.contents).toEqual([{ role: 'user', parts }])
  })

  test('are the first frame of a video, which has the time to go up', async () => {
    const timeouts: (number | undefined)[] = []
    const watching: ProviderContext['fetch'] = (url, init) => {
      timeouts.push(init?.timeoutMs)
      return fetch(url, init)
    }
    const video = { kind: 'video', providerModel: 'veo-3.1-generate-preview', aspectRatio: '16:9' }
    const images = [pictureInHand(3 * 1024 * 1024)]
    await start({ ...video, images }, { fetch: watching })
    const data = pictureBytes(3 * 1024 * 1024).toBase64()
    expect(server.of('start')[0]?.body.instances).toMatchObject([
      { image: { bytesBase64Encoded: data, mimeType: 'image/png' } },
    ])
    // A minute, and 4 MiB as base64 at 128 KiB a second.
    expect(timeouts).toEqual([92_000])
  })

  test('of more than a request holds are for another vendor', async () => {
    const images = Array<string>(5).fill(pictureInHand(15_000_000))
    const error = await start({ images }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(server.requests).toEqual([])
  })
})
