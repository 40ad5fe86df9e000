import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { OpenRouter } from '@openrouter/sdk'
import { conformance, imageInput, providerContext, type Situation } from '@test/support/conformance'
import { createSafeFetch } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import { OpenrouterParams } from '@/providers/openrouter/params'
import { microUsdOf } from '@/providers/openrouter/usd'
import type {
  Done,
  Operation,
  Pending,
  Provider,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { answerNames, sample } from './samples'
import {
  type Answer,
  FILM,
  KEY,
  type OpenrouterServer,
  openrouterServer,
  SECRET,
  type Seen,
  signedCallback,
} from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const gateway = (status: number): Answer => ({ status, body: '<html>Bad gateway</html>' })
const answering = (body: object, status = 200): Answer => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
})

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch, apiKey: KEY, ...changes })
}

const HOSTILE: ProviderInput['params'] = {
  prompt: 'mine',
  model: 'mine',
  n: 10,
  callback_url: 'https://mine.example',
  provider: { only: ['mine'] },
  authorization: 'Bearer mine',
}
const VIDEO: Partial<ProviderInput> = {
  kind: 'video',
  providerModel: 'google/veo-3.1',
  aspectRatio: '16:9',
}
const BY_CHAT = { constants: { modalities: ['image', 'text'] } }

conformance(
  'openrouter',
  () => {
    const server = openrouterServer()
    const planned: Partial<Record<Situation, Answer>> = {
      rejected: { sample: 'error-moderated' },
      rate_limited: { sample: 'error-rate-limit' },
      unavailable: { sample: 'error-no-credit' },
      unknown_outcome: gateway(504),
      hangs: 'hang',
    }
    const ends: Partial<Record<Situation, string>> = {
      rejected_later: 'video-failed-moderated',
      unavailable_later: 'video-failed',
    }
    return {
      provider: createOpenrouter({ baseUrl: server.baseUrl }),
      restart: () => createOpenrouter({ baseUrl: server.baseUrl }),
      scenario(of) {
        const answer = planned[of]
        if (answer) server.next(answer)
        const isVideo = of === 'async_done' || of.endsWith('_later')
        const end = ends[of]
        if (end) server.videosEndAs(end, end)
        return {
          input: imageInput({
            numOutputs: 2,
            ...(isVideo ? VIDEO : { config: { outputs_per_call: 2 } }),
            params: of === 'hostile_params' ? HOSTILE : {},
          }),
          ctx: context(),
          ...(of === 'hangs' ? { underWay: server.underWay() } : {}),
        }
      },
      callback() {
        const ctx = context({ webhookSecret: SECRET })
        return {
          ...signedCallback('callback-completed', ctx),
          ctx,
          hint: { eventId: 'gen-vid-1763712000-aB3dE5fG7hJ9kL1mN2pQ-completed', isFinal: true },
        }
      },
      close: () => server.close(),
    }
  },
  { modes: ['sync', 'async'], can: ['check', 'parseCallback'], picturesInHand: true },
)

let server: OpenrouterServer
let provider: Provider

beforeEach(() => {
  server = openrouterServer()
  provider = createOpenrouter({ baseUrl: server.baseUrl })
})
afterEach(() => server.close())

async function start(
  changes: Partial<ProviderInput> = {},
  ctx: ProviderContext = context(),
): Promise<Done> {
  return doneOf(await provider.start(imageInput({ providerModel: 'v/m', ...changes }), ctx))
}

async function film(changes: Partial<ProviderInput> = {}, ctx = context()): Promise<Pending> {
  return pendingOf(await provider.start(imageInput({ ...VIDEO, ...changes }), ctx))
}

async function poll(operation: Operation, ctx = context()): Promise<StartResult> {
  if (!provider.poll) throw new Error('cannot poll')
  return await provider.poll(operation, ctx)
}

/** What the jobs say in the end: their second answer. */
async function end(operation: Operation): Promise<Done> {
  pendingOf(await poll(operation))
  return doneOf(await poll(operation))
}

function doneOf(result: StartResult): Done {
  if (result.state !== 'done') throw new Error(result.state)
  return result
}

function pendingOf(result: StartResult): Pending {
  if (result.state !== 'pending') throw new Error(result.state)
  return result
}

async function failure(act: Promise<unknown> | undefined): Promise<ProviderError> {
  const error: unknown = await Promise.resolve(act).catch(thrown => thrown)
  if (!(error instanceof ProviderError)) throw new Error(`no ProviderError: ${error}`)
  return error
}

const check = (ctx = context()) => provider.check?.(ctx)
const text = (changes: Partial<ProviderInput> = {}) =>
  start({ kind: 'text', aspectRatio: null, ...changes })
const byChat = (changes: Partial<ProviderInput> = {}) => start({ config: BY_CHAT, ...changes })

function only<T>(list: readonly T[]): T {
  const [first] = list
  if (list.length !== 1 || first === undefined) throw new Error(`${list.length} and not one`)
  return first
}

const sent = (): Seen => only(server.starts())

function official(): OpenRouter {
  return new OpenRouter({
    apiKey: KEY,
    serverURL: server.baseUrl,
    retryConfig: { strategy: 'none' },
  })
}

/** Ours has a name of the attempt for the vendor's log; the client says that it wants no stream. */
function alike(): [Seen['json'] | undefined, Seen['json'] | undefined] {
  const [ours, theirs] = server.starts().map(({ json }) => {
    const { session_id: _, stream: __, ...rest } = json
    return rest
  })
  expect(server.starts()[0]?.path).toBe(server.starts()[1]?.path ?? '')
  return [ours, theirs]
}

const REJECTED = { kind: 'rejected', reason: 'input' }
const CONTENT = { kind: 'rejected', reason: 'content' }
const UNAVAILABLE = { kind: 'unavailable', isPermanent: false }
/** Our account or our model's name: no second question helps. */
const FOR_GOOD = { kind: 'unavailable', isPermanent: true }
const UNKNOWN = { kind: 'unknown_outcome' }
const bytes = { type: 'file', contentType: null, bytes: expect.any(Uint8Array) }

describe('each sample is', () => {
  const drawing = () => start()
  const failing = (ask: () => Promise<unknown> | undefined) => () => failure(ask())
  const passing = async () => ({ passed: (await check()) ?? true })
  /** Of a job that was accepted before, and is asked about once. */
  const polled = () =>
    poll({ jobs: [{ id: 'gen-1', polling_url: null, usual_cost: 7 }], started_at_ms: 0 })

  const TAKEN: Record<string, { ask(): Promise<unknown>; as: object }> = {
    images: {
      ask: drawing,
      as: { outputs: [bytes], usage: { inputTokens: 0, outputTokens: 4175, costMicroUsd: 40_000 } },
    },
    'images-none': { ask: failing(drawing), as: UNAVAILABLE },
    'chat-image': {
      ask: byChat,
      as: {
        outputs: [bytes],
        usage: { inputTokens: 12, outputTokens: 1295, costMicroUsd: 38_704 },
      },
    },
    'chat-image-address': {
      ask: byChat,
      as: { outputs: [{ type: 'file', url: 'https://images.example.com/lighthouse.png' }] },
    },
    'chat-image-unsafe': { ask: failing(byChat), as: CONTENT },
    'chat-image-silent': { ask: failing(byChat), as: UNAVAILABLE },
    chat: {
      ask: () => text(),
      as: {
        outputs: [{ type: 'text', text: 'Hello! How can I help you today?' }],
        usage: { inputTokens: 19, outputTokens: 9, costMicroUsd: 23 },
      },
    },
    'chat-parts': { ask: () => text(), as: { outputs: [{ text: 'Hello! How can I help?' }] } },
    // The fee is half a micro-USD, the bill of the vendor behind 10.7.
    'chat-byok': { ask: () => text(), as: { usage: { costMicroUsd: 1 + 11 } } },
    'chat-refused': { ask: failing(text), as: CONTENT },
    'chat-filtered': { ask: failing(text), as: CONTENT },
    'chat-cut-short': { ask: failing(text), as: REJECTED },
    'chat-choice-moderated': { ask: failing(byChat), as: CONTENT },
    'chat-choice-error': { ask: failing(byChat), as: UNAVAILABLE },
    'chat-error-in-200': {
      ask: failing(text),
      as: { kind: 'rate_limited', retryAfterMs: 2_000 },
    },
    'video-pending': { ask: () => film(), as: { state: 'pending', pollAfterMs: 10_000 } },
    'video-pending-relative': {
      ask: () => film(),
      as: { operation: { jobs: [{ polling_url: expect.stringMatching(/^\/api\/v1\/videos\//) }] } },
    },
    'video-in-progress': { ask: polled, as: { state: 'pending' } },
    'video-unheard-of': { ask: polled, as: { state: 'pending' } },
    'video-completed-stored': {
      ask: polled,
      as: {
        outputs: [{ type: 'file', url: 'https://storage.example.com/video.mp4?signature=abc' }],
        usage: { costMicroUsd: 250_000 },
      },
    },
    'video-failed': { ask: failing(polled), as: UNAVAILABLE },
    'video-failed-moderated': { ask: failing(polled), as: CONTENT },
    'video-cancelled': { ask: failing(polled), as: UNAVAILABLE },
    'video-expired': { ask: failing(polled), as: UNAVAILABLE },
    key: { ask: passing, as: { passed: true } },
    'error-moderated': { ask: failing(drawing), as: CONTENT },
    'error-moderated-older': { ask: failing(drawing), as: CONTENT },
    'error-guardrail': { ask: failing(text), as: CONTENT },
    'error-permission': { ask: failing(text), as: FOR_GOOD },
    'error-invalid-key': { ask: failing(check), as: FOR_GOOD },
    'error-no-credit': { ask: failing(drawing), as: FOR_GOOD },
    'error-in-flight': {
      ask: failing(drawing),
      as: { kind: 'rate_limited', retryAfterMs: 4_000 },
    },
    'error-rate-limit': { ask: failing(film), as: { kind: 'rate_limited', retryAfterMs: 7_000 } },
    'error-rate-limit-upstream': {
      ask: failing(text),
      as: { kind: 'rate_limited', retryAfterMs: 1_000 },
    },
    'error-bad-request': { ask: failing(text), as: REJECTED },
    'error-no-model': { ask: failing(text), as: FOR_GOOD },
    'error-upstream-moderated': { ask: failing(drawing), as: CONTENT },
    'error-validation': { ask: failing(film), as: REJECTED },
    'error-no-endpoint': { ask: failing(text), as: FOR_GOOD },
    'error-image-too-large': { ask: failing(drawing), as: REJECTED },
    'error-timeout': { ask: failing(text), as: UNKNOWN },
    'error-upstream': { ask: failing(drawing), as: UNAVAILABLE },
    'error-unavailable': {
      ask: failing(drawing),
      as: { kind: 'unavailable', retryAfterMs: 5_000 },
    },
    'error-edge-timeout': { ask: failing(drawing), as: UNKNOWN },
    'error-overloaded': { ask: failing(text), as: UNAVAILABLE },
    'error-server': { ask: failing(text), as: UNAVAILABLE },
  }

  /** These two name files of the vendor's own, which are fetched as well. */
  const WITH_A_FILE = ['video-completed', 'video-completed-bare']

  test('in this list', () => {
    expect([...Object.keys(TAKEN), ...WITH_A_FILE].sort()).toEqual(answerNames())
  })

  test.each(Object.entries(TAKEN))('%s', async (name, { ask, as }) => {
    server.next({ sample: name })
    expect(await ask()).toMatchObject(as)
    expect(server.seen).toHaveLength(1)
  })

  test.each([
    ['video-completed', 250_000],
    ['video-completed-bare', 800_000],
  ])('%s', async (name, costMicroUsd) => {
    server.videosEndAs(name)
    const { operation } = await film({
      extra: { duration_seconds: 8 },
      config: { cost: { per_second: 100_000 } },
    })
    const { outputs, usage } = await end(operation)
    expect(outputs).toEqual([{ type: 'file', bytes: FILM, contentType: null }])
    expect(usage).toEqual({ costMicroUsd })
  })
})

describe('a picture by the endpoint for pictures', () => {
  test('is asked for as the official client would', async () => {
    await start({
      aspectRatio: '16:9',
      numOutputs: 2,
      outputFormat: 'webp',
      images: ['https://example.com/cat.png'],
      extra: { resolution: '2K', quality: 'high', seed: 7 },
      params: { background: 'opaque', output_compression: 80 },
      config: { outputs_per_call: 2 },
    })
    await official().images.generate({
      imageGenerationRequest: {
        model: 'v/m',
        prompt: 'a lighthouse at dawn',
        n: 2,
        aspectRatio: '16:9',
        resolution: '2K',
        outputFormat: 'webp',
        outputCompression: 80,
        quality: 'high',
        background: 'opaque',
        seed: 7,
        inputReferences: [{ type: 'image_url', imageUrl: { url: 'https://example.com/cat.png' } }],
      },
    })
    const [ours, theirs] = alike()
    expect(ours).toEqual(theirs ?? {})
  })

  test('is sent nothing that was not asked for', async () => {
    await start({ aspectRatio: null, extra: { negative_prompt: 'rain', style: 'vivid' } })
    const { path, json } = sent()
    expect(path).toBe('/api/v1/images')
    expect(json).toEqual({
      model: 'v/m',
      prompt: 'a lighthouse at dawn',
      session_id: 'att_conformance',
    })
  })

  test('is one a call unless the route says otherwise, since most vendors behind make one', async () => {
    expect((await start({ numOutputs: 3 })).outputs).toHaveLength(3)
    expect(server.starts().map(({ json }) => json.n)).toEqual([undefined, undefined, undefined])
  })

  test('the route may choose who serves it, and its fields; a caller may not', async () => {
    const provider = { data_collection: 'deny', only: ['openai'] }
    await start({
      extra: { resolution: '2K' },
      config: {
        constants: { provider, stream: true, callback_url: 'https://x.example' },
        fields: { resolution: 'size', output_format: null },
        with_images_model: 'v/m-edit',
      },
      outputFormat: 'png',
    })
    expect(sent().json).toMatchObject({ provider, size: '2K', model: 'v/m' })
    expect(Object.keys(sent().json)).not.toContain('stream')
    expect(Object.keys(sent().json)).not.toContain('callback_url')
    expect(Object.keys(sent().json)).not.toContain('output_format')
  })

  test('with pictures is by the model that the route names for it', async () => {
    const images = ['https://example.com/cat.png']
    await start({ kind: 'image_edit', images, config: { with_images_model: 'v/m-edit' } })
    expect(sent().json).toMatchObject({ model: 'v/m-edit', input_references: [{}] })
  })

  test('takes no parameter that only texts take', async () => {
    await start({ params: { temperature: 1, seed: 7 } })
    expect(sent().json).toMatchObject({ seed: 7 })
    expect(sent().json).not.toHaveProperty('temperature')
  })

  test('never more than asked', async () => {
    const { data } = sample('images').body as { data: [object] }
    server.next(answering({ data: [data[0], data[0]] }))
    expect((await start()).outputs).toHaveLength(1)
  })

  test('needs a prompt, and an edit a picture', async () => {
    expect(await failure(start({ prompt: null }))).toMatchObject(REJECTED)
    expect(await failure(start({ kind: 'image_edit' }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
  })

  test('that is not base64 is none', async () => {
    server.next(answering({ data: [{ b64_json: 'no!' }, { b64_json: null }] }))
    expect(await failure(start())).toMatchObject(UNAVAILABLE)
  })

  test('costs what the route says where the vendor does not tell', async () => {
    const { data } = sample('images').body as { data: object[] }
    server.next(answering({ data }))
    const { usage } = await start({ config: { cost: { per_output: 30_000 } } })
    expect(usage).toEqual({ costMicroUsd: 30_000 })
  })
})

describe('a picture by chat', () => {
  test('is what a route with modalities asks for, as the official client would', async () => {
    await byChat({
      aspectRatio: '16:9',
      outputFormat: 'png',
      images: ['https://example.com/cat.png'],
      extra: { resolution: '2K', seed: 7 },
    })
    await official().chat.send({
      chatRequest: {
        model: 'v/m',
        modalities: ['image', 'text'],
        imageConfig: { aspect_ratio: '16:9', image_size: '2K' },
        seed: 7,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'a lighthouse at dawn' },
              { type: 'image_url', imageUrl: { url: 'https://example.com/cat.png' } },
            ],
          },
        ],
      },
    })
    const [ours, theirs] = alike()
    expect(ours).toEqual(theirs ?? {})
  })

  test("keeps the route's own image_config, and sends none without need", async () => {
    const constants = { modalities: ['image'], image_config: { image_size: '1K', strength: 0.5 } }
    await byChat({ config: { constants }, aspectRatio: '3:2' })
    expect(sent().json).toMatchObject({
      modalities: ['image'],
      image_config: { image_size: '1K', strength: 0.5, aspect_ratio: '3:2' },
    })
    await byChat({ aspectRatio: null })
    expect(server.starts()[1]?.json).not.toHaveProperty('image_config')
  })

  test('is one a call, and what some calls made is kept', async () => {
    server.next({ sample: 'chat-choice-error' }, { sample: 'error-rate-limit' })
    const { outputs, usage } = await byChat({ numOutputs: 3 })
    expect(outputs).toHaveLength(1)
    expect(server.starts()).toHaveLength(3)
    // And what the one that failed had used up before.
    expect(usage?.costMicroUsd).toBe(38_704 + 23)
  })

  test('of more outputs the money is that of all calls', async () => {
    const { usage } = await byChat({ numOutputs: 2 })
    expect(usage).toEqual({ inputTokens: 24, outputTokens: 2590, costMicroUsd: 77_408 })
  })

  test.each(['http://images.example.com/a.png', 'data:image/png;base64,%%', 'ftp://x'])(
    'at %s is none',
    async url => {
      const message = { images: [{ type: 'image_url', image_url: { url } }] }
      server.next(answering({ choices: [{ finish_reason: 'stop', message }] }))
      expect(await failure(byChat())).toMatchObject(UNAVAILABLE)
    },
  )

  test('an error object beside empty choices is read', async () => {
    const error = { code: 403, message: 'flagged', metadata: { reasons: ['violence'] } }
    server.next(answering({ choices: [], error }))
    expect(await failure(byChat())).toMatchObject(CONTENT)
  })
})

describe('texts', () => {
  test('are asked for as the official client would', async () => {
    await text({
      prompt: 'Hello',
      extra: { max_output_tokens: 64 },
      params: { temperature: 0.5, top_p: 0.9, reasoning_effort: 'low', seed: 7 },
    })
    await official().chat.send({
      chatRequest: {
        model: 'v/m',
        messages: [{ role: 'user', content: 'Hello' }],
        maxCompletionTokens: 64,
        temperature: 0.5,
        topP: 0.9,
        reasoningEffort: 'low',
        seed: 7,
      },
    })
    const [ours, theirs] = alike()
    expect(ours).toEqual(theirs ?? {})
  })

  test('carry nothing of the attempt: a session would bind them to one vendor behind', async () => {
    await text()
    expect(Object.keys(sent().json).sort()).toEqual(['messages', 'model'])
  })

  test.each([
    ['broke off', { finish_reason: 'error' }, UNAVAILABLE],
    [
      'broke off with an error',
      { error: { code: 429, message: 'slow' } },
      { kind: 'rate_limited' },
    ],
    ['was cut by a filter', { finish_reason: 'content_filter' }, CONTENT],
  ])('of which one %s is none, though it has words', async (_, how, as) => {
    server.next(answering({ choices: [{ message: { content: 'Once upon a' }, ...how }] }))
    expect(await failure(text())).toMatchObject(as)
  })

  test('of several outputs are several calls', async () => {
    const { outputs, usage } = await text({ numOutputs: 2 })
    expect(outputs).toHaveLength(2)
    expect(usage).toEqual({ inputTokens: 38, outputTokens: 18, costMicroUsd: 46 })
  })

  test('need a prompt', async () => {
    expect(await failure(text({ prompt: null }))).toMatchObject(REJECTED)
  })
})

describe('a video', () => {
  test('is asked for as the official client would', async () => {
    await film({
      images: ['https://example.com/first.png', 'https://example.com/last.png'],
      extra: { duration_seconds: 8, resolution: '720p', generate_audio: true, seed: 7 },
      outputFormat: 'png',
    })
    await official().videoGeneration.generate({
      videoGenerationRequest: {
        model: 'google/veo-3.1',
        prompt: 'a lighthouse at dawn',
        aspectRatio: '16:9',
        duration: 8,
        resolution: '720p',
        generateAudio: true,
        seed: 7,
        frameImages: [
          {
            type: 'image_url',
            imageUrl: { url: 'https://example.com/first.png' },
            frameType: 'first_frame',
          },
          {
            type: 'image_url',
            imageUrl: { url: 'https://example.com/last.png' },
            frameType: 'last_frame',
          },
        ],
      },
    })
    const [ours, theirs] = alike()
    expect(ours).toEqual(theirs ?? {})
    expect(server.starts()[0]?.json.session_id).toBe('att_conformance')
  })

  test('goes by pictures as references where the route says so', async () => {
    const images = [1, 2, 3].map(n => `https://example.com/${n}.png`)
    await film({ images, config: { fields: { images: 'input_references[]' } } })
    expect(sent().json).toMatchObject({ input_references: [{}, {}, {}] })
    expect(sent().json).not.toHaveProperty('frame_images')
    expect(await failure(film({ images }))).toMatchObject(REJECTED)
  })

  test('may go by a picture alone', async () => {
    await film({ prompt: null, images: ['https://example.com/first.png'] })
    expect(sent().json).not.toHaveProperty('prompt')
  })

  test('is asked about every 10 s at first, and every 30 s later', async () => {
    const ctx = context()
    const { operation } = await film({}, ctx)
    const waits = []
    for (const waited of [10_000, 60_000, 120_000, 180_000, 3_600_000]) {
      server.next({ sample: 'video-in-progress' })
      const later = { ...ctx, nowMs: ctx.nowMs + waited }
      waits.push(pendingOf(await poll(operation, later)).pollAfterMs)
    }
    expect(waits).toEqual([10_000, 10_000, 20_000, 30_000, 30_000])
  })

  test.each([
    ['in full', (origin: string) => `${origin}/api/v1/videos/here`, '/api/v1/videos/here'],
    ['relative', () => '/api/v1/videos/here', '/api/v1/videos/here'],
    ['of another host', () => 'https://evil.example/api/v1/videos/here', '/api/v1/videos/gen%2F1'],
    ['of another port', () => 'http://127.0.0.1:1/videos/here', '/api/v1/videos/gen%2F1'],
    ['that is none', () => 'http://', '/api/v1/videos/gen%2F1'],
    ['that is missing', () => undefined, '/api/v1/videos/gen%2F1'],
  ])('is asked about where the vendor says, if that is its own: %s', async (_, address, path) => {
    const polling_url = address(server.origin)
    server.next(answering({ id: 'gen/1', status: 'pending', polling_url }, 202))
    const { operation } = await film()
    server.next({ sample: 'video-in-progress' })
    pendingOf(await poll(operation))
    expect(server.seen[1]).toMatchObject({ method: 'GET', path })
    expect(server.seen).toHaveLength(2)
  })

  test('lies where it says: the key goes to the vendor, and to nobody else', async () => {
    const asked: { url: string; hasKey: boolean }[] = []
    const watching: ProviderContext['fetch'] = (url, init) => {
      asked.push({ url, hasKey: JSON.stringify(init?.headers ?? {}).includes(KEY) })
      return fetch(url, init)
    }
    const { operation } = await film()
    const foreign = 'https://evil.example/video.mp4'
    server.next(answering({ id: 'x', status: 'completed', unsigned_urls: [foreign] }))
    const { outputs } = doneOf(await poll(operation, context({ fetch: watching })))
    expect(outputs).toEqual([{ type: 'file', url: foreign, contentType: null }])
    expect(asked.filter(({ hasKey }) => hasKey).map(({ url }) => new URL(url).origin)).toEqual([
      server.origin,
    ])
    expect(asked).toHaveLength(1)
  })

  test.each(['http://storage.example.com/video.mp4', 'file:///etc/passwd', 'nonsense', ''])(
    'at %p is taken from the vendor itself',
    async address => {
      const { operation } = await film()
      server.next(answering({ id: 'x', status: 'completed', unsigned_urls: [address] }))
      const { outputs } = doneOf(await poll(operation))
      expect(outputs).toEqual([{ type: 'file', bytes: FILM, contentType: null }])
    },
  )

  test('whose file is gone has ended without one; whose file cannot be had now has not', async () => {
    const { operation } = await film()
    pendingOf(await poll(operation))
    server.next({ sample: 'video-completed' }, { status: 502, body: 'bad gateway' })
    expect(await failure(poll(operation))).toMatchObject(UNKNOWN)
    server.next({ sample: 'video-completed' }, { status: 410, body: 'gone' })
    expect(await failure(poll(operation))).toMatchObject(UNAVAILABLE)
    server.next({ sample: 'video-completed' }, { status: 200, body: '' })
    expect(await failure(poll(operation))).toMatchObject(UNAVAILABLE)
    server.next({ sample: 'video-completed' }, 'crash')
    expect(await failure(poll(operation))).toMatchObject(UNKNOWN)
  })

  test('of several outputs is several jobs, and what some of them made is kept', async () => {
    server.videosEndAs('video-failed', 'video-completed', 'video-completed')
    const { operation } = await film({ numOutputs: 3 })
    expect(server.starts()).toHaveLength(3)
    const { outputs, usage } = await end(operation)
    expect(outputs).toHaveLength(2)
    expect(usage).toEqual({ costMicroUsd: 500_000 })
    expect(server.polls()).toHaveLength(6)
  })

  test('of several jobs is not fetched before all have ended', async () => {
    server.videosEndAs('video-completed', 'video-in-progress')
    const { operation } = await film({ numOutputs: 2 })
    pendingOf(await poll(operation))
    pendingOf(await poll(operation))
    expect(server.seen.filter(({ path }) => path.endsWith('/content'))).toEqual([])
  })

  test('jobs that could not be started leave those that could', async () => {
    server.next({ sample: 'error-rate-limit' })
    const { operation } = await film({ numOutputs: 2 })
    expect(operation.jobs).toHaveLength(1)
    expect((await end(operation)).outputs).toHaveLength(1)
  })

  test('of several jobs that failed a refusal of the content speaks for all', async () => {
    server.videosEndAs('video-expired', 'video-failed-moderated')
    const { operation } = await film({ numOutputs: 2 })
    pendingOf(await poll(operation))
    expect(await failure(poll(operation))).toMatchObject(CONTENT)
  })

  test('goes on while the vendor cannot tell', async () => {
    const { operation } = await film()
    server.next({ sample: 'error-rate-limit' })
    expect(await failure(poll(operation))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 7_000,
    })
    const silent: Answer[] = [
      { sample: 'error-invalid-key' },
      { sample: 'error-no-credit' },
      { sample: 'error-server' },
      { sample: 'error-unavailable' },
      gateway(404),
      gateway(502),
      'crash',
    ]
    for (const answer of silent) {
      server.next(answer)
      expect(await failure(poll(operation))).toMatchObject(UNKNOWN)
    }
  })

  test('goes on while nobody listens, and without a key', async () => {
    const { operation } = await film()
    expect(await failure(poll(operation, context({ apiKey: null })))).toMatchObject(UNKNOWN)
    await server.close()
    expect(await failure(poll(operation))).toMatchObject(UNKNOWN)
  })

  test('that the vendor does not know has ended', async () => {
    const operation = { jobs: [{ id: 'x', polling_url: null, usual_cost: null }], started_at_ms: 0 }
    expect(await failure(poll(operation))).toMatchObject(UNAVAILABLE)
  })

  test('that may have been started is not started again', async () => {
    server.next('crash')
    expect(await failure(film())).toMatchObject(UNKNOWN)
  })

  test('a start that answers nothing that we know may have begun', async () => {
    server.next(answering({ hello: 'world' }, 202))
    expect(await failure(film())).toMatchObject(UNKNOWN)
  })
})

describe('parameters', () => {
  test.each<ProviderInput['params']>([
    { prompt: 'mine' },
    { model: 'mine' },
    { models: ['mine'] },
    { n: 4 },
    { size: '4096x4096' },
    { provider: { only: ['mine'] } },
    { callback_url: 'https://mine.example' },
    { stream: true },
    { plugins: [] },
    { seed: 1.5 },
    { temperature: 3 },
  ])('%p is refused, at submit and here', async params => {
    expect(OpenrouterParams.safeParse(params).success).toBe(false)
    expect(await failure(start({ params }))).toMatchObject(REJECTED)
    expect(await failure(film({ params }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
  })

  test.each(['upscale', 'music'])('%s is not made here', async kind => {
    expect(await failure(start({ kind }))).toMatchObject(REJECTED)
  })
})

describe('failures', () => {
  test('nobody listens: surely not started', async () => {
    await server.close()
    expect(await failure(start())).toMatchObject(UNAVAILABLE)
  })

  test('the vendor goes down with the call in its hands: it may have started', async () => {
    server.next('crash')
    expect(await failure(start())).toMatchObject(UNKNOWN)
  })

  test.each([408, 502, 504, 524])(
    'a gateway page with %d says nothing of the call',
    async status => {
      server.next(gateway(status))
      expect(await failure(start())).toMatchObject(UNKNOWN)
    },
  )

  test.each([
    ['a word', 'server_error', UNAVAILABLE],
    ['a number in words', '402', FOR_GOOD],
    ['nothing', null, UNAVAILABLE],
    ['no status', 7, UNAVAILABLE],
    ['a timeout of the vendor behind', 504, UNKNOWN],
    ['the fault of the caller', 400, REJECTED],
  ])('in a 200 whose code is %s', async (_, code, as) => {
    server.next(answering({ error: { code, message: 'Provider returned error' } }))
    expect(await failure(start())).toMatchObject(as)
  })

  test('without a key nothing is sent', async () => {
    expect(await failure(start({}, context({ apiKey: null })))).toMatchObject(FOR_GOOD)
    expect(await failure(check(context({ apiKey: null })))).toMatchObject(FOR_GOOD)
    expect(server.seen).toEqual([])
  })

  test('neither the key nor what was flagged nor whose account it is reaches a log', async () => {
    const metadata = { reasons: ['violence'], flagged_input: 'private words', raw: { key: KEY } }
    const error = { code: 403, message: `flagged for ${KEY}`, metadata }
    server.next(answering({ error, user_id: 'user_private' }, 403))
    const { message } = await failure(start())
    expect(message).toContain('flagged for ***')
    for (const secret of [KEY, 'private words', 'user_private']) {
      expect(message).not.toContain(secret)
    }
  })
})

describe('what came to nothing has cost what the vendor tells', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1, cost: 0.002 }
  const filtered = { choices: [{ finish_reason: 'content_filter', message: {} }], usage }

  test('a refusal in a 200, an answer without a picture, and several of them', async () => {
    server.next(answering(filtered))
    expect(await failure(text())).toMatchObject({ ...CONTENT, costMicroUsd: 2_000 })
    server.next(answering({ data: [], usage }))
    expect(await failure(start())).toMatchObject({ ...UNAVAILABLE, costMicroUsd: 2_000 })
    server.next(answering(filtered), { sample: 'error-rate-limit' }, answering(filtered))
    const error = await failure(text({ numOutputs: 3 }))
    expect(error).toMatchObject({ ...CONTENT, costMicroUsd: 4_000 })
  })

  test('a video that failed, alone and beside one that did not', async () => {
    const job = { id: 'gen-1', polling_url: null, usual_cost: null }
    const ended = (status: string) => answering({ id: 'gen-1', status, usage: { cost: 0.1 } })
    server.next(ended('failed'))
    const alone = await failure(poll({ jobs: [job], started_at_ms: 0 }))
    expect(alone).toMatchObject({ ...UNAVAILABLE, costMicroUsd: 100_000 })
    const made = sample('video-completed-stored').body as object
    server.next(ended('expired'), answering(made))
    const { usage } = doneOf(await poll({ jobs: [job, job], started_at_ms: 0 }))
    expect(usage).toEqual({ costMicroUsd: 350_000 })
  })

  test('and one that tells nothing is not known to have cost nothing', async () => {
    server.next({ sample: 'error-moderated' })
    expect((await failure(start())).costMicroUsd).toBeNull()
  })
})

describe('an answer is waited for', () => {
  test.each([
    ['five minutes', 3_600_000, 300_000],
    ['as long as the attempt may take', 42_000, 42_000],
    ['a second at least', -1, 1_000],
  ])('%s', async (_, left, timeoutMs) => {
    const waits: (number | undefined)[] = []
    const watching: ProviderContext['fetch'] = (url, init) => {
      waits.push(init?.timeoutMs)
      return fetch(url, init)
    }
    const ctx = context({ fetch: watching })
    const hurried = { ...ctx, deadlineMs: ctx.nowMs + left }
    await start({}, hurried)
    await start({ config: BY_CHAT }, hurried)
    await start({ kind: 'text', aspectRatio: null }, hurried)
    expect(waits).toEqual([timeoutMs, timeoutMs, timeoutMs])
  })
})

describe('the check of a key', () => {
  test('asks about the key, since the list of models is public', async () => {
    await check()
    expect(only(server.seen)).toMatchObject({ method: 'GET', path: '/api/v1/key' })
  })

  test.each([
    ['another key', { apiKey: 'sk-or-wrong' }, null, FOR_GOOD],
    ['one that is used up', {}, { limit_remaining: 0 }, FOR_GOOD],
    ['one that only manages', {}, { is_management_key: true }, FOR_GOOD],
  ])('%s does not pass', async (_, changes, data, as) => {
    if (data) server.next(answering({ data }))
    expect(await failure(check(context(changes)))).toMatchObject(as)
  })

  test('one without a limit passes', async () => {
    server.next(answering({ data: { limit_remaining: null } }))
    expect(await check()).toBeUndefined()
  })

  test('a page of somebody else proves nothing', async () => {
    server.next({ status: 200, body: '<html>Welcome to the hotel</html>' })
    expect(await failure(check())).toMatchObject(UNKNOWN)
  })
})

describe('USD become micro-USD', () => {
  test.each([
    [0, 0],
    [0.04, 40_000],
    ['0.04', 40_000],
    [0.0000234, 23],
    // Times a million in binary they are on the wrong side of the half.
    [0.0000015, 2],
    [1.0000005, 1_000_001],
    ['0.0000005', 1],
    ['0.00000049999999999999999', 0],
    [5e-7, 1],
    [1.5e-10, 0],
    ['1e2', 100_000_000],
    ['0.038705999999999996', 38_706],
    [0.1 + 0.2, 300_000],
    [123.456789, 123_456_789],
    ['9007199254.740991', Number.MAX_SAFE_INTEGER],
  ])('%p is %p', (usd, micro) => {
    expect(microUsdOf(usd)).toBe(micro)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '', 'free', '1,5', '1e999', 1e30, null, {}])(
    '%p is no amount',
    usd => {
      expect(microUsdOf(usd)).toBeNull()
    },
  )
})

test('the vendor is asked at its own address unless told otherwise', async () => {
  const urls: string[] = []
  const ctx = context({
    fetch: async url => {
      urls.push(url)
      return Response.json(sample('images').body)
    },
  })
  await createOpenrouter().start(imageInput(), ctx)
  expect(urls).toEqual(['https://openrouter.ai/api/v1/images'])
})
