import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import LumaAI from 'lumaai'
import { sample } from './samples'
import { type LumaServer, lumaServer, problem } from './server'

/**
 * The vendor's own client against our server: what it sends is answered and what it gets it understands,
 * so the server is the format, and an adapter that works with the server works with the format.
 */
let server: LumaServer
let client: LumaAI

beforeEach(() => {
  server = lumaServer()
  client = new LumaAI({ authToken: server.key, baseURL: server.baseUrl, maxRetries: 0 })
})

afterEach(async () => {
  await server.close()
})

const PROMPT = 'a lighthouse at dawn'

describe('generations', () => {
  test('of a picture', async () => {
    const created = await client.generations.image.create({
      model: 'photon-1',
      prompt: PROMPT,
      aspect_ratio: '16:9',
      format: 'png',
      image_ref: [{ url: 'https://x.example/1.png', weight: 0.85 }],
      callback_url: 'https://hub.example/callbacks/luma/att_1/token',
    })
    expect(created).toMatchObject({ state: 'queued', generation_type: 'image', model: 'photon-1' })
    const id = created.id ?? ''
    expect((await client.generations.get(id)).state).toBe('dreaming')
    const ended = await client.generations.get(id)
    const { assets } = sample<{ assets: { image: string } }>('completed-image')
    expect(ended).toMatchObject({ id, state: 'completed', assets: { image: assets.image } })
    expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /generations/image',
      `GET /generations/${id}`,
      `GET /generations/${id}`,
    ])
    expect(server.seen[0]?.headers.get('authorization')).toBe(`Bearer ${server.key}`)
  })

  test('of a film, by either name', async () => {
    const body = {
      model: 'ray-2',
      prompt: PROMPT,
      duration: '5s',
      resolution: '720p',
      keyframes: { frame0: { type: 'image', url: 'https://x.example/1.png' } },
    } as const
    await client.generations.create(body)
    const { id } = await client.generations.video.create(body)
    expect(server.seen.map(({ path }) => path)).toEqual(Array(2).fill('/generations/video'))
    await client.generations.get(id ?? '')
    const { assets } = await client.generations.get(id ?? '')
    expect(assets?.video).toBe(
      sample<{ assets: { video: string } }>('completed-video').assets.video,
    )
  })

  test('that fail say why', async () => {
    const [reason = ''] = sample<string[]>('failure-reasons')
    server.plan({ state: 'failed', failure_reason: reason })
    const { id } = await client.generations.image.create({ model: 'photon-1', prompt: PROMPT })
    expect(await client.generations.get(id ?? '')).toMatchObject({
      state: 'failed',
      failure_reason: 'Contains blacklisted words',
    })
  })

  test('are deleted, once', async () => {
    const { id } = await client.generations.image.create({ model: 'photon-1', prompt: PROMPT })
    await client.generations.delete(id ?? '')
    const again = await client.generations.delete(id ?? '').catch(error => error)
    expect(again).toBeInstanceOf(LumaAI.NotFoundError)
  })

  test('are listed by pages', async () => {
    for (const _ of [1, 2, 3]) {
      await client.generations.image.create({ model: 'photon-1', prompt: PROMPT })
    }
    const first = await client.generations.list({ limit: 2, offset: 0 })
    expect([first.generations.length, first.has_more]).toEqual([2, true])
    const second = await client.generations.list({ limit: 2, offset: 2 })
    expect([second.generations.length, second.has_more]).toEqual([1, false])
  })
})

describe('refusals', () => {
  test.each([
    [400, 'error-400', LumaAI.BadRequestError],
    [401, 'error-401', LumaAI.AuthenticationError],
    [402, 'error-402', LumaAI.APIError],
    [404, 'error-404', LumaAI.NotFoundError],
    [422, 'error-422', LumaAI.UnprocessableEntityError],
    [429, 'error-429', LumaAI.RateLimitError],
    [500, 'error-500', LumaAI.InternalServerError],
  ])('%p %p', async (status, name, type) => {
    server.answer('create', () => problem(status, name))
    const creation = client.generations.image.create({ model: 'photon-1', prompt: PROMPT })
    const error = await creation.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject({ status, error: sample(name) })
  })

  test('a wrong key, a wrong model, a short prompt', async () => {
    const stranger = new LumaAI({ authToken: 'x', baseURL: server.baseUrl, maxRetries: 0 })
    const statusOf = (call: Promise<unknown>) => call.catch(error => error.status)
    expect(await statusOf(stranger.credits.get())).toBe(401)
    const model = 'photon-1'
    expect(await statusOf(client.generations.image.create({ model, prompt: 'a' }))).toBe(400)
    const other = client.post('/generations/image', { body: { model: 'ray-2', prompt: PROMPT } })
    expect(await statusOf(other)).toBe(422)
  })
})

test('the credit and the ping', async () => {
  expect(await client.credits.get()).toEqual(sample<{ credit_balance: number }>('credits'))
  expect(await client.ping.check()).toEqual(sample<{ message: string }>('ping'))
})

test('a callback is the generation itself, again until it is taken', async () => {
  const { id } = await client.generations.image.create({ model: 'photon-1', prompt: PROMPT })
  const bodies: unknown[] = []
  const receiver = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      bodies.push(await request.json())
      return new Response(null, { status: bodies.length === 1 ? 503 : 200 })
    },
  })
  expect(await server.deliver(id ?? '', `http://127.0.0.1:${receiver.port}/`)).toEqual([503, 200])
  await receiver.stop(true)
  expect(bodies).toMatchObject([{ id, state: 'queued' }, { id }])
})
