import { describe, expect, test } from 'bun:test'
import { createFalClient } from '@fal-ai/client'
import { pictureBytes, pictureInHand } from '@test/support/pictures'
import { falHosts } from '@/providers/fal/hosts'
import type { ProviderContext } from '@/providers/spec'
import { context, failure, falRig, guarded, json, page } from './rig'
import { sample } from './samples'
import { FAL_KEY } from './server'

const rig = falRig()
const INLINE = 64 * 1024
const SMALL = pictureInHand(2_000)
const LARGE = pictureInHand(INLINE + 1, 'webp')

test('the vendor’s own client uploads in two steps, and shows the store no key', async () => {
  const toHere = (input: string | URL | Request, init?: RequestInit) =>
    fetch(`${input}`.replace('https://rest.fal.ai', rig.fal.origin), init)
  const { storage } = createFalClient({
    credentials: FAL_KEY,
    fetch: Object.assign(toHere, { preconnect: fetch.preconnect }),
  })
  const file = new File([pictureBytes(2_000)], 'mine.png', { type: 'image/png' })
  const address = await storage.upload(file, { lifecycle: { expiresIn: '1d' } })
  expect(rig.fal.files.get(address)).toEqual({ type: 'image/png', bytes: pictureBytes(2_000) })
  const [initiate, put] = rig.fal.calls
  expect(initiate).toMatchObject({
    kind: 'initiate',
    body: { content_type: 'image/png', file_name: 'mine.png' },
  })
  expect(initiate?.headers.get('x-fal-object-lifecycle')).toBe(
    '{"expiration_duration_seconds":86400}',
  )
  expect(put?.kind).toBe('put')
  expect(put?.headers.has('authorization')).toBe(false)
})

describe('pictures in hand', () => {
  test('are inputs as they are while they are small', async () => {
    await rig.start({ images: [SMALL] })
    expect(rig.fal.inputs()).toMatchObject([{ image_url: SMALL }])
    expect(rig.fal.calls).toHaveLength(1)
  })

  test('go into the store first where they are large, as the client does it', async () => {
    await rig.start({ images: [LARGE] })
    const [address = ''] = rig.fal.files.keys()
    const bytes = pictureBytes(INLINE + 1, 'webp')
    expect(rig.fal.files.get(address)).toEqual({ type: 'image/webp', bytes })
    expect(rig.fal.inputs()).toMatchObject([{ image_url: address }])
    const [initiate, put] = rig.fal.calls
    expect(initiate?.body).toEqual({ content_type: 'image/webp', file_name: 'picture.webp' })
    expect(initiate?.headers.get('authorization')).toBe(`Key ${FAL_KEY}`)
    expect(initiate?.headers.get('x-fal-object-lifecycle')).toBe(
      '{"expiration_duration_seconds":86400}',
    )
    expect(put?.headers.has('authorization')).toBe(false)
    expect([...(put?.headers.values() ?? [])].join()).not.toContain(FAL_KEY)
  })

  test('go up once for all submits of a start', async () => {
    const address = 'https://a.example/1.png'
    const images = [LARGE, address, SMALL, LARGE]
    await rig.start({ images, numOutputs: 3, config: { outputs_per_call: 1 } })
    const [uploaded] = rig.fal.files.keys()
    const input = expect.objectContaining({ image_urls: [uploaded, address, SMALL, uploaded] })
    expect(rig.fal.inputs()).toEqual([input, input, input])
    expect([rig.fal.count('initiate'), rig.fal.count('put')]).toEqual([1, 1])
  })

  test('do not go up for what cannot be asked for', async () => {
    const refused = rig.start({ images: [LARGE], params: { num_images: 9 } })
    expect((await failure(refused)).kind).toBe('rejected')
    expect(rig.fal.calls).toEqual([])
  })
})

describe('an upload that fails has submitted nothing', () => {
  const UNAVAILABLE = { kind: 'unavailable', isPermanent: false }
  const FOR_GOOD = { kind: 'unavailable', isPermanent: true }

  test.each([
    ['initiate 500', { initiate: page(500) }, UNAVAILABLE],
    ['initiate 504', { initiate: page(504) }, UNAVAILABLE],
    ['initiate 401', { initiate: sample('error-unauthorized') }, FOR_GOOD],
    ['initiate 422', { initiate: page(422) }, FOR_GOOD],
    ['initiate with nothing', { initiate: json({}) }, UNAVAILABLE],
    ['initiate with a page', { initiate: page(200) }, UNAVAILABLE],
    ['put 500', { put: page(500) }, UNAVAILABLE],
    ['put 403', { put: page(403) }, UNAVAILABLE],
    ['put 413', { put: page(413) }, UNAVAILABLE],
  ])('%s', async (_, answers, expected) => {
    rig.fal.answerUploads(answers)
    expect(await failure(rig.start({ images: [LARGE] }))).toMatchObject(expected)
    expect(rig.fal.count('submit')).toBe(0)
  })

  test.each(['initiate', 'put'])('429 to %s, with its date', async step => {
    rig.fal.answerUploads({ [step]: json({}, 429, { 'retry-after': '7' }) })
    const expected = { kind: 'rate_limited', retryAfterMs: 7_000 }
    expect(await failure(rig.start({ images: [LARGE] }))).toMatchObject(expected)
    expect(rig.fal.count('submit')).toBe(0)
  })

  test('a file that fal keeps at another host', async () => {
    const upload_url = `${rig.fal.origin}/store/picture.webp?token=a-signature`
    const file_url = 'https://elsewhere.example/picture.webp'
    rig.fal.answerUploads({ initiate: json({ upload_url, file_url }) })
    expect(await failure(rig.start({ images: [LARGE] }))).toMatchObject(UNAVAILABLE)
    expect([rig.fal.count('put'), rig.fal.count('submit')]).toEqual([0, 0])
  })

  test('a store at an address that may not be called', async () => {
    const { file_url } = sample('upload-initiated').body as { file_url: string }
    const upload_url = 'http://10.0.0.1/picture.png'
    rig.fal.answerUploads({ initiate: json({ file_url, upload_url }) })
    expect(await failure(rig.start({ images: [LARGE] }))).toMatchObject(UNAVAILABLE)
  })

  test('a reset in the middle of the file', async () => {
    const broken: ProviderContext['fetch'] = (url, init) =>
      init?.method === 'PUT' ? Promise.reject(new TypeError('reset')) : guarded(url, init)
    const start = rig.start({ images: [LARGE] }, context({ fetch: broken }))
    expect(await failure(start)).toMatchObject(UNAVAILABLE)
    expect(rig.fal.count('submit')).toBe(0)
  })
})

test('more than fal takes in one piece is for another vendor', async () => {
  const start = rig.start({ images: [pictureInHand(90 * 1024 * 1024 + 1)] })
  expect(await failure(start)).toMatchObject({ kind: 'unavailable', isPermanent: true })
  expect(rig.fal.calls).toEqual([])
})

test.each([
  ['https://v3.fal.media/files/a.png', true],
  ['https://v3b.fal.media/files/a.png', true],
  ['https://fal.media/files/a.png', true],
  ['http://v3.fal.media/files/a.png', false],
  ['https://evilfal.media/files/a.png', false],
  ['https://fal.media.example/files/a.png', false],
  ['https://127.0.0.1/a.png', false],
  ['nonsense', false],
])('a file at %s is of fal: %p', (address, is) => {
  expect(falHosts().isOfItsFiles(address)).toBe(is)
})
