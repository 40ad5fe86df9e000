import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { conformance, imageInput, providerContext, type Situation } from '@test/support/conformance'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createGemini } from '@/providers/gemini/gemini'
import { GeminiParams } from '@/providers/gemini/params'
import { cannedPicture } from '@/providers/sandbox/canned'
import type {
  Done,
  Json,
  Operation,
  Pending,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { readSample, sampleBody, sampleNames, unusedSamples } from './samples'
import { type GeminiServer, geminiServer, KEY, MP4 } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch, apiKey: KEY, ...changes })
}

function videoInput(changes: Partial<ProviderInput> = {}): ProviderInput {
  return imageInput({
    kind: 'video',
    providerModel: 'veo-3.1-generate-preview',
    aspectRatio: '16:9',
    ...changes,
  })
}

const page = { status: 504, body: '<html>gateway</html>', headers: { 'content-type': 'text/html' } }

/** What the server is told for each situation of the suite. */
const SITUATIONS: Record<Situation, (server: GeminiServer) => ProviderInput> = {
  sync_done: () => imageInput({ numOutputs: 2 }),
  async_done(server) {
    server.replies.poll = call => (call <= 2 ? 'video-running' : 'video-done')
    return videoInput({ numOutputs: 2 })
  },
  rejected: generating('prompt-blocked'),
  rate_limited: generating('error-rate-limited'),
  unavailable: generating('error-permission-denied'),
  unknown_outcome: generating(page),
  rejected_later: polling('video-filtered'),
  unavailable_later: polling('video-failed'),
  hangs: generating('hang'),
  hostile_params: () =>
    imageInput({
      params: {
        contents: [],
        model: 'mine',
        systemInstruction: 'mine',
        safetySettings: [],
        webhookConfig: { uris: ['https://mine.example'] },
        key: 'mine',
      },
    }),
}

type Answer = ReturnType<GeminiServer['replies']['generate']>

function generating(reply: Answer) {
  return (server: GeminiServer) => {
    server.replies.generate = () => reply
    return imageInput()
  }
}

function polling(reply: Answer) {
  return (server: GeminiServer) => {
    server.replies.poll = () => reply
    return videoInput()
  }
}

conformance(
  'gemini',
  () => {
    const server = geminiServer()
    const make = () => createGemini({ baseUrl: server.baseUrl })
    return {
      provider: make(),
      scenario: of => ({
        input: SITUATIONS[of](server),
        ctx: context(),
        underWay: server.arrived('generate'),
      }),
      restart: make,
      close: server.close,
    }
  },
  { modes: ['sync', 'async'], can: ['check'], picturesInHand: true },
)

let server: GeminiServer
let changed: Partial<ProviderContext>

beforeEach(() => {
  server = geminiServer()
  changed = {}
})
afterEach(() => server.close())

const gemini = () => createGemini({ baseUrl: server.baseUrl })

function start(input: ProviderInput): Promise<StartResult> {
  return gemini().start(input, context(changed))
}

async function poll(operation: Operation, nowMs = context().nowMs): Promise<StartResult> {
  const result = await gemini().poll?.(operation, context({ ...changed, nowMs }))
  if (!result) throw new Error('no poll')
  return result
}

async function done(result: Promise<StartResult>): Promise<Done> {
  const value = await result
  if (value.state !== 'done') throw new Error(value.state)
  return value
}

async function pending(result: Promise<StartResult>): Promise<Pending> {
  const value = await result
  if (value.state !== 'pending') throw new Error(value.state)
  return value
}

async function refusal(result: Promise<unknown>): Promise<ProviderError> {
  const error = await result.catch((thrown: unknown) => thrown)
  if (!(error instanceof ProviderError))
    throw new Error(`no ProviderError: ${JSON.stringify(error)}`)
  expect(error.message).not.toContain(KEY)
  return error
}

function bytesOf({ outputs }: Done): Uint8Array[] {
  return outputs.map(output => {
    if (output.type !== 'file' || !('bytes' in output)) throw new Error('no bytes')
    return output.bytes
  })
}

/** What the last call of the kind was sent. */
function sent(call: 'generate' | 'start'): Record<string, unknown> {
  return server.of(call).at(-1)?.body ?? {}
}

describe('samples', () => {
  test('each is used, and says where it is from', async () => {
    expect(await unusedSamples()).toEqual([])
    for (const name of sampleNames()) {
      const sample = await readSample(name)
      expect(Object.keys(sample)).toEqual(['source', 'date', 'certainty', 'body'])
      expect(['S', 'D', '3P', 'U']).toContain(sample.certainty)
      expect(sample.source.length).toBeGreaterThan(10)
    }
  })
})

describe('pictures', () => {
  test('the request is what Google’s own client sends', async () => {
    const input = imageInput({
      providerModel: 'gemini-3-pro-image',
      aspectRatio: '16:9',
      outputFormat: 'webp',
      extra: { resolution: '2K', seed: 7, negative_prompt: 'fog' },
    })
    await done(start(input))
    const [request] = server.of('generate')
    expect(request?.path).toBe('/v1beta/models/gemini-3-pro-image:generateContent')
    expect(request?.headers.get('x-goog-api-key')).toBe(KEY)
    expect(request?.body).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'a lighthouse at dawn' }] }],
      generationConfig: {
        responseModalities: ['TEXT', 'IMAGE'],
        imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
        seed: 7,
      },
    })
  })

  test('the last picture that is no thought is taken', async () => {
    const { outputs } = await done(start(imageInput()))
    const parts = Object(await sampleBody('image-done')).candidates[0].content.parts
    const bytes = new Uint8Array(Buffer.from(parts[3].inlineData.data, 'base64'))
    expect(outputs).toEqual([{ type: 'file', bytes, contentType: null }])
  })

  test('of several pictures that are no thoughts as well', async () => {
    const parts = ['AAAA', 'AQID'].map(data => ({ inlineData: { mimeType: 'image/png', data } }))
    server.replies.generate = () => ({ body: { candidates: [{ content: { parts } }] } })
    expect(bytesOf(await done(start(imageInput())))).toEqual([Uint8Array.from([1, 2, 3])])
  })

  test('several are as many calls, with what they used added up', async () => {
    const config = { cost: { per_output: 134_000 } }
    const { outputs, usage } = await done(start(imageInput({ numOutputs: 3, config })))
    expect(outputs).toHaveLength(3)
    expect(server.of('generate')).toHaveLength(3)
    expect(usage).toEqual({
      inputTokens: 3 * 12,
      outputTokens: 3 * (1_290 + 80),
      costMicroUsd: 3 * 134_000,
    })
  })

  test('without a price there is no cost', async () => {
    expect((await done(start(imageInput()))).usage).not.toHaveProperty('costMicroUsd')
  })

  test('what was made is kept when others fail, and paid for alone', async () => {
    const replies = ['image-refused', 'image-done', 'error-rate-limited', 'image-done']
    server.replies.generate = call => replies[call - 1] ?? 'hang'
    const config = { cost: { per_call: 10 } }
    const { outputs, usage } = await done(start(imageInput({ numOutputs: 4, config })))
    expect(outputs).toHaveLength(2)
    expect(usage?.costMicroUsd).toBe(20)
  })

  test.each([
    [['error-overloaded', 'image-refused'], 'rejected'],
    [['error-deadline', 'image-refused'], 'rejected'],
    [['error-overloaded', 'error-deadline'], 'unknown_outcome'],
    [['error-rate-limited', 'error-overloaded'], 'unavailable'],
    [['error-rate-limited', 'error-rate-limited'], 'rate_limited'],
  ] as const)('of %p the one that forbids most is %s', async (replies, kind) => {
    server.replies.generate = call => replies[call - 1] ?? 'hang'
    expect((await refusal(start(imageInput({ numOutputs: 2 })))).kind).toBe(kind)
  })

  test('a route says its constants, its words and another model for pictures', async () => {
    server.pictures.set('a.png', () => new Response(cannedPicture().slice()))
    const input = imageInput({
      images: [`${server.origin}/pictures/a.png`],
      aspectRatio: '16:9',
      extra: { resolution: '4K', guidance: 3 },
      config: {
        with_images_model: 'gemini-edit',
        aspect_ratios: { '16:9': '21:9' },
        fields: { resolution: null },
        constants: {
          safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_ONLY_HIGH' }],
          contents: 'never this',
          generationConfig: { responseModalities: ['IMAGE'], imageConfig: { imageSize: '1K' } },
        },
      },
    })
    await done(start(input))
    expect(server.of('generate')[0]?.path).toBe('/v1beta/models/gemini-edit:generateContent')
    expect(sent('generate')).toMatchObject({
      safetySettings: [{ threshold: 'BLOCK_ONLY_HIGH' }],
      contents: [{ role: 'user' }],
      generationConfig: {
        responseModalities: ['IMAGE'],
        imageConfig: { aspectRatio: '21:9', imageSize: '1K' },
      },
    })
  })

  test('without pictures it is the model itself, also for videos', async () => {
    const config = { with_images_model: 'gemini-edit' }
    await done(start(imageInput({ config })))
    await pending(start(videoInput({ config })))
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/v1beta/models/model-of-the-vendor:generateContent',
      '/v1beta/models/veo-3.1-generate-preview:predictLongRunning',
    ])
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    await pending(start(videoInput({ config, images: [`${server.origin}/pictures/a`] })))
    expect(server.of('start').at(-1)?.path).toBe('/v1beta/models/gemini-edit:predictLongRunning')
  })

  test.each(['auto', 'match_input_image', null])('no ratio is sent for %p', async aspectRatio => {
    await done(start(imageInput({ aspectRatio })))
    expect(sent('generate').generationConfig).not.toHaveProperty('imageConfig')
  })

  test('a model may be named as lists name it', async () => {
    await done(start(imageInput({ providerModel: 'models/gemini-3-pro-image' })))
    expect(server.of('generate')[0]?.path).toBe('/v1beta/models/gemini-3-pro-image:generateContent')
  })

  test.each(['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'IMAGE_SAFETY'])(
    'finished by %s is a refusal of content',
    async finishReason => {
      server.replies.generate = () => ({ body: { candidates: [{ finishReason }] } })
      expect(await refusal(start(imageInput()))).toMatchObject({
        kind: 'rejected',
        reason: 'content',
      })
    },
  )

  test.each(['NO_IMAGE', 'IMAGE_OTHER', 'OTHER', 'STOP', 'MAX_TOKENS', 'CONTINUATION', undefined])(
    'finished by %p without a picture is worth another try',
    async finishReason => {
      server.replies.generate = () => ({ body: { candidates: [{ finishReason }] } })
      expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
    },
  )

  test('refusals that come with status 200', async () => {
    server.replies.generate = () => 'prompt-blocked'
    expect(await refusal(start(imageInput()))).toMatchObject({
      kind: 'rejected',
      reason: 'content',
    })
    server.replies.generate = () => 'image-refused'
    expect((await refusal(start(imageInput()))).message).toContain('Support code: 11030041')
    server.replies.generate = () => 'image-missing'
    expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
    server.replies.generate = () => ({ body: { candidates: [], usageMetadata: {} } })
    expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
    server.replies.generate = () => ({ body: { candidates: [{ finishReason: 'LANGUAGE' }] } })
    expect(await refusal(start(imageInput()))).toMatchObject({ kind: 'rejected', reason: 'input' })
  })

  test('an error within a 200 is read', async () => {
    const body = await sampleBody('error-rate-limited')
    server.replies.generate = () => ({ status: 200, body })
    expect(await refusal(start(imageInput()))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 37_000,
    })
  })

  test('an object that says nothing is no proof that nothing began', async () => {
    server.replies.generate = () => ({ body: { hello: 'world' } })
    expect((await refusal(start(imageInput()))).kind).toBe('unknown_outcome')
  })

  test('data that is no base64 is no picture', async () => {
    const parts = [{ inlineData: { data: '%%%', mimeType: 'image/png' } }]
    server.replies.generate = () => ({ body: { candidates: [{ content: { parts } }] } })
    expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
  })
})

describe('input pictures', () => {
  function large(bytes: number): Uint8Array<ArrayBuffer> {
    const picture = new Uint8Array(bytes)
    picture.set(cannedPicture())
    return picture
  }

  const address = (name: string) => `${server.origin}/pictures/${name}`

  test('go along as bytes with the type that they have', async () => {
    const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 1])
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    server.pictures.set('b.png', () => {
      return new Response(jpeg.slice(), { headers: { 'content-type': 'image/png' } })
    })
    await done(start(imageInput({ images: [address('a'), address('b.png')], kind: 'image_edit' })))
    expect(sent('generate').contents).toEqual([
      {
        role: 'user',
        parts: [
          { text: 'a lighthouse at dawn' },
          { inlineData: { mimeType: 'image/png', data: cannedPicture().toBase64() } },
          { inlineData: { mimeType: 'image/jpeg', data: jpeg.toBase64() } },
        ],
      },
    ])
  })

  test('are fetched once for several calls, without the key', async () => {
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    await done(start(imageInput({ images: [address('a')], numOutputs: 3 })))
    expect(server.of('picture')).toHaveLength(1)
    expect(server.of('generate')).toHaveLength(3)
    expect(server.of('picture')[0]?.headers.get('x-goog-api-key')).toBeNull()
  })

  test('may be behind a redirect, but not behind many', async () => {
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    server.pictures.set('moved', () => Response.redirect('/pictures/a'))
    server.pictures.set('round', () => Response.redirect('/pictures/round'))
    await done(start(imageInput({ images: [address('moved')] })))
    expect(await refusal(start(imageInput({ images: [address('round')] })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    expect(server.of('picture')).toHaveLength(2 + 4)
  })

  test.each([
    ['a GIF', () => new Response('GIF89a......'), 'rejected'],
    ['nothing there', () => new Response('', { status: 404 }), 'rejected'],
    ['not for us', () => new Response('', { status: 403 }), 'rejected'],
    ['a host in trouble', () => new Response('', { status: 503 }), 'unavailable'],
    ['a host that is busy', () => new Response('', { status: 429 }), 'unavailable'],
    ['too much', () => new Response(large(20 * 1024 * 1024 + 1)), 'rejected'],
  ] as const)('%s: nothing is generated', async (_what, picture, kind) => {
    server.pictures.set('a', picture)
    expect((await refusal(start(imageInput({ images: [address('a')] })))).kind).toBe(kind)
    expect(server.of('generate')).toHaveLength(0)
  })

  test('may be as large as twenty megabytes', async () => {
    server.pictures.set('a', () => new Response(large(20 * 1024 * 1024)))
    await done(start(imageInput({ images: [address('a')] })))
  })

  test('on a private host are refused, on a host that is down they are not', async () => {
    const images = ['https://10.0.0.1/a.png']
    expect(await refusal(start(imageInput({ images })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    changed = { fetch: () => Promise.reject(new FetchFailure('connection_failed', true)) }
    expect((await refusal(start(imageInput({ images })))).kind).toBe('unavailable')
  })

  test('that are being fetched when we stop waiting say nothing of their host', async () => {
    const controller = new AbortController()
    changed = {
      signal: controller.signal,
      fetch(_url, init) {
        controller.abort()
        return Promise.reject(new FetchFailure('aborted', init?.signal === controller.signal))
      },
    }
    const images = [address('a')]
    for (const input of [imageInput({ images }), videoInput({ images })]) {
      expect((await refusal(start(input))).kind).toBe('unknown_outcome')
    }
  })
})

describe('texts', () => {
  const textInput = (changes: Partial<ProviderInput> = {}) =>
    imageInput({ kind: 'text', providerModel: 'gemini-3-flash', aspectRatio: null, ...changes })

  test('are the parts that are no thoughts', async () => {
    server.replies.generate = () => 'text-done'
    const extra = { max_output_tokens: 99, top_p: 0.5 }
    const result = await done(start(textInput({ aspectRatio: '1:1', extra })))
    expect(result.outputs).toEqual([{ type: 'text', text: 'A lighthouse at dawn.' }])
    expect(result.usage).toEqual({ inputTokens: 5, outputTokens: 27 })
    expect(sent('generate').generationConfig).toEqual({ maxOutputTokens: 99, topP: 0.5 })
  })

  test('that were cut at the limit are texts, those cut by policy are none', async () => {
    const candidate = (finishReason: string) => ({
      body: { candidates: [{ content: { parts: [{ text: 'half' }] }, finishReason }] },
    })
    server.replies.generate = () => candidate('MAX_TOKENS')
    expect((await done(start(textInput()))).outputs).toEqual([{ type: 'text', text: 'half' }])
    server.replies.generate = () => candidate('SAFETY')
    expect((await refusal(start(textInput()))).reason).toBe('content')
  })

  test('may be asked of a picture alone', async () => {
    server.replies.generate = () => 'text-done'
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    await done(start(textInput({ prompt: null, images: [`${server.origin}/pictures/a`] })))
    expect(sent('generate').contents).toMatchObject([{ parts: [{ inlineData: {} }] }])
    expect(await refusal(start(textInput({ prompt: null })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
  })
})

describe('errors', () => {
  test.each([
    ['error-invalid-argument', 'rejected', 'input', true],
    ['error-content', 'rejected', 'content', true],
    ['error-bad-key', 'unavailable', 'input', true],
    ['error-precondition', 'unavailable', 'input', true],
    ['error-permission-denied', 'unavailable', 'input', true],
    ['error-model-not-found', 'unavailable', 'input', true],
    ['error-rate-limited', 'rate_limited', 'input', false],
    ['error-daily-quota', 'unavailable', 'input', true],
    ['error-internal', 'unavailable', 'input', false],
    ['error-overloaded', 'unavailable', 'input', false],
    ['error-deadline', 'unknown_outcome', 'input', false],
  ] as const)('%s is %s', async (sample, kind, reason, isPermanent) => {
    server.replies.generate = () => sample
    expect(await refusal(start(imageInput()))).toMatchObject({ kind, reason, isPermanent })
  })

  test('a key that is not valid is our trouble, and the answer that repeats it stays unsaid', async () => {
    changed = { apiKey: 'wrong-key' }
    const error = await refusal(start(imageInput()))
    expect(error.kind).toBe('unavailable')
    expect(error.message).toContain('API key not valid')
    expect(error.message).not.toContain('wrong-key')
  })

  test('a key in the message itself stays unsaid as well', async () => {
    server.replies.generate = () => ({
      status: 403,
      body: { error: { code: 403, message: `no rights: ${KEY}`, status: 'PERMISSION_DENIED' } },
    })
    expect((await refusal(start(imageInput()))).message).toContain('no rights')
    server.replies.generate = () => ({ status: 403, body: `for ${KEY}` })
    expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
  })

  test.each([null, '', 'key\nwith a break'])('with %p for a key nothing is asked', async apiKey => {
    changed = { apiKey }
    for (const input of [imageInput(), videoInput()]) {
      const error = await refusal(start(input))
      expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
      expect(error.message).not.toContain('break')
    }
    expect(server.requests).toHaveLength(0)
  })

  test.each([
    ['37s', 37_000],
    ['0.5s', 500],
    ['1.0001s', 1_001],
  ])('a delay of %s', async (retryDelay, retryAfterMs) => {
    const error = { code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay }] }
    server.replies.generate = () => ({ status: 429, body: { error } })
    expect(await refusal(start(imageInput()))).toMatchObject({ kind: 'rate_limited', retryAfterMs })
  })

  test('a limit of nothing is not waited for; without a delay the header counts', async () => {
    const limited = (message: string) => ({
      status: 429,
      body: { error: { code: 429, message, status: 'RESOURCE_EXHAUSTED' } },
      headers: { 'retry-after': '9' },
    })
    server.replies.generate = () => limited('Quota exceeded, limit: 0, model: veo')
    const none = await refusal(start(imageInput()))
    expect(none).toMatchObject({ kind: 'unavailable', isPermanent: true })
    server.replies.generate = () => limited('Quota exceeded, limit: 10, model: veo')
    expect(await refusal(start(imageInput()))).toMatchObject({ retryAfterMs: 9_000 })
  })

  test('a host that is not there is no start', async () => {
    await server.close()
    expect((await refusal(start(imageInput()))).kind).toBe('unavailable')
  })

  test.each(['upscale', 'audio'])('%s is nothing it makes', async kind => {
    expect(await refusal(start(imageInput({ kind })))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
  })

  test('an answer to a caller who hung up says nothing', async () => {
    server.replies.generate = () => ({
      status: 499,
      body: { error: { code: 499, message: 'The operation was cancelled.', status: 'CANCELLED' } },
    })
    expect((await refusal(start(imageInput()))).kind).toBe('unknown_outcome')
  })
})

describe('an answer is waited for', () => {
  test.each([
    ['five minutes', 3_600_000, 300_000],
    ['as long as the attempt may take', 42_000, 42_000],
    ['a second at least', -1, 1_000],
  ])('%s', async (_, left, timeoutMs) => {
    const waits: (number | undefined)[] = []
    changed = {
      deadlineMs: context().nowMs + left,
      fetch(url, init) {
        waits.push(init?.timeoutMs)
        return fetch(url, init)
      },
    }
    await done(start(imageInput()))
    server.replies.generate = () => 'text-done'
    await done(start(imageInput({ kind: 'text', aspectRatio: null })))
    expect(waits).toEqual([timeoutMs, timeoutMs])
  })
})

describe('parameters', () => {
  test('that are allowed go through, and lose against ours', async () => {
    const params = { temperature: 0.5, topK: 40, seed: 1, stopSequences: ['END'] }
    await done(start(imageInput({ params, extra: { seed: 7 } })))
    expect(sent('generate').generationConfig).toMatchObject({ ...params, seed: 7 })
  })

  test.each([
    { imageConfig: { imageSize: '4K' } },
    { maxOutputTokens: 8_000 },
    { candidateCount: 8 },
    { safetySettings: [] },
    { tools: [{ googleSearch: {} }] },
    { webhookConfig: { uris: [] } },
    { temperature: 'hot' },
    { stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'] },
  ] as { [key: string]: Json }[])('%p is refused', async params => {
    expect(GeminiParams.safeParse(params).success).toBe(false)
    const input = imageInput({ params, images: [`${server.origin}/pictures/a`] })
    expect(await refusal(start(input))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(server.requests).toHaveLength(0)
  })

  test('of a video are not those of a picture', async () => {
    const params = { personGeneration: 'dont_allow' }
    expect(GeminiParams.safeParse(params).success).toBe(true)
    expect((await refusal(start(imageInput({ params })))).kind).toBe('rejected')
    const images = [`${server.origin}/pictures/a`]
    const wrong = videoInput({ images, params: { temperature: 1 } })
    expect((await refusal(start(wrong))).kind).toBe('rejected')
    expect(server.requests).toHaveLength(0)
    await pending(start(videoInput({ params })))
    expect(sent('start').parameters).toMatchObject(params)
  })
})

describe('videos', () => {
  const filtered = (generateVideoResponse: object) => {
    return { done: true, response: { generateVideoResponse } }
  }

  test('the request is what Google’s own client sends', async () => {
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    const input = videoInput({
      images: [`${server.origin}/pictures/a`],
      extra: { duration_seconds: 8, resolution: '720p', negative_prompt: 'fog', seed: 7 },
    })
    await pending(start(input))
    const [request] = server.of('start')
    expect(request?.path).toBe('/v1beta/models/veo-3.1-generate-preview:predictLongRunning')
    expect(request?.headers.get('x-goog-api-key')).toBe(KEY)
    expect(request?.body).toEqual({
      instances: [
        {
          prompt: 'a lighthouse at dawn',
          image: { bytesBase64Encoded: cannedPicture().toBase64(), mimeType: 'image/png' },
        },
      ],
      parameters: {
        aspectRatio: '16:9',
        durationSeconds: 8,
        resolution: '720p',
        negativePrompt: 'fog',
      },
    })
  })

  test('pictures may be references instead of the first frame', async () => {
    server.pictures.set('a', () => new Response(cannedPicture().slice()))
    const images = [`${server.origin}/pictures/a`, `${server.origin}/pictures/a`]
    await pending(
      start(videoInput({ images, config: { fields: { images: 'referenceImages[]' } } })),
    )
    const [instance] = Object(sent('start').instances)
    expect(instance.referenceImages).toHaveLength(2)
    expect(instance.referenceImages[0]).toMatchObject({ referenceType: 'asset' })
    expect(instance).not.toHaveProperty('image')
  })

  test('are one operation each, or as many in one as the route says', async () => {
    const { operation } = await pending(start(videoInput({ numOutputs: 3 })))
    expect(new Set(Object(operation).names).size).toBe(3)
    await pending(start(videoInput({ numOutputs: 3, config: { outputs_per_call: 2 } })))
    expect(server.of('start').map(({ body }) => Object(body.parameters).sampleCount)).toEqual([
      ...[undefined, undefined, undefined],
      ...[2, undefined],
    ])
  })

  test('a start of which some were taken goes on with those', async () => {
    server.replies.start = call => (call === 2 ? 'video-started' : 'error-rate-limited')
    const { operation } = await pending(start(videoInput({ numOutputs: 3 })))
    expect(Object(operation).names).toHaveLength(1)
    server.replies.start = () => 'error-rate-limited'
    expect(await refusal(start(videoInput({ numOutputs: 2 })))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 37_000,
    })
  })

  test.each([
    ['error-invalid-argument', 'rejected'],
    ['error-content', 'rejected'],
    ['error-model-not-found', 'unavailable'],
    ['error-daily-quota', 'unavailable'],
    ['error-overloaded', 'unavailable'],
    ['error-internal', 'unknown_outcome'],
    ['error-deadline', 'unknown_outcome'],
  ] as const)('%s to a start is %s', async (sample, kind) => {
    server.replies.start = () => sample
    expect((await refusal(start(videoInput()))).kind).toBe(kind)
  })

  test.each([
    {},
    { name: 7 },
    { name: '../../secrets' },
    { name: 'models/veo/operations/../../files' },
    { name: 'models/../operations/a' },
    { name: 'https://elsewhere.example/operations/a' },
    { name: 'models/veo/operations/a?key=b' },
  ])('a start that is answered with %p may have begun', async body => {
    changed = { fetch: async () => Response.json(body) }
    expect((await refusal(start(videoInput()))).kind).toBe('unknown_outcome')
  })

  test('are done when all have ended, and come as bytes', async () => {
    const started = await pending(start(videoInput({ numOutputs: 2 })))
    server.replies.poll = call => (call === 1 ? 'video-done' : 'video-running')
    expect((await poll(started.operation)).state).toBe('pending')
    server.replies.poll = () => 'video-done'
    const result = await done(poll(started.operation))
    expect(bytesOf(result)).toEqual([MP4, MP4])
    expect(server.of('poll').map(({ path }) => path)).toContain(
      '/v1beta/models/veo-3.1-generate-preview/operations/a1b2c3d4e5f62',
    )
  })

  test('are asked about every ten seconds, and later more rarely', async () => {
    server.replies.poll = () => 'video-running'
    const { operation, pollAfterMs } = await pending(start(videoInput()))
    const waits = [pollAfterMs]
    for (const minutes of [1, 2, 3, 30]) {
      const later = context().nowMs + minutes * 60_000
      waits.push((await pending(poll(operation, later))).pollAfterMs)
    }
    expect(waits).toEqual([10_000, 10_000, 20_000, 30_000, 30_000])
  })

  test('those that there are count, in seconds and money', async () => {
    const config = { cost: { per_second: 400_000 } }
    const extra = { duration_seconds: 8 }
    const started = await pending(start(videoInput({ numOutputs: 4, config, extra })))
    const replies = ['video-done', 'video-filtered', 'video-failed', 'video-done']
    server.replies.poll = call => replies[call - 1] ?? 'hang'
    const { outputs, usage } = await done(poll(started.operation))
    expect(outputs).toHaveLength(2)
    expect(usage).toEqual({ seconds: 16, costMicroUsd: 6_400_000 })
  })

  test('without a length the seconds are not known', async () => {
    const config = { cost: { per_second: 400_000 } }
    const { operation } = await pending(start(videoInput({ config })))
    expect((await done(poll(operation))).usage).toEqual({})
  })

  test.each([
    ['video-filtered', 'rejected', 'content'],
    ['video-refused', 'rejected', 'content'],
    ['video-failed', 'unavailable', 'input'],
    ['video-gone', 'unavailable', 'input'],
  ] as const)('%s has ended: %s', async (sample, kind, reason) => {
    const { operation } = await pending(start(videoInput()))
    server.replies.poll = () => sample
    expect(await refusal(poll(operation))).toMatchObject({ kind, reason })
  })

  test.each([
    [{ done: true }, 'unavailable'],
    [{ done: true, response: {} }, 'unavailable'],
    [filtered({ raiMediaFilteredReasons: ['violence'] }), 'rejected'],
    [filtered({ raiMediaFilteredCount: 1 }), 'rejected'],
    [filtered({ raiMediaFilteredCount: 0 }), 'unavailable'],
    [{ done: true, error: { code: 3, message: 'resolution is wrong' } }, 'rejected'],
    [{ done: true, error: { code: 8, message: 'quota' } }, 'unavailable'],
  ])('%p has ended: %s', async (body, kind) => {
    const { operation } = await pending(start(videoInput()))
    server.replies.poll = () => ({ body })
    expect((await refusal(poll(operation))).kind).toBe(kind as 'rejected')
  })

  test.each([{}, { done: 'yes' }, { done: null, metadata: { state: 'NEW' } }])(
    '%p is still running',
    async body => {
      const { operation } = await pending(start(videoInput()))
      server.replies.poll = () => ({ body })
      expect((await poll(operation)).state).toBe('pending')
    },
  )

  test.each([
    ['error-rate-limited', 'rate_limited'],
    ['error-daily-quota', 'unknown_outcome'],
    ['error-permission-denied', 'unknown_outcome'],
    ['error-invalid-argument', 'unknown_outcome'],
    ['error-overloaded', 'unknown_outcome'],
  ] as const)('%s to a poll is no end', async (sample, kind) => {
    const { operation } = await pending(start(videoInput()))
    server.replies.poll = () => sample
    expect((await refusal(poll(operation))).kind).toBe(kind)
  })

  test('a gateway that finds nothing does not say that the operation is gone', async () => {
    const { operation } = await pending(start(videoInput()))
    server.replies.poll = () => ({ ...page, status: 404 })
    expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
  })

  test.each(['wrong-key', null, 'key\nwith a break'])(
    'a key that became %p does not end what runs',
    async apiKey => {
      const { operation } = await pending(start(videoInput()))
      changed = { apiKey }
      expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
    },
  )

  test('nor does a host that is not there', async () => {
    const { operation } = await pending(start(videoInput()))
    await server.close()
    expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
  })
})

describe('downloads', () => {
  async function polled(): Promise<StartResult> {
    const { operation } = await pending(start(videoInput()))
    return await poll(operation)
  }

  test('carry the key, through Google’s own redirect as well', async () => {
    server.redirects = 1
    expect(bytesOf(await done(polled()))).toEqual([MP4])
    expect(server.of('download').map(({ path }) => path)).toEqual([
      '/v1beta/files/abc123def456:download?alt=media',
      '/download/v1beta/files/abc123def456:download?alt=media',
    ])
    for (const { headers } of server.of('download')) expect(headers.get('x-goog-api-key')).toBe(KEY)
  })

  test('do not go round for ever', async () => {
    server.redirects = 9
    expect((await refusal(polled())).kind).toBe('unknown_outcome')
    expect(server.of('download')).toHaveLength(4)
  })

  test.each([
    'https://elsewhere.example/v1beta/files/a:download',
    'https://generativelanguage.googleapis.com.elsewhere.example/files/a',
    'http://127.0.0.1:1/v1beta/files/a',
    'file:///etc/passwd',
    'nonsense',
  ])('an address such as %s is not asked for', async uri => {
    const generatedSamples = [{ video: { uri } }]
    const body = { done: true, response: { generateVideoResponse: { generatedSamples } } }
    server.replies.poll = () => ({ body })
    const asked: string[] = []
    changed = {
      fetch(url, init) {
        asked.push(url)
        return fetch(url, init)
      },
    }
    expect((await refusal(polled())).kind).toBe('unavailable')
    expect(asked).not.toContain(uri)
  })

  /** The server answers, but for one address, which answers by itself. */
  function besides(address: string, serve: () => Response) {
    const seen: (string | undefined)[] = []
    changed = {
      async fetch(url, init) {
        if (url !== address) return await fetch(url, init)
        seen.push(init?.headers?.['x-goog-api-key'])
        return serve()
      },
    }
    return seen
  }

  test('that move to Google’s storage are followed without the key', async () => {
    const address = 'https://storage.googleapis.com/veo/a.mp4'
    server.video = () => new Response('', { status: 302, headers: { location: address } })
    const keys = besides(address, () => new Response(MP4.slice()))
    expect(bytesOf(await done(polled()))).toEqual([MP4])
    expect(keys).toEqual([undefined])
  })

  test('that move elsewhere are not followed', async () => {
    const address = 'https://elsewhere.example/a.mp4'
    server.video = () => new Response('', { status: 302, headers: { location: address } })
    const keys = besides(address, () => new Response(MP4.slice()))
    expect((await refusal(polled())).kind).toBe('unavailable')
    expect(keys).toEqual([])
  })

  test.each([
    [404, 'unavailable'],
    [410, 'unavailable'],
    [403, 'unknown_outcome'],
    [429, 'unknown_outcome'],
    [500, 'unknown_outcome'],
  ] as const)('a status %p is %s', async (status, kind) => {
    server.video = () => new Response('', { status })
    expect((await refusal(polled())).kind).toBe(kind)
  })

  test('that are gone cost themselves, and those that broke off are waited for', async () => {
    const { operation } = await pending(start(videoInput({ numOutputs: 3 })))
    const answers = (first: () => Response) => {
      const before = server.of('download').length
      server.video = () =>
        server.of('download').length === before + 1 ? first() : new Response(MP4.slice())
    }
    answers(() => new Response('', { status: 404 }))
    expect((await done(poll(operation))).outputs).toHaveLength(2)
    answers(() => new Response('', { status: 500 }))
    expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
  })

  test('that come empty or break off are asked for again', async () => {
    server.video = () => new Response('')
    expect((await refusal(polled())).kind).toBe('unknown_outcome')
    const address = `${server.baseUrl}/files/abc123def456:download?alt=media`
    const broken = (code: 'timeout' | 'too_large') => () =>
      new Response(
        new ReadableStream({ pull: stream => stream.error(new FetchFailure(code, true)) }),
      )
    besides(address, () => {
      throw new FetchFailure('dns_failed', false)
    })
    expect((await refusal(polled())).kind).toBe('unknown_outcome')
    besides(address, broken('timeout'))
    expect((await refusal(polled())).kind).toBe('unknown_outcome')
    besides(address, broken('too_large'))
    expect((await refusal(polled())).kind).toBe('unavailable')
  })
})

test('a download ends when we stop waiting, and its video is still there', async () => {
  const { operation } = await pending(start(videoInput()))
  const controller = new AbortController()
  const signals: (AbortSignal | undefined)[] = []
  server.video = () => {
    controller.abort()
    return new Response(MP4.slice())
  }
  changed = {
    signal: controller.signal,
    fetch(url, init) {
      signals.push(init?.signal)
      return fetch(url, init)
    },
  }
  expect((await refusal(poll(operation))).kind).toBe('unknown_outcome')
  expect(signals).toEqual([controller.signal, controller.signal])
})

describe('check', () => {
  const check = async () => await gemini().check?.(context(changed))

  test('is the shortest list of models', async () => {
    await check()
    expect(server.requests.map(({ path }) => path)).toEqual(['/v1beta/models?pageSize=1'])
  })

  test('says what is wrong', async () => {
    server.replies.models = () => 'error-rate-limited'
    expect((await refusal(check())).kind).toBe('rate_limited')
    changed = { apiKey: 'wrong-key' }
    expect((await refusal(check())).kind).toBe('unavailable')
    changed = { apiKey: null }
    expect((await refusal(check())).kind).toBe('unavailable')
    changed = { fetch: async () => new Response('<html>') }
    expect((await refusal(check())).kind).toBe('unknown_outcome')
  })

  test('goes to Google where nothing else is said', async () => {
    const asked: string[] = []
    const ctx = context({
      async fetch(url) {
        asked.push(url)
        return Response.json(await sampleBody('models'))
      },
    })
    await createGemini().check?.(ctx)
    expect(asked).toEqual(['https://generativelanguage.googleapis.com/v1beta/models?pageSize=1'])
  })
})
