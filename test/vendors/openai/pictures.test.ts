import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureBytes, pictureInHand } from '@test/support/pictures'
import OpenAI, { toFile } from 'openai'
import { createSafeFetch } from '@/base/safe-fetch'
import { createOpenai } from '@/providers/openai/openai'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { KEY, type OpenaiServer, openaiServer } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const PNG = pictureInHand(2_000)
const JPEG = pictureInHand(300_000, 'jpeg')
const JUST_TOO_LARGE = 50_000_001

let server: OpenaiServer

beforeEach(() => {
  server = openaiServer()
})
afterEach(() => server.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: 'gpt-image-2', ...changes })
  const whole = providerContext({ fetch, apiKey: KEY, ...ctx })
  return createOpenai({ baseUrl: server.baseUrl }).start(input, whole)
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was made')),
    (error: unknown) => error,
  )

test('the vendor’s own client sends several pictures as parts of a form, as we do', async () => {
  const client = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 })
  await client.images.edit({
    model: 'gpt-image-2',
    prompt: 'a lighthouse at dawn',
    image: [
      await toFile(pictureBytes(2_000), 'image-0.png', { type: 'image/png' }),
      await toFile(pictureBytes(300_000, 'jpeg'), 'image-1.jpeg', { type: 'image/jpeg' }),
    ],
  })
  await start({ images: [PNG, JPEG] })
  const files = server.starts().map(({ parts }) => parts.filter(part => part.name === 'image[]'))
  expect(files[0]).toEqual([
    { name: 'image[]', value: { filename: 'image-0.png', type: 'image/png', size: 2_000 } },
    { name: 'image[]', value: { filename: 'image-1.jpeg', type: 'image/jpeg', size: 300_000 } },
  ])
  expect(files[1]).toEqual(files[0] ?? [])
})

describe('pictures in hand', () => {
  test('go into the form byte for byte, beside those with an address, and a mask as well', async () => {
    const sent = new Map<string, Uint8Array[]>()
    const watching: ProviderContext['fetch'] = async (url, init) => {
      const form = init?.body instanceof FormData ? init.body : new FormData()
      for (const name of ['image[]', 'mask']) {
        const files = form.getAll(name).filter(value => value instanceof Blob)
        sent.set(name, [
          ...(sent.get(name) ?? []),
          ...(await Promise.all(files.map(file => file.bytes()))),
        ])
      }
      return await fetch(url, init)
    }
    const images = [JPEG, server.pictureUrl('cat.png'), PNG]
    await start({ images, extra: { mask: PNG } }, { fetch: watching })
    const parts = sent.get('image[]') ?? []
    expect(parts[0]).toEqual(pictureBytes(300_000, 'jpeg'))
    expect(parts[2]).toEqual(pictureBytes(2_000))
    expect(sent.get('mask')).toEqual([pictureBytes(2_000)])
    const fetched = server.seen.filter(({ path }) => path.startsWith('/pictures/'))
    expect(fetched).toHaveLength(1)
  })

  test('are parts of a chat as they are', async () => {
    await start({ kind: 'text', providerModel: 'gpt-5-mini', aspectRatio: null, images: [JPEG] })
    const content = [{ type: 'text' }, { type: 'image_url', image_url: { url: JPEG } }]
    expect(server.starts()[0]?.json).toMatchObject({ messages: [{ content }] })
  })

  test.each([
    ['image', 'gpt-image-2'],
    ['text', 'gpt-5-mini'],
  ])('of more than the vendor takes are for another vendor: %s', async (kind, providerModel) => {
    const images = [pictureInHand(JUST_TOO_LARGE)]
    const error = await failure(start({ kind, providerModel, aspectRatio: null, images }))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(server.seen).toEqual([])
  })
})
