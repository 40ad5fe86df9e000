import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { conformance, imageInput, providerContext, type Situation } from '@test/support/conformance'
import OpenAI from 'openai'
import { createSafeFetch } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createOpenai } from '@/providers/openai/openai'
import { OpenaiParams } from '@/providers/openai/params'
import type { Done, Output, Provider, ProviderContext, ProviderInput } from '@/providers/spec'
import { sample, sampleNames } from './samples'
import { type Answer, KEY, type OpenaiServer, openaiServer, type Seen } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const gateway = (status: number): Answer => ({ status, body: '<html>Bad gateway</html>' })

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch, apiKey: KEY, ...changes })
}

const HOSTILE: ProviderInput['params'] = {
  prompt: 'mine',
  model: 'mine',
  n: 10,
  stream: true,
  response_format: 'url',
  callback_url: 'https://mine.example',
  authorization: 'Bearer mine',
}

conformance(
  'openai',
  () => {
    const server = openaiServer()
    const planned: Partial<Record<Situation, Answer>> = {
      rejected: { sample: 'error-moderation' },
      rate_limited: { sample: 'error-rate-limit' },
      unavailable: { sample: 'error-no-quota' },
      unknown_outcome: gateway(504),
      hangs: 'hang',
    }
    return {
      provider: createOpenai({ baseUrl: server.baseUrl }),
      scenario(of) {
        const answer = planned[of]
        if (answer) server.next(answer)
        return {
          input: imageInput({
            providerModel: 'gpt-image-2',
            numOutputs: 2,
            params: of === 'hostile_params' ? HOSTILE : {},
          }),
          ctx: context(),
          ...(of === 'hangs' ? { underWay: server.underWay() } : {}),
        }
      },
      close: () => server.close(),
    }
  },
  { modes: ['sync'], can: ['check'], picturesInHand: true },
)

let server: OpenaiServer
let provider: Provider

beforeEach(() => {
  server = openaiServer()
  provider = createOpenai({ baseUrl: server.baseUrl })
})
afterEach(() => server.close())

async function start(
  changes: Partial<ProviderInput> = {},
  ctx: ProviderContext = context(),
): Promise<Done> {
  const input = imageInput({ providerModel: 'gpt-image-2', ...changes })
  const result = await provider.start(input, ctx)
  if (result.state !== 'done') throw new Error(result.state)
  return result
}

async function failure(act: Promise<unknown> | undefined): Promise<ProviderError> {
  const error: unknown = await Promise.resolve(act).catch(thrown => thrown)
  if (!(error instanceof ProviderError)) throw new Error(`no ProviderError: ${error}`)
  return error
}

const check = (ctx = context()) => provider.check?.(ctx)
const text = (changes: Partial<ProviderInput> = {}) =>
  start({ kind: 'text', providerModel: 'gpt-5-mini', aspectRatio: null, ...changes })

function only<T>(list: readonly T[]): T {
  const [first] = list
  if (list.length !== 1 || first === undefined) throw new Error(`${list.length} and not one`)
  return first
}

const sent = (): Seen => only(server.starts())

/** The text parts of a multipart body. */
const texts = ({ parts }: Seen) =>
  Object.fromEntries(
    parts.filter(({ value }) => typeof value === 'string').map(p => [p.name, p.value]),
  )
const files = ({ parts }: Seen) => parts.filter(({ value }) => typeof value !== 'string')

const REJECTED = { kind: 'rejected', reason: 'input' }
const CONTENT = { kind: 'rejected', reason: 'content' }
const UNAVAILABLE = { kind: 'unavailable', isPermanent: false }
/** Our account or our model's name: no second question helps. */
const FOR_GOOD = { kind: 'unavailable', isPermanent: true }
const picture = { type: 'file', contentType: null, bytes: expect.any(Uint8Array) }
const drawing = () => start()
const failing = (ask: () => Promise<unknown> | undefined) => () => failure(ask())

describe('each sample is', () => {
  const TAKEN: Record<string, { ask(): Promise<unknown>; as: object }> = {
    images: {
      ask: drawing,
      as: { outputs: [picture], usage: { inputTokens: 50, outputTokens: 4160 } },
    },
    'images-none': { ask: failing(drawing), as: UNAVAILABLE },
    chat: {
      ask: () => text(),
      as: {
        outputs: [{ type: 'text', text: 'Hello! How can I help you today?' }],
        usage: { inputTokens: 19, outputTokens: 9 },
      },
    },
    'chat-refused': { ask: failing(text), as: CONTENT },
    'chat-filtered': { ask: failing(text), as: CONTENT },
    'chat-cut-short': { ask: failing(text), as: REJECTED },
    models: { ask: async () => ({ passed: (await check()) ?? true }), as: { passed: true } },
    'error-moderation': { ask: failing(drawing), as: CONTENT },
    'error-content-policy': { ask: failing(drawing), as: CONTENT },
    'error-flagged-prompt': { ask: failing(text), as: CONTENT },
    'error-unknown-parameter': { ask: failing(drawing), as: REJECTED },
    'error-invalid-value': { ask: failing(drawing), as: REJECTED },
    'error-model-value': { ask: failing(drawing), as: FOR_GOOD },
    'error-invalid-key': { ask: failing(check), as: FOR_GOOD },
    'error-unverified': { ask: failing(drawing), as: FOR_GOOD },
    'error-unverified-400': { ask: failing(drawing), as: FOR_GOOD },
    'error-missing-scope': {
      ask: async () => ({ passed: (await check()) ?? true }),
      as: { passed: true },
    },
    'error-no-model': { ask: failing(drawing), as: FOR_GOOD },
    'error-rate-limit': {
      ask: failing(drawing),
      as: { kind: 'rate_limited', retryAfterMs: 11_500 },
    },
    'error-no-quota': { ask: failing(drawing), as: { ...FOR_GOOD, retryAfterMs: null } },
    'error-no-credit': { ask: failing(text), as: FOR_GOOD },
    'error-hard-limit': { ask: failing(drawing), as: FOR_GOOD },
    'error-server': { ask: failing(drawing), as: UNAVAILABLE },
    'error-overloaded': { ask: failing(drawing), as: UNAVAILABLE },
  }

  test('in this list', () => {
    expect(Object.keys(TAKEN).sort()).toEqual(sampleNames())
  })

  test.each(Object.entries(TAKEN))('%s', async (name, { ask, as }) => {
    server.next({ sample: name })
    expect(await ask()).toMatchObject(as)
    expect(server.seen).toHaveLength(1)
  })
})

describe('a picture from a text', () => {
  test('is asked for as the official client would', async () => {
    await start({
      aspectRatio: '16:9',
      numOutputs: 2,
      outputFormat: 'webp',
      extra: { quality: 'high' },
      params: { background: 'opaque', moderation: 'low', output_compression: 80 },
    })
    const client = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 })
    await client.images.generate({
      model: 'gpt-image-2',
      prompt: 'a lighthouse at dawn',
      n: 2,
      size: '1536x1024',
      quality: 'high',
      background: 'opaque',
      moderation: 'low',
      output_format: 'webp',
      output_compression: 80,
    })
    const [ours, theirs] = server.starts()
    expect(ours?.path).toBe('/v1/images/generations')
    expect(theirs?.path).toBe('/v1/images/generations')
    // The client says `stream: false`, which is the default.
    expect({ ...(ours?.json as object), stream: false }).toEqual({
      ...(theirs?.json as object),
      stream: false,
    })
    expect(ours?.headers.get('authorization')).toBe(theirs?.headers.get('authorization') ?? '')
  })

  test('is sent nothing that was not asked for', async () => {
    await start({ aspectRatio: null })
    expect(sent().json).toEqual({ model: 'gpt-image-2', prompt: 'a lighthouse at dawn', n: 1 })
  })

  test.each([
    ['1:1', '1024x1024'],
    ['3:2', '1536x1024'],
    ['16:9', '1536x1024'],
    ['21:9', '1536x1024'],
    ['4:3', '1536x1024'],
    ['6:5', '1024x1024'],
    ['5:6', '1024x1024'],
    ['3:4', '1024x1536'],
    ['9:16', '1024x1536'],
    ['0:1', 'auto'],
    ['1:0', 'auto'],
    ['match_input_image', 'auto'],
  ])('%s is the size %s', async (aspectRatio, size) => {
    await start({ aspectRatio })
    expect(sent().json).toMatchObject({ size })
  })

  test.each([
    ['1536x864', '1536x864'],
    [{ width: 2560, height: 1440 }, '2560x1440'],
    ['auto', 'auto'],
  ])('unless the route says %p', async (mapped, size) => {
    await start({ aspectRatio: '16:9', config: { aspect_ratios: { '16:9': mapped } } })
    expect(sent().json).toMatchObject({ size })
  })

  test('never sends what picture models refuse, whoever wants it', async () => {
    const refused = { response_format: 'url', style: 'vivid', seed: 7, negative_prompt: 'rain' }
    await start({
      extra: { ...refused, resolution: '4K' },
      config: {
        constants: { ...refused, stream: true, partial_images: 2, user: 'hub' },
        fields: { seed: 'seed', negative_prompt: 'negative_prompt' },
      },
    })
    expect(Object.keys(sent().json as object).sort()).toEqual([
      'model',
      'n',
      'prompt',
      'size',
      'user',
    ])
  })

  test("sends a field of the model's schema that the route names", async () => {
    await start({ extra: { person: 'u1' }, config: { fields: { person: 'user' } } })
    expect(sent().json).toMatchObject({ user: 'u1' })
  })

  test("the model's own field is stronger than the route's constant, which beats the caller's parameter", async () => {
    const config = { constants: { quality: 'low', background: 'auto' } }
    const params = { quality: 'high', background: 'opaque', moderation: 'low' }
    await start({ extra: { quality: 'medium' }, params, config })
    const as = { quality: 'medium', background: 'auto', moderation: 'low' }
    expect(sent().json).toMatchObject(as)
  })

  test('is asked for by the model without pictures', async () => {
    await start({ config: { with_images_model: 'gpt-image-2-edit' } })
    expect(sent().json).toMatchObject({ model: 'gpt-image-2' })
  })

  test('needs a prompt, but for one that the route brings', async () => {
    expect(await failure(start({ prompt: null }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
    await start({ prompt: null, config: { constants: { prompt: 'a cat' } } })
    expect(sent().json).toMatchObject({ prompt: 'a cat' })
  })

  test('comes as bytes', async () => {
    const { outputs } = await start()
    const { data } = sample('images').body as { data: [{ b64_json: string }] }
    expect(bytesOf(only(outputs))).toEqual(Uint8Array.fromBase64(data[0].b64_json))
  })

  test.each(['not base64!', '', null])('that is %p is none', async b64_json => {
    const good = (sample('images').body as { data: object[] }).data
    server.next({ status: 200, body: JSON.stringify({ data: [{ b64_json }, ...good] }) })
    expect((await start({ numOutputs: 2 })).outputs).toHaveLength(1)
    server.next({ status: 200, body: JSON.stringify({ data: [{ b64_json }] }) })
    expect(await failure(start())).toMatchObject(UNAVAILABLE)
  })
})

describe('a picture from pictures', () => {
  test('is asked for as the official client would', async () => {
    const extra = { quality: 'low', mask: server.pictureUrl('cat.png') }
    await start({
      kind: 'image_edit',
      images: ['cat.png', 'dog.jpeg', 'owl.webp'].map(server.pictureUrl),
      numOutputs: 2,
      outputFormat: 'jpeg',
      extra,
      params: { input_fidelity: 'high', moderation: 'low' },
    })
    const client = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 })
    const file = (name: string, type: string, size: number) =>
      new File([new Uint8Array(size)], name, { type })
    const [ours] = server.starts()
    const sizes = files(ours as Seen).map(({ value }) => (value as { size: number }).size)
    await client.images.edit({
      model: 'gpt-image-2',
      prompt: 'a lighthouse at dawn',
      n: 2,
      size: '1024x1024',
      quality: 'low',
      output_format: 'jpeg',
      input_fidelity: 'high',
      image: [
        file('image-0.png', 'image/png', sizes[0] ?? 0),
        file('image-1.jpeg', 'image/jpeg', sizes[1] ?? 0),
        file('image-2.webp', 'image/webp', sizes[2] ?? 0),
      ],
      mask: file('mask.png', 'image/png', sizes[3] ?? 0),
    })
    const [, theirs] = server.starts()
    expect(ours?.path).toBe('/v1/images/edits')
    const inOrder = (call: Seen | undefined) =>
      call?.parts
        .filter(({ name }) => name !== 'stream')
        .map(part => JSON.stringify(part))
        .sort()
    expect(inOrder(ours)).toEqual(inOrder(theirs) ?? [])
    expect(sizes.every(size => size > 0)).toBe(true)
  })

  test('is an edit whatever the kind, by the model that the route names for it', async () => {
    const images = [server.pictureUrl('cat.png')]
    await start({ images, config: { with_images_model: 'gpt-image-2-edit' } })
    expect(sent().path).toBe('/v1/images/edits')
    expect(texts(sent())).toMatchObject({ model: 'gpt-image-2-edit', n: '1', size: '1024x1024' })
    expect(files(sent())).toEqual([
      { name: 'image[]', value: { filename: 'image-0.png', type: 'image/png', size: 70 } },
    ])
  })

  test('fetches each picture once, without the key, however many calls follow', async () => {
    const images = [server.pictureUrl('cat.png')]
    const { outputs } = await start({ images, numOutputs: 3, config: { outputs_per_call: 1 } })
    expect(outputs).toHaveLength(3)
    expect(server.starts()).toHaveLength(3)
    const fetched = only(server.seen.filter(({ path }) => path.startsWith('/pictures/')))
    expect(fetched.headers.has('authorization')).toBe(false)
  })

  test.each([
    ['is gone', 'gone.png'],
    ['is no picture', 'page.png'],
    ['is larger than 20 MB', 'huge.png'],
  ])('is refused when one %s, and nothing is started', async (_, name) => {
    const images = [server.pictureUrl('cat.png'), server.pictureUrl(name)]
    expect(await failure(start({ images }))).toMatchObject(REJECTED)
    expect(server.starts()).toEqual([])
  })

  test('is refused when its host is private, or down: this vendor has nothing to do with it', async () => {
    const strict = context({ fetch: createSafeFetch({ allowPrivate: [] }) })
    const images = [server.pictureUrl('cat.png')]
    expect(await failure(start({ images }, strict))).toMatchObject(REJECTED)
    const down = () => Promise.reject(new TypeError('no route to host'))
    expect(await failure(start({ images }, context({ fetch: down })))).toMatchObject(REJECTED)
  })

  test('an abort while a picture is fetched is not the fault of the caller', async () => {
    const controller = new AbortController()
    const ctx = context({
      signal: controller.signal,
      fetch: async () => {
        controller.abort()
        throw new TypeError('aborted')
      },
    })
    const images = ['https://slow.example/cat.png']
    expect(await failure(start({ images }, ctx))).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('without a prompt fetches nothing', async () => {
    const images = [server.pictureUrl('cat.png')]
    expect(await failure(start({ images, prompt: null }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
  })

  test('needs one', async () => {
    expect(await failure(start({ kind: 'image_edit' }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
  })
})

describe('several outputs', () => {
  test('are one call, or as many as the route says', async () => {
    await start({ numOutputs: 4 })
    await start({ numOutputs: 4, config: { outputs_per_call: 3 } })
    const counts = server.starts().map(({ json }) => (json as { n: number }).n)
    expect(counts[0]).toBe(4)
    expect(counts.slice(1).sort()).toEqual([1, 3])
  })

  test('what some calls made is kept when others fail', async () => {
    server.next({ sample: 'error-rate-limit' }, { sample: 'error-moderation' })
    const config = { outputs_per_call: 1, cost: { per_output: 9_000 } }
    const { outputs, usage } = await start({ numOutputs: 3, config })
    expect(outputs).toHaveLength(1)
    expect(usage).toEqual({ inputTokens: 50, outputTokens: 4160, costMicroUsd: 9_000 })
  })

  test('tokens and cost are those of all calls', async () => {
    const config = { outputs_per_call: 1, cost: { per_output: 9_000, per_call: 1 } }
    const { usage } = await start({ numOutputs: 2, config })
    expect(usage).toEqual({ inputTokens: 100, outputTokens: 8320, costMicroUsd: 18_002 })
  })

  test.each<[string[], object]>([
    [['error-overloaded', 'error-moderation'], CONTENT],
    [['error-rate-limit', 'error-overloaded'], UNAVAILABLE],
    [['error-overloaded', 'error-hard-limit'], FOR_GOOD],
    [['504', 'error-rate-limit'], { kind: 'unknown_outcome' }],
    [['504', 'error-invalid-value'], REJECTED],
  ])('when all fail, as %p, one speaks for all', async (answers, as) => {
    server.next(...answers.map(name => (name === '504' ? gateway(504) : { sample: name })))
    const config = { outputs_per_call: 1 }
    expect(await failure(start({ numOutputs: 2, config }))).toMatchObject(as)
  })

  test('never more than asked', async () => {
    const { data } = sample('images').body as { data: [object] }
    server.next({ status: 200, body: JSON.stringify({ data: [data[0], data[0], data[0]] }) })
    expect((await start({ numOutputs: 2 })).outputs).toHaveLength(2)
  })
})

describe('texts', () => {
  test('are asked for as the official client would', async () => {
    await text({
      prompt: 'Hello',
      numOutputs: 2,
      extra: { max_output_tokens: 64 },
      params: { temperature: 0.5, top_p: 0.9, reasoning_effort: 'low', verbosity: 'low' },
    })
    const client = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 })
    await client.chat.completions.create({
      model: 'gpt-5-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      n: 2,
      max_completion_tokens: 64,
      temperature: 0.5,
      top_p: 0.9,
      reasoning_effort: 'low',
      verbosity: 'low',
    })
    const [ours, theirs] = server.starts()
    expect(ours?.path).toBe('/v1/chat/completions')
    expect(ours?.json).toEqual(theirs?.json)
  })

  test('are sent nothing that was not asked for', async () => {
    await text({ prompt: 'Hello', extra: { seed: 7, quality: 'high' }, outputFormat: 'png' })
    expect(sent().json).toEqual({
      model: 'gpt-5-mini',
      messages: [{ role: 'user', content: 'Hello' }],
    })
  })

  test('about pictures name their addresses', async () => {
    await text({ prompt: 'What is this?', images: ['https://example.com/cat.png'] })
    expect(sent().json).toMatchObject({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } },
          ],
        },
      ],
    })
  })

  test('are as many as asked, in one call', async () => {
    expect((await text({ numOutputs: 3 })).outputs).toHaveLength(3)
    expect(server.starts()).toHaveLength(1)
  })

  test('cost what the route says', async () => {
    const { usage } = await text({ config: { cost: { per_call: 40 } } })
    expect(usage).toEqual({ inputTokens: 19, outputTokens: 9, costMicroUsd: 40 })
  })

  test('one choice that was refused does not spoil the other', async () => {
    const { choices } = sample('chat').body as { choices: [object] }
    const refused = (sample('chat-refused').body as { choices: [object] }).choices
    server.next({ status: 200, body: JSON.stringify({ choices: [...refused, ...choices] }) })
    expect((await text({ numOutputs: 2 })).outputs).toHaveLength(1)
  })

  test('an empty one without a reason lets another vendor try', async () => {
    const empty = { finish_reason: 'stop', message: { content: ' ' } }
    server.next({ status: 200, body: JSON.stringify({ choices: [empty] }) })
    expect(await failure(text())).toMatchObject(UNAVAILABLE)
  })

  test('need a prompt', async () => {
    expect(await failure(text({ prompt: null }))).toMatchObject(REJECTED)
  })
})

describe('parameters', () => {
  test.each([
    { prompt: 'mine' },
    { model: 'mine' },
    { n: 4 },
    { size: '3840x2160' },
    { stream: true },
    { seed: 1 },
    { callback_url: 'https://mine.example' },
    { quality: 7 },
    { moderation: 'off' },
    { output_compression: 101 },
    { temperature: 3 },
  ])('%p is refused, at submit and here', async params => {
    expect(OpenaiParams.safeParse(params).success).toBe(false)
    expect(await failure(start({ params }))).toMatchObject(REJECTED)
    expect(server.seen).toEqual([])
  })

  test.each(['video', 'upscale', 'music'])('%s is not made here', async kind => {
    expect(await failure(start({ kind }))).toMatchObject(REJECTED)
  })
})

describe('failures on the way', () => {
  test('nobody listens: surely not started', async () => {
    await server.close()
    expect(await failure(start())).toMatchObject(UNAVAILABLE)
  })

  test('the vendor goes down with the call in its hands: it may have started', async () => {
    server.next('crash')
    expect(await failure(start())).toMatchObject({ kind: 'unknown_outcome' })
  })

  test.each([408, 502, 504])('a gateway page with %d says nothing of the call', async status => {
    server.next(gateway(status))
    expect(await failure(start())).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('an error inside an answer of status 200 is one', async () => {
    server.next({ status: 200, body: JSON.stringify(sample('error-moderation').body) })
    expect(await failure(start())).toMatchObject(CONTENT)
  })

  test('without a key nothing is sent', async () => {
    expect(await failure(start({}, context({ apiKey: null })))).toMatchObject(FOR_GOOD)
    expect(await failure(check(context({ apiKey: null })))).toMatchObject(FOR_GOOD)
    expect(server.seen).toEqual([])
  })

  test('a key that the vendor quotes reaches no log', async () => {
    const error = { message: `Bad key ${KEY}`, type: 'x', code: 'slow_down', param: null }
    const headers = { 'retry-after': '3' }
    server.next({ status: 429, body: JSON.stringify({ error }), headers })
    const told = await failure(start())
    expect(told.message).not.toContain(KEY)
    expect(told).toMatchObject({ kind: 'rate_limited', retryAfterMs: 3_000 })
  })

  test("the vendor's number of the request is in the message, for its support", async () => {
    server.next({ sample: 'error-moderation' })
    expect((await failure(start())).message).toContain('req_b68e1d8f')
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
      if (url.startsWith(server.baseUrl)) waits.push(init?.timeoutMs)
      return fetch(url, init)
    }
    const ctx = context({ fetch: watching })
    const hurried = { ...ctx, deadlineMs: ctx.nowMs + left }
    await start({}, hurried)
    await start({ images: [server.pictureUrl('cat.png')] }, hurried)
    await start({ kind: 'text', providerModel: 'gpt-5-mini', aspectRatio: null }, hurried)
    expect(waits).toEqual([timeoutMs, timeoutMs, timeoutMs])
  })
})

describe('the check of a key', () => {
  test('asks for the models, which costs nothing', async () => {
    await check()
    expect(only(server.seen)).toMatchObject({ method: 'GET', path: '/v1/models' })
  })

  test('a wrong key, a full vendor, a page of somebody else', async () => {
    expect(await failure(check(context({ apiKey: 'sk-wrong' })))).toMatchObject(FOR_GOOD)
    server.next({ sample: 'error-rate-limit' })
    expect(await failure(check())).toMatchObject({ kind: 'rate_limited' })
    server.next({ status: 200, body: '<html>Welcome to the hotel</html>' })
    expect(await failure(check())).toMatchObject({ kind: 'unknown_outcome' })
  })
})

test('the vendor is asked at its own address unless told otherwise', async () => {
  const urls: string[] = []
  const ctx = context({
    fetch: async url => {
      urls.push(url)
      return Response.json(sample('images').body)
    },
  })
  await createOpenai().start(imageInput(), ctx)
  expect(urls).toEqual(['https://api.openai.com/v1/images/generations'])
})

function bytesOf(output: Output): Uint8Array {
  if (output.type !== 'file' || !('bytes' in output)) throw new Error('no bytes')
  return output.bytes
}
