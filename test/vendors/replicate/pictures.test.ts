import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureBytes, pictureInHand } from '@test/support/pictures'
import Replicate from 'replicate'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { createReplicate } from '@/providers/replicate/replicate'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { problem, type ReplicateServer, replicateServer } from './server'

const FLUX = 'black-forest-labs/flux-kontext-pro'
const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const INLINE = 256 * 1024
const SMALL = pictureInHand(2_000)
const LARGE = pictureInHand(INLINE + 1, 'jpeg')
const MANY = { config: { fields: { images: 'input_images[]' } } }

let server: ReplicateServer

beforeEach(() => {
  server = replicateServer()
})
afterEach(() => server.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: FLUX, ...changes })
  const whole = providerContext({ fetch, apiKey: server.key, ...ctx })
  return createReplicate({ baseUrl: server.baseUrl }).start(input, whole)
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was started')),
    (error: unknown) => error,
  )
const inputs = (): { [name: string]: unknown }[] =>
  server.seen
    .filter(({ path }) => path.endsWith('/predictions'))
    .map(({ body }) => JSON.parse(body).input)

describe('the vendor’s own client', () => {
  const file = () => new File([pictureBytes(2_000)], 'mine.png', { type: 'image/png' })
  const held = { name: 'mine.png', type: 'image/png', bytes: pictureBytes(2_000) }
  const client = () =>
    new Replicate({ auth: server.key, baseUrl: server.baseUrl, useFileOutput: false })

  test('uploads a file, and gets the address that it is named by', async () => {
    const { id, urls, content_type, size } = await client().files.create(file())
    expect({ id, content_type, size }).toEqual({
      id: 'file1',
      content_type: 'image/png',
      size: 2_000,
    })
    expect(server.files.get(urls.get)).toEqual(held)
  })

  test('does so by itself for a file among the inputs', async () => {
    await client().predictions.create({ model: FLUX, input: { input_image: file() } })
    const [address = ''] = server.files.keys()
    expect(inputs()).toEqual([{ input_image: address }])
    expect(server.files.get(address)).toEqual(held)
  })

  test('is refused what was not uploaded', async () => {
    const input = { input_image: `${server.baseUrl}/files/unknown` }
    const error = await client()
      .predictions.create({ model: FLUX, input })
      .catch(thrown => thrown)
    expect(error.response.status).toBe(422)
  })
})

describe('pictures in hand', () => {
  test('are inputs as they are while they are small', async () => {
    await start({ images: [SMALL] })
    expect(inputs()[0]).toMatchObject({ image: SMALL })
    expect(server.counts).toMatchObject({ file: 0, create: 1 })
  })

  test('go up first where they are large, with a name and a type', async () => {
    await start({ images: [LARGE] })
    const [address = ''] = server.files.keys()
    expect(server.files.get(address)).toEqual({
      name: 'picture.jpeg',
      type: 'image/jpeg',
      bytes: pictureBytes(INLINE + 1, 'jpeg'),
    })
    expect(inputs()[0]).toMatchObject({ image: address })
    expect(server.seen.map(({ path }) => path)).toEqual(['/files', `/models/${FLUX}/predictions`])
  })

  test('go up once, however many predictions follow and however often one is named', async () => {
    const config = { ...MANY.config, outputs_per_call: 1 }
    await start({ images: [LARGE, SMALL, LARGE], numOutputs: 3, config })
    const [address] = server.files.keys()
    const input = expect.objectContaining({ input_images: [address, SMALL, address] })
    expect(inputs()).toEqual([input, input, input])
    expect(server.counts).toMatchObject({ file: 1, create: 3 })
  })

  test('share the room of a request, and addresses stay in their place', async () => {
    const address = 'https://a.example/1.png'
    const images = [pictureInHand(INLINE - 2_000), address, pictureInHand(2_001), SMALL]
    await start({ images, ...MANY })
    const [uploaded] = server.files.keys()
    expect(inputs()[0]).toMatchObject({ input_images: [images[0], address, uploaded, SMALL] })
  })

  test('do not go up for what cannot be asked for', async () => {
    const refused = { images: [LARGE], params: { num_outputs: 9 } }
    expect(await failure(start(refused))).toMatchObject({ kind: 'rejected' })
    const unrouted = { images: [LARGE], providerModel: 'nowhere' }
    expect(await failure(start(unrouted))).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(server.seen).toEqual([])
  })
})

describe('an upload that fails has started nothing', () => {
  const UNAVAILABLE = { kind: 'unavailable', isPermanent: false }
  const FOR_GOOD = { kind: 'unavailable', isPermanent: true }

  test.each([
    [500, UNAVAILABLE],
    [502, UNAVAILABLE],
    [503, UNAVAILABLE],
    [504, UNAVAILABLE],
    [408, UNAVAILABLE],
    [401, FOR_GOOD],
    [402, FOR_GOOD],
    [413, FOR_GOOD],
    [415, FOR_GOOD],
    [422, FOR_GOOD],
  ])('%p', async (status, expected) => {
    server.answer('file', () => new Response('<html>', { status }))
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(expected)
    expect(server.counts).toMatchObject({ file: 1, create: 0 })
  })

  test('429, with its date', async () => {
    server.answer('file', () => problem(429, 'error-429'))
    const expected = { kind: 'rate_limited', retryAfterMs: 1_000 }
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(expected)
    expect(server.counts.create).toBe(0)
  })

  test.each([
    ['of nobody', { urls: null }],
    ['of another host', { urls: { get: 'https://elsewhere.example/v1/files/file1' } }],
  ])('an address %s', async (_, fields) => {
    server.distort(fields)
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(UNAVAILABLE)
    expect(server.counts.create).toBe(0)
  })

  test.each([
    ['a reset', new TypeError('connection reset')],
    ['a timeout', new FetchFailure('timeout', true)],
    ['a refused connection', new FetchFailure('connection_refused', false)],
  ])('%s', async (_, error) => {
    const broken = () => Promise.reject(error)
    expect(await failure(start({ images: [LARGE] }, { fetch: broken }))).toMatchObject(UNAVAILABLE)
  })

  test('one of several', async () => {
    server.answer('file', () => new Response('', { status: 503 }))
    const images = [LARGE, pictureInHand(INLINE + 2)]
    expect(await failure(start({ images, ...MANY }))).toMatchObject(UNAVAILABLE)
    expect(server.counts).toMatchObject({ file: 2, create: 0 })
  })

  test('but who stops listening is not answered with a second try', async () => {
    const controller = new AbortController()
    const hanging = server.hang('file')
    const failed = failure(start({ images: [LARGE] }, { signal: controller.signal }))
    await hanging
    controller.abort()
    expect(await failed).toMatchObject({ kind: 'unknown_outcome' })
    expect(server.counts.create).toBe(0)
  })
})

test('an upload has time by its size, and not more than the attempt', async () => {
  const timeouts: (number | undefined)[] = []
  const watching: ProviderContext['fetch'] = (url, init) => {
    if (url.endsWith('/files')) timeouts.push(init?.timeoutMs)
    return fetch(url, init)
  }
  const { nowMs } = providerContext()
  const images = [pictureInHand(4 * 1024 * 1024)]
  await start({ images }, { fetch: watching })
  await start({ images }, { fetch: watching, deadlineMs: nowMs + 45_000 })
  expect(timeouts).toEqual([62_000, 45_000])
})

test('a page of predictions with inline pictures is read', async () => {
  const callbackUrl = 'https://hub.example/callbacks/replicate/att_conformance/the-token'
  const images = [pictureInHand(INLINE)]
  for (let index = 0; index < 100; index++) await start({ images }, { callbackUrl })
  const ctx = providerContext({ fetch, apiKey: server.key, callbackUrl })
  const provider = createReplicate({ baseUrl: server.baseUrl })
  const found = await provider.find?.('att_conformance', ctx, imageInput({ providerModel: FLUX }))
  expect(found).toMatchObject({ state: 'pending' })
})
