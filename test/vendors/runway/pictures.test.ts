import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import RunwayML from '@runwayml/sdk'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureBytes, pictureInHand } from '@test/support/pictures'
import { createSafeFetch } from '@/base/safe-fetch'
import { createRunway } from '@/providers/runway/runway'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { sample } from './samples'
import { RUNWAY_KEY, type RunwayVendor, startRunway } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const INLINE = 3_700_000
const SMALL = pictureInHand(2_000)
const LARGE = pictureInHand(INLINE + 1, 'jpeg')

let runway: RunwayVendor

beforeEach(() => {
  runway = startRunway()
})
afterEach(() => runway.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: 'gen4_image', ...changes })
  const whole = providerContext({ fetch, apiKey: RUNWAY_KEY, ...ctx })
  return createRunway({ baseUrl: runway.origin }).start(input, whole)
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was started')),
    (error: unknown) => error,
  )
const page =
  (status: number, headers: Record<string, string> = {}) =>
  () =>
    new Response('<html>', { status, headers })

test('the vendor’s own client uploads in two steps, and shows the store no key', async () => {
  const client = new RunwayML({ apiKey: RUNWAY_KEY, baseURL: runway.origin, maxRetries: 0 })
  const file = new File([pictureBytes(2_000)], 'mine.png', { type: 'image/png' })
  const { uri } = await client.uploads.createEphemeral({ file })
  const bytes = pictureBytes(2_000)
  expect(runway.files.get(uri)).toEqual({ name: 'mine.png', type: 'image/png', bytes })
  const [place, store] = runway.calls
  expect(place?.body).toEqual({ filename: 'mine.png', type: 'ephemeral' })
  expect(store?.headers.has('authorization')).toBe(false)
  await client.imageUpscale.create({ model: 'magnific_precision_upscaler_v2', imageUri: uri })
  expect(runway.bodies()).toMatchObject([{ imageUri: uri }])
})

describe('pictures in hand', () => {
  test('are inputs as they are up to what the vendor takes so', async () => {
    const most = pictureInHand(INLINE)
    await start({ images: [most] })
    expect(runway.bodies()).toMatchObject([{ referenceImages: [{ uri: most }] }])
    expect(runway.calls).toHaveLength(1)
    expect(most.length).toBeLessThan(5_000_000)
  })

  test('go up first where they are larger', async () => {
    await start({ images: [LARGE] })
    const [uri = ''] = runway.files.keys()
    expect(runway.files.get(uri)).toEqual({
      name: 'picture.jpeg',
      type: 'image/jpeg',
      bytes: pictureBytes(INLINE + 1, 'jpeg'),
    })
    expect(runway.bodies()).toMatchObject([{ referenceImages: [{ uri }] }])
    const [place, store] = runway.calls
    expect(place?.headers.get('authorization')).toBe(`Bearer ${RUNWAY_KEY}`)
    expect([...(store?.headers.values() ?? [])].join()).not.toContain(RUNWAY_KEY)
  })

  test('go up once for all tasks of a start', async () => {
    await start({ images: [SMALL, LARGE, LARGE], numOutputs: 3 })
    const [uri] = runway.files.keys()
    const referenceImages = [{ uri: SMALL }, { uri }, { uri }]
    expect(runway.bodies()).toMatchObject(Array(3).fill({ referenceImages }))
    expect([runway.count('place'), runway.count('store')]).toEqual([1, 1])
  })

  test('are frames of a video, too', async () => {
    const video = { kind: 'video', providerModel: 'gen4_turbo', extra: { duration_seconds: 5 } }
    await start({ ...video, images: [LARGE, SMALL], aspectRatio: '16:9' })
    const [uri] = runway.files.keys()
    const promptImage = [
      { uri, position: 'first' },
      { uri: SMALL, position: 'last' },
    ]
    expect(runway.bodies()).toMatchObject([{ promptImage }])
  })

  test('do not go up for what cannot be asked for', async () => {
    const refused = start({ images: [LARGE], params: { duration: 10 } })
    expect(await failure(refused)).toMatchObject({ kind: 'rejected' })
    expect(runway.calls).toEqual([])
  })
})

describe('an upload that fails has created nothing', () => {
  const UNAVAILABLE = { kind: 'unavailable', isPermanent: false }
  const FOR_GOOD = { kind: 'unavailable', isPermanent: true }
  const place = (body: { [name: string]: unknown }) => ({
    ...sample('upload-place'),
    body: { ...Object(sample('upload-place').body), ...body },
  })

  test.each([
    ['place 500', { place: page(500) }, UNAVAILABLE],
    ['place 504', { place: page(504) }, UNAVAILABLE],
    ['place 401', { place: sample('error-unauthorized') }, FOR_GOOD],
    ['place 400', { place: page(400) }, FOR_GOOD],
    ['place without credits', { place: sample('error-credits') }, FOR_GOOD],
    ['place with a page', { place: page(200) }, UNAVAILABLE],
    ['an address of the web', { place: place({ runwayUri: 'https://a.example' }) }, UNAVAILABLE],
    ['no fields', { place: place({ fields: null }) }, UNAVAILABLE],
    ['store 500', { store: page(500) }, UNAVAILABLE],
    ['store 403', { store: page(403) }, UNAVAILABLE],
    [
      'store at a private address',
      { place: place({ uploadUrl: 'http://10.0.0.1/' }) },
      UNAVAILABLE,
    ],
  ])('%s', async (_, answers, expected) => {
    runway.answerUploads(answers)
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(expected)
    expect(runway.count('create')).toBe(0)
  })

  test.each(['place', 'store'])('429 to %s, with its date', async step => {
    runway.answerUploads({ [step]: page(429, { 'retry-after': '7' }) })
    const expected = { kind: 'rate_limited', retryAfterMs: 7_000 }
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(expected)
    expect(runway.count('create')).toBe(0)
  })
})
