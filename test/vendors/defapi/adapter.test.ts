import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { conformance, imageInput, providerContext, type Situation } from '@test/support/conformance'
import { createSafeFetch } from '@/base/safe-fetch'
import { createDefapi } from '@/providers/defapi/defapi'
import { mediaOf } from '@/providers/defapi/media'
import { microUsdOf } from '@/providers/defapi/money'
import { DefapiParams } from '@/providers/defapi/params'
import { ProviderError } from '@/providers/errors'
import type {
  CallbackHint,
  Done,
  Json,
  Operation,
  Pending,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { readSample, sampleNames, unusedSamples } from './samples'
import { type DefapiServer, defapiServer, KEY } from './server'

/*
 * The vendor has no official client and no specification, so nothing drives the server before the adapter
 * does: it stands on samples of which none is better than other people's code.
 */
const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch, apiKey: KEY, ...changes })
}

function modelInput(providerModel: string, changes: Partial<ProviderInput> = {}): ProviderInput {
  return imageInput({ providerModel, ...changes })
}

const picture = (changes: Partial<ProviderInput> = {}) => modelInput('google/nano-banana', changes)
const page = { status: 502, body: '<html>gateway</html>' }

const SITUATIONS: Record<Situation, (server: DefapiServer) => ProviderInput> = {
  sync_done: () => picture(),
  async_done(server) {
    server.query = (_task, call) => ['task-not-found', 'task-running'][call - 1] ?? 'task-picture'
    return picture({ numOutputs: 2 })
  },
  rejected: submitting('error-code'),
  rate_limited: submitting('error-rate-limited'),
  unavailable: submitting('error-credit'),
  unknown_outcome: submitting(page),
  rejected_later: querying('task-words'),
  unavailable_later: querying('task-failed'),
  hangs: submitting('hang'),
  hostile_params: () =>
    picture({
      params: {
        prompt: 'mine',
        model: 'mine',
        endpoint: '/api/user',
        callback_url: 'https://mine.example',
        authorization: 'mine',
      },
    }),
}

type Reply = ReturnType<DefapiServer['submit']>

function submitting(reply: Reply) {
  return (server: DefapiServer) => {
    server.submit = () => reply
    return picture()
  }
}

function querying(reply: Reply) {
  return (server: DefapiServer) => {
    server.query = () => reply
    return picture()
  }
}

conformance(
  'defapi',
  () => {
    const server = defapiServer()
    const make = () => createDefapi({ baseUrl: server.baseUrl })
    return {
      provider: make(),
      scenario: of => ({
        input: SITUATIONS[of](server),
        ctx: context(),
        underWay: server.arrived('submit'),
      }),
      restart: make,
      async callback() {
        const { body } = await readSample('task-picture')
        return {
          rawBody: Buffer.from(JSON.stringify(body)),
          headers: new Headers(),
          ctx: context(),
          hint: { eventId: 'ta7c1e5d2.success', isFinal: true },
        }
      },
      close: server.close,
    }
  },
  {
    modes: ['async'],
    can: ['check', 'parseCallback'],
    callbacks: 'unsigned',
    picturesInHand: true,
  },
)

let server: DefapiServer
let changed: Partial<ProviderContext>

beforeEach(() => {
  server = defapiServer()
  changed = {}
})
afterEach(() => server.close())

const defapi = () => createDefapi({ baseUrl: server.baseUrl })

async function start(input: ProviderInput): Promise<Pending> {
  const result = await defapi().start(input, context(changed))
  if (result.state !== 'pending') throw new Error(result.state)
  return result
}

async function poll(operation: Operation, afterMs = 5_000): Promise<StartResult> {
  const ctx = context(changed)
  const result = await defapi().poll?.(operation, { ...ctx, nowMs: ctx.nowMs + afterMs })
  if (!result) throw new Error('no poll')
  return result
}

async function done(result: Promise<StartResult>): Promise<Done> {
  const value = await result
  if (value.state !== 'done') throw new Error(value.state)
  return value
}

async function refusal(result: Promise<unknown>): Promise<ProviderError> {
  const error = await result.catch((thrown: unknown) => thrown)
  if (!(error instanceof ProviderError))
    throw new Error(`no ProviderError: ${JSON.stringify(error)}`)
  expect(error.message).not.toContain(KEY)
  return error
}

function urlsOf({ outputs }: Done): string[] {
  return outputs.map(output => {
    if (output.type !== 'file' || !('url' in output)) throw new Error('no address')
    return output.url
  })
}

/** The last submission. */
function sent(): { path: string | undefined; body: Record<string, unknown> | undefined } {
  const last = server.of('submit').at(-1)
  return { path: last?.path, body: last?.body }
}

describe('samples', () => {
  test('each is used, says where it is from, and none claims to be the vendor’s own', async () => {
    expect(await unusedSamples()).toEqual([])
    for (const name of sampleNames()) {
      const sample = await readSample(name)
      expect(Object.keys(sample)).toEqual(['source', 'date', 'certainty', 'body'])
      expect(['3P', 'U']).toContain(sample.certainty)
      expect(sample.source.length).toBeGreaterThan(10)
    }
  })
})

describe('submissions', () => {
  const prompt = 'a lighthouse at dawn'
  const images = ['https://files.example/a.png', 'https://files.example/b.png']
  const extra = { resolution: '2K', duration_seconds: 10, quality: 'low', seed: 7 }

  test.each([
    [
      'google/nano-banana-pro',
      '/api/image/gen',
      { model: 'google/nano-banana-pro', prompt, images, aspect_ratio: '16:9', image_size: '2k' },
    ],
    [
      'openai/gpt-image-2',
      '/api/gpt-image/gen',
      { model: 'openai/gpt-image-2', prompt, images, size: '16:9', quality: 'low' },
    ],
    [
      'wan-2.7-image',
      '/api/wan-image/gen',
      { model: 'wan-2.7-image', prompt, aspect_ratio: '16:9' },
    ],
    ['midjourney/imagine', '/api/midjourney/imagine', { prompt }],
    ['midjourney/edits', '/api/midjourney/edits', { prompt, image: images[0] }],
    [
      'sora-2',
      '/api/sora2/gen',
      { model: 'sora-2', prompt, images, aspect_ratio: '16:9', duration: '10' },
    ],
    [
      'seedance-2.0',
      '/api/video/seedance/gen',
      {
        model: 'seedance-2.0',
        content: [
          { type: 'text', text: prompt },
          ...images.map(url => ({ type: 'image_url', image_url: { url } })),
        ],
        ratio: '16:9',
        duration: 10,
      },
    ],
    [
      'google/veo3.1-fast',
      '/api/google/veo/generate',
      { model: 'google/veo3.1-fast', prompt, image: images[0], aspect_ratio: '16:9' },
    ],
    [
      'grok-imagine-video',
      '/api/grok-imagine-video/gen',
      { model: 'grok-imagine-video', prompt, images, aspect_ratio: '16:9', duration: '10' },
    ],
  ] as const)('%s goes to %s', async (model, path, body) => {
    await start(modelInput(model, { images: [...images], aspectRatio: '16:9', extra }))
    expect(sent()).toEqual({ path, body: body as unknown as Record<string, unknown> })
    expect(server.of('submit')[0]?.headers.get('authorization')).toBe(`Bearer ${KEY}`)
    expect(server.of('submit')[0]?.headers.get('content-type')).toBe('application/json')
  })

  test('a route says words, constants and another model for pictures', async () => {
    const input = modelInput('midjourney/imagine', {
      images,
      config: { with_images_model: 'midjourney/edits', constants: { speed: 'relax' } },
    })
    await start(input)
    expect(sent().path).toBe('/api/midjourney/edits')
    expect(sent().body).toEqual({ prompt, image: images[0], speed: 'relax' })
    await start({ ...input, images: [] })
    expect(sent()).toEqual({ path: '/api/midjourney/imagine', body: { prompt, speed: 'relax' } })
    await start(
      modelInput('openai/gpt-image-1.5', {
        outputFormat: 'webp',
        config: {
          fields: { output_format: 'output_format' },
          aspect_ratios: { '1:1': '1024x1024' },
        },
      }),
    )
    expect(sent().body).toMatchObject({ size: '1024x1024', output_format: 'webp' })
  })

  test('a route may name the endpoint, which is no field', async () => {
    const endpoint = '/api/image/gen'
    await start(modelInput('brand/new', { config: { constants: { endpoint } } }))
    const body = { model: 'brand/new', prompt, aspect_ratio: '1:1' }
    expect(sent()).toEqual({ path: endpoint, body })
    const asked: string[] = []
    changed = {
      async fetch(url) {
        asked.push(url)
        return Response.json({ code: 0, data: { task_id: 'ta' } })
      },
    }
    const unknown = '/api/brand-new/gen'
    await start(modelInput('brand/new', { config: { constants: { endpoint: unknown } } }))
    expect(asked).toEqual([`${server.baseUrl}${unknown}`])
  })

  test.each(['https://elsewhere.example/api/gen', '/api/../user', '/api/user?x', '//x', 7])(
    'an endpoint such as %p is never asked',
    async endpoint => {
      const asked: string[] = []
      changed = {
        async fetch(url) {
          asked.push(url)
          return Response.json({ code: 0, data: { task_id: 'ta' } })
        },
      }
      const config = { constants: { endpoint } }
      expect((await refusal(start(picture({ config })))).kind).toBe('unavailable')
      expect(asked).toEqual([])
    },
  )

  test('a model without an endpoint is our trouble', async () => {
    const error = await refusal(start(modelInput('brand/new')))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
  })

  test('several outputs are several tasks, and those that were taken count', async () => {
    const all = await start(picture({ numOutputs: 3 }))
    expect(new Set(Object(all.operation).task_ids).size).toBe(3)
    server.submit = call => (call % 2 === 0 ? 'submitted' : 'error-credit')
    const some = await start(picture({ numOutputs: 3 }))
    expect(Object(some.operation).task_ids.length).toBeGreaterThan(0)
    expect(Object(some.operation).task_ids.length).toBeLessThan(3)
  })

  test('only an endpoint that is known to call back is told where', async () => {
    changed = { callbackUrl: 'https://hub.example/callbacks/defapi/att_1/token' }
    await start(picture())
    expect(sent().body?.callback_url).toBe(changed.callbackUrl ?? '')
    await start(modelInput('wan-2.7-image'))
    expect(sent().body).not.toHaveProperty('callback_url')
  })

  test('parameters that are allowed go through where they are taken', async () => {
    await start(modelInput('openai/gpt-image-1.5', { params: { background: 'transparent' } }))
    expect(sent().body).toMatchObject({ background: 'transparent' })
    await start(modelInput('midjourney/imagine', { params: { bot_type: 'NIJI_JOURNEY' } }))
    expect(sent().body).toMatchObject({ bot_type: 'NIJI_JOURNEY' })
    const params = { bot_type: 'NIJI_JOURNEY' }
    expect(await refusal(start(picture({ params })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    expect(server.of('submit')).toHaveLength(2)
  })

  test.each([
    { speed: 'fast' },
    { quality: 'high' },
    { image_size: '4k' },
    { callback_url: 'https://mine.example' },
    { background: 'pink' },
  ] as { [key: string]: Json }[])('%p is refused', async params => {
    expect(DefapiParams.safeParse(params).success).toBe(false)
    const input = modelInput('openai/gpt-image-1.5', { params })
    expect(await refusal(start(input))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(server.requests).toHaveLength(0)
  })

  test.each(['text', 'upscale'])('%s is nothing it makes', async kind => {
    expect(await refusal(start(picture({ kind })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
  })

  test('without a prompt and a picture, or without a key, nothing is asked', async () => {
    expect(await refusal(start(picture({ prompt: null })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    changed = { apiKey: null }
    expect((await refusal(start(picture()))).kind).toBe('unavailable')
    expect((await refusal(poll({ task_ids: ['ta'], started_at_ms: 1 }))).kind).toBe(
      'unknown_outcome',
    )
    expect(server.requests).toHaveLength(0)
  })
})

describe('errors of a submission', () => {
  test.each([
    ['error-code', 'rejected', 'input', true],
    ['error-credit', 'unavailable', 'input', true],
    ['error-unauthorized', 'unavailable', 'input', true],
    ['error-rate-limited', 'rate_limited', 'input', false],
  ] as const)('%s is %s', async (sample, kind, reason, isPermanent) => {
    server.submit = () => sample
    expect(await refusal(start(picture()))).toMatchObject({ kind, reason, isPermanent })
  })

  test.each([
    ['invalid request', 'rejected', 'input', true],
    ['The prompt violates our content policy', 'rejected', 'content', true],
    ['insufficient balance, please recharge', 'unavailable', 'input', true],
    ['invalid api key', 'unavailable', 'input', true],
    ['Too many requests', 'rate_limited', 'input', false],
    ['the system is busy, try again later', 'unavailable', 'input', false],
    ['the model is busy and not ready', 'unavailable', 'input', false],
    ['model google/nano-banana not found', 'unavailable', 'input', true],
    ['the model does not exist', 'unavailable', 'input', true],
  ] as const)('"%s" with status 200 or 400 is %s', async (message, kind, reason, isPermanent) => {
    for (const status of [200, 400]) {
      server.submit = () => ({ status, body: { code: 1, message } })
      expect(await refusal(start(picture()))).toMatchObject({ kind, reason, isPermanent })
    }
  })

  test('the detail counts as well', async () => {
    const body = { code: 1, message: 'error', detail: 'blocked by the safety system' }
    server.submit = () => ({ body })
    expect(await refusal(start(picture()))).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('a 5xx does not say whether it began, also in the vendor’s own words', async () => {
    server.submit = () => ({ status: 500, body: { code: 1, message: 'internal error' } })
    expect((await refusal(start(picture()))).kind).toBe('unknown_outcome')
    server.submit = () => page
    expect((await refusal(start(picture()))).kind).toBe('unknown_outcome')
  })

  test('an "ok" counts only with a status that says the same', async () => {
    const body = { code: 0, message: 'ok', data: { task_id: 'ta' } }
    for (const status of [302, 500]) {
      server.submit = () => ({ status, body })
      expect((await refusal(start(picture()))).kind).toBe('unknown_outcome')
    }
    server.submit = () => ({ status: 403, body })
    expect((await refusal(start(picture()))).kind).toBe('unavailable')
  })

  test('a limit is waited for as long as the vendor says, or for ten seconds', async () => {
    server.submit = () => 'error-rate-limited'
    expect((await refusal(start(picture()))).retryAfterMs).toBe(10_000)
    const headers = { 'retry-after': '3' }
    server.submit = () => ({ status: 429, body: 'slow down', headers })
    expect((await refusal(start(picture()))).retryAfterMs).toBe(3_000)
  })

  test.each([{ code: 0 }, { code: 0, data: {} }, { code: 0, data: { task_id: '' } }, { data: {} }])(
    '%p may have begun',
    async body => {
      server.submit = () => ({ body })
      expect((await refusal(start(picture()))).kind).toBe('unknown_outcome')
    },
  )

  test('a host that is not there is no start', async () => {
    await server.close()
    expect((await refusal(start(picture()))).kind).toBe('unavailable')
  })
})

describe('tasks', () => {
  test.each([
    ['task-picture', 'https://files.example/lighthouse.png', 40_000],
    ['task-picture-object', 'https://files.example/wan.png', 20_000],
    ['task-midjourney', 'https://files.example/grid.png', 50_000],
    ['task-video', 'https://files.example/waves.mp4', 100_000],
    ['task-video-url', 'https://files.example/veo.mp4', 500_000],
    ['task-address', 'https://files.example/alone.png', 40_000],
  ])('%s is done', async (sample, url, costMicroUsd) => {
    const { operation } = await start(picture())
    server.query = () => sample
    const result = await done(poll(operation))
    expect(result.outputs).toEqual([{ type: 'file', url, contentType: null }])
    expect(result.usage).toEqual({ costMicroUsd })
    expect(server.of('query')[0]?.task).toBe('ta7c1e5d2-1')
    expect(server.of('query')[0]?.headers.get('authorization')).toBe(`Bearer ${KEY}`)
  })

  test.each(['task-pending', 'task-submitted', 'task-running'])('%s goes on', async sample => {
    const { operation } = await start(picture())
    server.query = () => sample
    expect((await poll(operation)).state).toBe('pending')
  })

  test('a status that nobody knows goes on', async () => {
    const { operation } = await start(picture())
    server.query = () => ({ body: { code: 0, data: { status: 'polishing' } } })
    expect((await poll(operation)).state).toBe('pending')
  })

  test.each([
    ['task-words', 'rejected', 'content'],
    ['task-refused', 'rejected', 'content'],
    ['task-failed', 'unavailable', 'input'],
  ] as const)('%s has ended: %s', async (sample, kind, reason) => {
    const { operation } = await start(picture())
    server.query = () => sample
    expect(await refusal(poll(operation))).toMatchObject({ kind, reason })
  })

  test.each([
    [{ status: 'failed' }, 'unavailable'],
    [{ status: 'failed', status_reason: 'a text' }, 'unavailable'],
    [{ status: 'failed', status_reason: { message: 'invalid image url' } }, 'rejected'],
    [{ status: 'success', result: null }, 'rejected'],
    [{ status: 'success', result: { image: 'http://files.example/a.png' } }, 'unavailable'],
  ])('%p has ended: %s', async (data, kind) => {
    const { operation } = await start(picture())
    server.query = () => ({ body: { code: 0, data } })
    expect((await refusal(poll(operation))).kind).toBe(kind as 'rejected')
  })

  test('are done when all have ended, with those that made something', async () => {
    const config = { cost: { per_output: 7 } }
    const { operation } = await start(picture({ numOutputs: 3, config }))
    server.query = task => (task === 2 ? 'task-running' : 'task-picture')
    expect((await poll(operation)).state).toBe('pending')
    const untold = { status: 'success', result: [{ image: 'https://files.example/3.png' }] }
    server.query = task =>
      ['task-picture', 'task-failed'][task - 1] ?? { body: { code: 0, data: untold } }
    const result = await done(poll(operation))
    expect(urlsOf(result)).toEqual([
      'https://files.example/lighthouse.png',
      'https://files.example/3.png',
    ])
    expect(result.usage).toEqual({ costMicroUsd: 40_000 + 7 })
  })

  test('that failed have cost what the vendor says that it took', async () => {
    const { operation } = await start(picture({ numOutputs: 2 }))
    const failed = { status: 'failed', consumed: '0.0100' }
    server.query = () => ({ body: { code: 0, data: failed } })
    expect(await refusal(poll(operation))).toMatchObject({
      kind: 'unavailable',
      isPermanent: false,
      costMicroUsd: 20_000,
    })
    server.query = task => (task === 1 ? 'task-picture' : { body: { code: 0, data: failed } })
    expect((await done(poll(operation))).usage).toEqual({ costMicroUsd: 50_000 })
    server.query = () => ({ body: { code: 0, data: { status: 'failed' } } })
    expect((await refusal(poll(operation))).costMicroUsd).toBeNull()
  })

  test('seconds are paid for by the route where the vendor says nothing', async () => {
    const config = { cost: { per_second: 1_000 } }
    const extra = { duration_seconds: 10 }
    const { operation } = await start(modelInput('sora-2', { kind: 'video', config, extra }))
    const data = { status: 'success', result: { video: 'https://files.example/a.mp4' } }
    server.query = () => ({ body: { code: 0, data } })
    expect((await done(poll(operation))).usage).toEqual({ costMicroUsd: 10_000 })
    const unpriced = await start(modelInput('sora-2', { kind: 'video' }))
    expect((await done(poll(unpriced.operation))).usage).toEqual({})
  })

  test('one that is not found at first is on its way, later it is none', async () => {
    const { operation } = await start(picture())
    server.query = () => 'task-not-found'
    expect((await poll(operation, 3_000)).state).toBe('pending')
    expect((await poll(operation, 29_999)).state).toBe('pending')
    expect((await refusal(poll(operation, 30_000))).kind).toBe('unavailable')
    server.query = () => ({ body: { code: 1, message: 'Task not found' } })
    expect((await poll(operation, 3_000)).state).toBe('pending')
    expect((await refusal(poll(operation, 30_000))).kind).toBe('unavailable')
  })

  test.each([
    [
      'a gateway that finds nothing',
      { status: 404, body: '404 page not found' },
      'unknown_outcome',
    ],
    ['a bad key', 'error-unauthorized', 'unknown_outcome'],
    ['another code', 'error-code', 'unknown_outcome'],
    ['a limit', { status: 429, body: '', headers: { 'retry-after': '4' } }, 'rate_limited'],
    ['no task', { body: { code: 0, data: null } }, 'unknown_outcome'],
  ] as const)('%s does not end it', async (_what, reply, kind) => {
    const { operation } = await start(picture())
    server.query = () => reply
    expect((await refusal(poll(operation, 60_000))).kind).toBe(kind)
  })

  test('a key that is gone and a host that is not there do not end it', async () => {
    const { operation } = await start(picture())
    changed = { apiKey: null }
    expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
    changed = {}
    await server.close()
    expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
  })

  test('are asked about every three to ten seconds', async () => {
    const { operation, pollAfterMs } = await start(picture())
    server.query = () => 'task-running'
    const waits = [pollAfterMs]
    for (const seconds of [10, 25, 40, 600]) {
      const result = await poll(operation, seconds * 1_000)
      waits.push(result.state === 'pending' ? result.pollAfterMs : 0)
    }
    expect(waits).toEqual([3_000, 3_000, 5_000, 8_000, 10_000])
  })

  test('have ids that lead nowhere else', async () => {
    const asked: string[] = []
    changed = {
      async fetch(url) {
        asked.push(url)
        return Response.json({ code: 0, data: { status: 'pending' } })
      },
    }
    await poll({ task_ids: ['a&b=c#d/../e'], started_at_ms: 1, seconds: null, rates: null })
    expect(asked).toEqual([`${server.baseUrl}/api/task/query?task_id=a%26b%3Dc%23d%2F..%2Fe`])
  })
})

describe('media', () => {
  test.each([
    [
      [{ image: 'https://a/1' }, { image: 'https://a/2' }],
      ['https://a/1', 'https://a/2'],
    ],
    [{ images: ['https://a/1', 'https://a/2'] }, ['https://a/1', 'https://a/2']],
    [{ images: [{ url: 'https://a/1' }] }, ['https://a/1']],
    [{ image: { url: 'https://a/1' } }, ['https://a/1']],
    [{ url: 'https://a/1' }, ['https://a/1']],
    [['https://a/1'], ['https://a/1']],
    [{ video: 'https://a/v', image: 'https://a/cover' }, ['https://a/v']],
    [{ image: null, url: 'https://a/1' }, ['https://a/1']],
    [{ text: 'see https://a/1' }, []],
    [{ thumbnail: 'https://a/1' }, []],
    ['no address', []],
    [null, []],
    [7, []],
    [[[[[[{ url: 'https://too/deep' }]]]]], []],
  ])('of %j are %j', (result, urls) => {
    expect(mediaOf(result)).toEqual(urls)
  })
})

describe('money', () => {
  test.each([
    ['0.0400', 40_000],
    ['0.04', 40_000],
    ['12', 12_000_000],
    ['0', 0],
    ['0.0000001', 1],
    ['0.1234567', 123_457],
    ['0.1234560', 123_456],
    [0.5, 500_000],
    ['-1', null],
    ['1e3', null],
    ['', null],
    ['free', null],
    ['9999999999', null],
    [null, null],
    [undefined, null],
  ])('%p is %p', (told, microUsd) => {
    expect(microUsdOf(told)).toBe(microUsd)
  })
})

describe('callbacks', () => {
  async function read(body: string | Uint8Array): Promise<CallbackHint> {
    const hint = await defapi().parseCallback?.(Buffer.from(body), new Headers(), context())
    if (!hint) throw new Error('no callbacks')
    return hint
  }

  /** A hub's door, which keeps what comes. */
  function door() {
    const bodies: Uint8Array[] = []
    const listener = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        bodies.push(await request.bytes())
        return new Response()
      },
    })
    return { url: `http://127.0.0.1:${listener.port}/`, bodies, close: () => listener.stop(true) }
  }

  test('are a hint to ask, whose answer is what counts', async () => {
    const hub = door()
    try {
      changed = { callbackUrl: hub.url }
      const { operation } = await start(picture())
      expect((await server.callBack('task-picture')).status).toBe(200)
      const [body] = hub.bodies
      if (!body) throw new Error('nobody called')
      expect(await read(body)).toEqual({ eventId: 'ta7c1e5d2-1.success', isFinal: true })
      server.query = () => 'task-running'
      expect((await poll(operation)).state).toBe('pending')
      server.query = () => 'task-picture'
      expect((await poll(operation)).state).toBe('done')
    } finally {
      await hub.close()
    }
  })

  test('may have the form of any answer', async () => {
    const { body } = await readSample('task-running')
    expect(await read(JSON.stringify(body))).toEqual({
      eventId: 'ta7c1e5d2.in_progress',
      isFinal: false,
    })
  })

  test.each([{ data: null }, { data: { status: 'success' } }, { task_id: 'x'.repeat(10_000) }])(
    'such as %p, which names no task, are none',
    async body => {
      expect(await refusal(read(JSON.stringify(body)))).toMatchObject({ kind: 'rejected' })
    },
  )

  test('that were said twice are one event', async () => {
    const body = '{"task_id":"ta1","status":"failed"}'
    expect(await read(body)).toEqual({ eventId: 'ta1.failed', isFinal: true })
  })
})

describe('check', () => {
  const check = async () => await defapi().check?.(context(changed))

  test('asks for the account', async () => {
    await check()
    expect(server.requests.map(({ path }) => path)).toEqual(['/api/user'])
  })

  test('says what is wrong', async () => {
    server.user = () => 'error-code'
    expect(await refusal(check())).toMatchObject({ kind: 'unavailable', isPermanent: true })
    server.user = () => 'error-rate-limited'
    expect((await refusal(check())).kind).toBe('rate_limited')
    server.user = () => page
    expect((await refusal(check())).kind).toBe('unknown_outcome')
    server.user = () => ({ body: '<html>' })
    expect((await refusal(check())).kind).toBe('unknown_outcome')
    changed = { apiKey: 'dk-wrong' }
    expect((await refusal(check())).kind).toBe('unavailable')
    changed = { apiKey: null }
    expect((await refusal(check())).kind).toBe('unavailable')
  })

  test('goes to the vendor where nothing else is said', async () => {
    const asked: string[] = []
    await createDefapi().check?.(
      context({
        async fetch(url) {
          asked.push(url)
          return Response.json((await readSample('user')).body)
        },
      }),
    )
    expect(asked).toEqual(['https://api.defapi.org/api/user'])
  })
})
