import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  conformance,
  imageInput,
  providerContext,
  type Scenario,
  type Situation,
} from '@test/support/conformance'
import { Webhook } from 'standardwebhooks'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createReplicate } from '@/providers/replicate/replicate'
import type {
  Done,
  Operation,
  Pending,
  Provider,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { sample } from './samples'
import { problem, type ReplicateServer, replicateServer } from './server'

const VERSION = '5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa'
const FLUX = 'black-forest-labs/flux-schnell'
const CALLBACK = 'https://hub.example/callbacks/replicate/att_conformance/the-token'
const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })

function contextOf(server: ReplicateServer, changes: Partial<ProviderContext> = {}) {
  return providerContext({ fetch, apiKey: server.key, callbackUrl: CALLBACK, ...changes })
}

conformance(
  'replicate',
  () => {
    const server = replicateServer()
    const make = () => createReplicate({ baseUrl: server.baseUrl })
    return {
      provider: make(),
      restart: make,
      scenario: of => scenario(server, of),
      async callback() {
        const ctx = contextOf(server)
        server.planAtOnce('prediction-succeeded-one')
        await make().start(imageInput({ providerModel: FLUX }), ctx)
        const signed = server.signed(server.ids()[0] ?? '', ctx.nowMs)
        const eventId = signed.headers.get('webhook-id') ?? ''
        return { ...signed, ctx, hint: { eventId, isFinal: true } }
      },
      close: () => server.close(),
    }
  },
  { modes: ['async'], can: ['cancel', 'parseCallback', 'find', 'check'], picturesInHand: true },
)

function scenario(server: ReplicateServer, of: Situation): Scenario {
  const whole: Scenario = {
    input: imageInput({ providerModel: FLUX }),
    ctx: contextOf(server),
  }
  switch (of) {
    case 'rejected':
      server.answer('create', () => problem(422, 'error-422-input'))
      return whole
    case 'rate_limited':
      server.answer('create', () => problem(429, 'error-429'))
      return whole
    case 'unavailable':
      server.answer('create', () => problem(402, 'error-402'))
      return whole
    case 'unknown_outcome':
      server.answer('create', () => new Response('<html>502</html>', { status: 502 }))
      return whole
    case 'rejected_later':
      server.plan('prediction-processing', 'prediction-failed-content')
      return whole
    case 'unavailable_later':
      server.plan('prediction-processing', 'prediction-failed-start')
      return whole
    case 'hangs':
      return { ...whole, underWay: server.hang('create') }
    case 'hostile_params': {
      const params = { prompt: 'mine', model: 'mine', version: 'mine', webhook: 'https://mine' }
      return { ...whole, input: { ...whole.input, params: { ...params, openai_api_key: 'mine' } } }
    }
    default:
      return whole
  }
}

let server: ReplicateServer
let provider: Provider

beforeEach(() => {
  server = replicateServer()
  provider = createReplicate({ baseUrl: server.baseUrl })
})

afterEach(async () => {
  await server.close()
})

function start(changes: Partial<ProviderInput> = {}, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: FLUX, ...changes })
  return provider.start(input, contextOf(server, ctx))
}

async function poll(operation: Operation, ctx: Partial<ProviderContext> = {}) {
  const result = await provider.poll?.(operation, contextOf(server, ctx))
  if (!result) throw new Error('it cannot be polled')
  return result
}

function pending(result: StartResult): Pending {
  if (result.state !== 'pending') throw new Error(`${result.state} is not pending`)
  return result
}

function done(result: StartResult): Done {
  if (result.state !== 'done') throw new Error(`${result.state} is not done`)
  return result
}

async function errorOf(promise: Promise<unknown> | undefined): Promise<ProviderError> {
  const error = await promise?.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof ProviderError) return error
  throw new Error(`no ProviderError but ${error}`)
}

/** Starts with what the next prediction becomes, and asks until it has become it. */
async function outcome(steps: string[], changes: Partial<ProviderInput> = {}): Promise<Done> {
  server.plan(...steps)
  const { operation } = pending(await start(changes))
  for (const _ of steps.slice(1)) pending(await poll(operation))
  return done(await poll(operation))
}

function sent(): { input: Record<string, unknown>; [key: string]: unknown } {
  return JSON.parse(server.seen.at(-1)?.body ?? '')
}

describe('what is asked for', () => {
  test('an official model, a version and a deployment', async () => {
    await start({ params: { seed: 7 }, extra: { negative_prompt: 'fog' } })
    expect(server.seen.at(-1)?.path).toBe(`/models/${FLUX}/predictions`)
    expect(sent()).toEqual({
      input: {
        seed: 7,
        negative_prompt: 'fog',
        prompt: 'a lighthouse at dawn',
        aspect_ratio: '1:1',
      },
      webhook: CALLBACK,
      webhook_events_filter: ['completed'],
    })
    await start({ providerModel: `stability-ai/sdxl:${VERSION}` }, { callbackUrl: null })
    expect(server.seen.at(-1)?.path).toBe('/predictions')
    expect(sent()).toEqual({
      version: VERSION,
      input: { prompt: 'a lighthouse at dawn', aspect_ratio: '1:1' },
    })
    await start({ providerModel: 'deployments/acme/portraits' })
    expect(server.seen.at(-1)?.path).toBe('/deployments/acme/portraits/predictions')
    expect(server.counts.create).toBe(3)
  })

  test('by the route: another model for pictures, names, lists, constants', async () => {
    await start({
      kind: 'image_edit',
      images: ['https://x.example/1.png', 'https://x.example/2.png'],
      outputFormat: 'jpeg',
      config: {
        with_images_model: 'google/nano-banana',
        fields: { images: 'image_input[]', aspect_ratio: null },
        constants: { safety_filter_level: 'block_only_high' },
      },
    })
    expect(server.seen.at(-1)?.path).toBe('/models/google/nano-banana/predictions')
    expect(sent().input).toEqual({
      prompt: 'a lighthouse at dawn',
      image_input: ['https://x.example/1.png', 'https://x.example/2.png'],
      output_format: 'jpg',
      safety_filter_level: 'block_only_high',
    })
    const outputFormat = 'jpeg'
    await start({ outputFormat, config: { output_formats: { jpeg: 'jpeg' } } })
    expect(sent().input).toMatchObject({ output_format: 'jpeg' })
  })

  test('several at once where the model can, else by several predictions', async () => {
    await start({ numOutputs: 4 })
    expect(sent().input).toMatchObject({ num_outputs: 4 })
    await start({ numOutputs: 1, config: { fields: { num_outputs: 'max_images' } } })
    expect(sent().input).toMatchObject({ max_images: 1 })
    const config = { outputs_per_call: 2 }
    const { operation } = pending(await start({ numOutputs: 5, config }))
    expect(operation).toMatchObject({ predictions: { length: 3 } })
    const counts = server.seen.slice(-3).map(({ body }) => JSON.parse(body).input.num_outputs)
    expect(counts).toEqual([2, 2, undefined])
    pending(await poll(operation))
    expect(done(await poll(operation)).outputs.length).toBe(5)
  })

  test('several predictions with one seed do not make the same picture', async () => {
    const config = { outputs_per_call: 2 }
    await start({ numOutputs: 5, config, extra: { seed: 7 } })
    await start({ numOutputs: 2, config: { outputs_per_call: 1 }, params: { seed: 40 } })
    const seeds = server.seen.map(({ body }) => JSON.parse(body).input.seed)
    expect(seeds).toEqual([7, 8, 9, 40, 41])
  })

  test('other names where there are pictures', async () => {
    const config = {
      fields: { images: 'image' },
      with_images_fields: { images: 'images[]', aspect_ratio: null, num_outputs: 'count' },
    }
    const images = ['https://x.example/1.png']
    await start({ images, config })
    expect(sent().input).toEqual({ prompt: 'a lighthouse at dawn', images, count: 1 })
    const error = await errorOf(start({ images, config, params: { count: 9 } }))
    expect(error).toMatchObject({ kind: 'rejected' })
  })

  test('it is never waited for, and never goes on for hours', async () => {
    const limitOf = async (changes: Partial<ProviderInput>, ms: number) => {
      await start(changes, { deadlineMs: contextOf(server).nowMs + ms })
      return server.seen.at(-1)?.headers.get('cancel-after')
    }
    expect(await limitOf({}, 600_000)).toBe('15m')
    expect(await limitOf({}, 59_001)).toBe('6m')
    expect(await limitOf({}, -1)).toBe('5m')
    const film = { kind: 'video', extra: { duration_seconds: 5 } }
    expect(await limitOf(film, 1_800_000)).toBe('35m')
    expect(sent().input).toMatchObject({ duration: 5 })
    expect(server.seen.some(({ headers }) => headers.has('prefer'))).toBe(false)
  })

  test.each([
    'flux',
    'https://elsewhere.example/x',
    'a/b/c',
    '../account/x',
    'a/..',
    'deployments/a',
    'deployments/a/b/c',
    'a/b:../x',
    `a/b?x:${VERSION}`,
  ])('%p is no model, and nothing is sent', async providerModel => {
    const found = await start({ providerModel }).catch((error: unknown) => error)
    if (providerModel === 'deployments/a') {
      // Has the form of a model of somebody who is called so; the vendor knows none.
      return expect(server.seen[0]?.path).toBe('/models/deployments/a/predictions')
    }
    expect(found).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(server.seen).toEqual([])
  })

  test('a kind that it does not make', async () => {
    expect(await errorOf(start({ kind: 'training' }))).toMatchObject({ kind: 'rejected' })
    expect(server.seen).toEqual([])
  })
})

describe("the caller's parameters", () => {
  test.each([
    'num_outputs',
    'max_images',
    'duration',
    'resolution',
    'num_inference_steps',
    'openai_api_key',
    'hf_token',
    'wandb_api_key',
    'webhook',
    'webhook_events_filter',
    'callback_url',
    'disable_safety_checker',
    'safety_tolerance',
    'prompt',
    'aspect_ratio',
    'output_format',
    'go_fast',
    'input_image',
  ])('%p is not theirs', async name => {
    const config = { constants: { go_fast: true }, fields: { images: 'input_image' } }
    const error = await errorOf(start({ params: { [name]: 'mine' }, config }))
    expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(error.message).toContain(name)
    expect(server.seen).toEqual([])
  })

  test('nor is the picture, whatever the model calls it', async () => {
    expect(await errorOf(start({ params: { image: 'mine' } }))).toMatchObject({ kind: 'rejected' })
    const config = { fields: { images: 'image_input[]' } }
    const error = await errorOf(start({ params: { image_input: ['mine'] }, config }))
    expect(error).toMatchObject({ kind: 'rejected' })
    expect(server.seen).toEqual([])
  })

  test.each(['seed', 'guidance', 'output_quality', 'lora_weights', 'style_type', 'top_k'])(
    '%p goes to the model',
    async name => {
      expect(provider.params?.safeParse({ [name]: 1 }).success).toBe(true)
      await start({ params: { [name]: 1 } })
      expect(sent().input).toMatchObject({ [name]: 1 })
    },
  )

  test('what is refused is refused at submit too', () => {
    expect(provider.params?.safeParse({ num_outputs: 4 }).success).toBe(false)
    expect(provider.params?.safeParse({ openai_api_key: 'x' }).success).toBe(false)
    expect(provider.params?.safeParse({ disable_safety_checker: true }).success).toBe(false)
  })
})

describe('what comes of it', () => {
  test('a list, one address, an object, bytes', async () => {
    const list = sample<{ output: string[] }>('prediction-succeeded-list').output
    const files = (urls: string[]) => urls.map(url => ({ type: 'file', url, contentType: null }))
    const two = await outcome(['prediction-succeeded-list'], { numOutputs: 2 })
    expect(two.outputs).toEqual(files(list) as Done['outputs'])
    const one = sample<{ output: string }>('prediction-succeeded-one').output
    expect((await outcome(['prediction-succeeded-one'])).outputs).toEqual(
      files([one]) as Done['outputs'],
    )
    const object = await outcome(['prediction-succeeded-object'])
    expect(object.outputs).toMatchObject([{ url: expect.stringContaining('/object/out-0.png') }])
    const inline = await outcome(['prediction-succeeded-inline'])
    expect(inline.outputs).toMatchObject([{ type: 'file', contentType: null }])
    const [output] = inline.outputs
    if (output?.type !== 'file' || !('bytes' in output)) throw new Error('no bytes')
    expect(await new Bun.Image(output.bytes).metadata()).toMatchObject({ format: 'png', width: 1 })
  })

  test('what is broken, empty or too deep is left', async () => {
    const url = 'https://replicate.delivery/xezq/one/out-0.webp'
    const odd = ['data:image/png;base64,%%%', 'data:image/png;base64,', 'data:,plain', 'data:']
    server.distort({ output: [...odd, '', [url], [[[[url]]]], { a: { b: { c: { d: url } } } }] })
    const { outputs } = await outcome(['prediction-succeeded-one'], { numOutputs: 9 })
    expect(outputs).toEqual([{ type: 'file', url, contentType: null }])
  })

  test('a language model that answers an object, or nothing', async () => {
    const changes = { kind: 'text', providerModel: 'meta/llama' }
    server.distort({ output: { answer: 42 } })
    const { outputs } = await outcome(['prediction-succeeded-text'], changes)
    expect(outputs).toEqual([{ type: 'json', value: { answer: 42 } }])
    for (const output of [null, '', [' ', '\n'], []]) {
      server.distort({ output })
      const error = await errorOf(outcome(['prediction-succeeded-text'], changes))
      expect(error.kind).toBe('unavailable')
    }
  })

  test('more than was asked for is left', async () => {
    server.plan('prediction-succeeded-list')
    const { operation } = pending(await start({ numOutputs: 1 }))
    expect(done(await poll(operation)).outputs.length).toBe(1)
  })

  test.each([['prediction-succeeded-text'], ['prediction-succeeded-pieces']])(
    '%p of a language model is one text',
    async step => {
      const { outputs } = await outcome([step], { kind: 'text', providerModel: 'meta/llama' })
      expect(outputs.length).toBe(1)
      expect(outputs[0]).toMatchObject({
        type: 'text',
        text: expect.stringMatching(/^hello Alice$/i),
      })
    },
  )

  test('a text is no picture, and a plain address none either', async () => {
    server.plan('prediction-succeeded-text')
    const text = pending(await start())
    expect(await errorOf(poll(text.operation))).toMatchObject({ kind: 'unavailable' })
    server.distort({ output: ['http://replicate.delivery/x.png', 'file:///etc/passwd', 7, null] })
    expect(await errorOf(poll(text.operation))).toMatchObject({ kind: 'unavailable' })
  })

  test('the seconds that the vendor measured', async () => {
    const { usage } = await outcome(['prediction-succeeded-one'])
    expect(usage).toEqual({ seconds: 2.5 })
  })

  test('the cost by the rates of the route', async () => {
    const costOf = async (
      steps: string[],
      cost: NonNullable<ProviderInput['config']['cost']>,
      changes: Partial<ProviderInput> = {},
    ) => (await outcome(steps, { ...changes, config: { cost } })).usage?.costMicroUsd
    const one = ['prediction-succeeded-one']
    expect(await costOf(one, { per_output: 40_000 })).toBe(40_000)
    expect(await costOf(one, { per_second: 1_000 })).toBe(2_500)
    expect(await costOf(one, { per_call: 7, per_output: 3 })).toBe(10)
    const video = { kind: 'video', extra: { duration_seconds: 10 } }
    expect(await costOf(one, { per_second: 50_000 }, video)).toBe(500_000)
    const two = ['prediction-succeeded-list']
    expect(await costOf(two, { per_output: 3_000 }, { numOutputs: 2 })).toBe(6_000)
  })

  test('what was cancelled costs the time of the machine, where that is what is paid', async () => {
    const costOf = async (
      step: string,
      cost: NonNullable<ProviderInput['config']['cost']>,
      changes: Partial<ProviderInput> = {},
    ) => (await errorOf(outcome([step], { ...changes, config: { cost } }))).costMicroUsd
    server.distort({ metrics: { predict_time: 4 } })
    expect(await costOf('prediction-canceled', { per_second: 1_000, per_output: 9 })).toBe(4_000)
    expect(await costOf('prediction-canceled', { per_output: 9 })).toBeNull()
    const film = { kind: 'video', extra: { duration_seconds: 5 } }
    expect(await costOf('prediction-canceled', { per_second: 1_000 }, film)).toBeNull()
    expect(await costOf('prediction-failed-start', { per_second: 1_000 })).toBeNull()
    server.distort({ metrics: null })
    expect(await costOf('prediction-canceled', { per_second: 1_000 })).toBeNull()
  })

  test('what was removed before it was fetched is lost', async () => {
    server.plan('prediction-data-removed')
    const { operation } = pending(await start())
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'unavailable' })
  })
})

describe('what goes wrong at the vendor', () => {
  test.each([
    ['prediction-failed-content', 'rejected', 'content'],
    ['prediction-succeeded-nothing', 'rejected', 'content'],
    ['prediction-failed-memory', 'rejected', 'input'],
    ['prediction-failed-start', 'unavailable', 'input'],
    ['prediction-canceled', 'unavailable', 'input'],
    ['prediction-aborted', 'unavailable', 'input'],
  ])('%p is %p (%p)', async (step, kind, reason) => {
    server.plan(step)
    const { operation } = pending(await start())
    expect(await errorOf(poll(operation))).toMatchObject({ kind, reason } as object)
    server.planAtOnce(step)
    expect(await errorOf(start())).toMatchObject({ kind, reason } as object)
  })

  test.each([
    [401, 'error-401', 'unavailable'],
    [402, 'error-402', 'unavailable'],
    [404, 'error-404', 'unavailable'],
    [422, 'error-422-input', 'rejected'],
    [422, 'error-422-version', 'unavailable'],
    [422, 'error-422-body', 'unavailable'],
    [429, 'error-429', 'rate_limited'],
    [500, 'error-404', 'unknown_outcome'],
    [503, 'error-404', 'unknown_outcome'],
  ])('a creation answered by %p %p is %p', async (status, name, kind) => {
    server.answer('create', () => problem(status, name))
    const isPermanent = kind === 'unavailable' || kind === 'rejected'
    expect(await errorOf(start())).toMatchObject({ kind, isPermanent } as object)
  })

  test.each([
    ['error-429', {}, 1_000],
    ['error-429-newer', {}, 30_000],
    ['error-429-newer', { 'retry-after': '7' }, 7_000],
    ['error-401', {}, 5_000],
  ])('%p with %p is to be tried after %p ms', async (name, headers, retryAfterMs) => {
    server.answer('create', () => problem(429, name, headers))
    const error = await errorOf(start())
    expect([error.kind, error.retryAfterMs]).toEqual(['rate_limited', retryAfterMs])
  })

  test('a name that cannot be resolved: nothing began, and nothing ended', async () => {
    const { operation } = pending(await start())
    const unreachable = () => Promise.reject(new FetchFailure('dns_failed', false))
    const nobody = { fetch: unreachable }
    expect(await errorOf(start({}, nobody))).toMatchObject({ kind: 'unavailable' })
    expect(await errorOf(poll(operation, nobody))).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('who stops listening does not know, and begins nothing after that', async () => {
    let calls = 0
    const controller = new AbortController()
    const { signal } = controller
    const { promise: called, resolve: arrive } = Promise.withResolvers<void>()
    const late: ProviderContext['fetch'] = () => {
      calls++
      arrive()
      const { promise, reject } = Promise.withResolvers<Response>()
      signal.addEventListener('abort', () => reject(new FetchFailure('aborted', false)))
      return promise
    }
    const ctx = { fetch: late, signal }
    const failed = errorOf(start({}, ctx))
    await called
    controller.abort()
    expect(await failed).toMatchObject({ kind: 'unknown_outcome' })
    expect(await errorOf(start({}, ctx))).toMatchObject({ kind: 'unknown_outcome' })
    expect(calls).toBe(1)
  })

  test.each([401, 403, 429, 500, 503])('a %p to a look is not the end', async status => {
    const { operation } = pending(await start())
    server.answer('get', () => Response.json({}, { status }))
    const kind = status === 429 ? 'rate_limited' : 'unknown_outcome'
    expect(await errorOf(poll(operation))).toMatchObject({ kind } as object)
  })

  test('what the vendor does not know any more is the end', async () => {
    const { operation } = pending(await start())
    server.answer('get', () => problem(404, 'error-404'))
    const gone = { kind: 'unavailable', isPermanent: false } as const
    expect(await errorOf(poll(operation))).toMatchObject(gone)
  })

  test('a status that nobody knows goes on', async () => {
    const { operation } = pending(await start())
    server.distort({ status: 'rethinking' })
    expect((await poll(operation)).state).toBe('pending')
  })

  test('of an answer that cannot be read nothing is kept', async () => {
    const { operation } = pending(await start())
    server.distort({ status: 7 })
    for (const error of [await errorOf(start()), await errorOf(poll(operation))]) {
      expect(error.kind).toBe('unknown_outcome')
      expect(error.message).not.toContain('the-token')
      expect(error.message).not.toContain('lighthouse')
    }
  })

  test('an answer with nothing but what is needed is enough', async () => {
    server.answer('create', () => Response.json({ id: 'bare', status: 'starting' }))
    const { operation } = pending(await start())
    expect(operation).toMatchObject({
      predictions: [{ id: 'bare', get: `${server.baseUrl}/predictions/bare` }],
    })
    server.answer('get', () => Response.json({ id: 'bare', status: 'processing', logs: 7 }))
    expect((await poll(operation)).state).toBe('pending')
  })
})

describe('several predictions', () => {
  const three = { numOutputs: 3, config: { outputs_per_call: 1, cost: { per_output: 10 } } }

  test('some are enough, and only those are paid', async () => {
    server.answer('create', () => problem(429, 'error-429'))
    server.plan('prediction-failed-start')
    server.plan('prediction-processing', 'prediction-succeeded-one')
    const { operation } = pending(await start(three))
    expect(operation).toMatchObject({ predictions: { length: 2 } })
    pending(await poll(operation))
    const { outputs, usage } = done(await poll(operation))
    expect([outputs.length, usage?.costMicroUsd]).toEqual([1, 10])
  })

  test('one that is gone does not take the others along', async () => {
    for (const _ of [1, 2, 3]) server.plan('prediction-succeeded-one')
    const { operation } = pending(await start(three))
    server.answer('get', () => problem(404, 'error-404'))
    expect(done(await poll(operation)).outputs.length).toBe(2)
  })

  test('a final no of one is that of all, and else one that may have begun counts', async () => {
    const refused = () => problem(422, 'error-422-input')
    const lost = () => new Response('', { status: 502 })
    const limited = () => problem(429, 'error-429')
    server.answer('create', limited, lost, limited)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'unknown_outcome' })
    server.answer('create', limited, limited, limited)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'rate_limited' })
    server.answer('create', limited, refused, lost)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'rejected' })
  })

  test('if all fail, the final no of one is the answer', async () => {
    server.plan('prediction-failed-start')
    server.plan('prediction-failed-content')
    server.plan('prediction-failed-start')
    const { operation } = pending(await start(three))
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('all are cancelled, whatever one of them answers', async () => {
    const { operation } = pending(await start(three))
    const ctx = contextOf(server)
    server.answer('cancel', () => problem(404, 'error-404'))
    await provider.cancel?.(operation, ctx)
    expect(server.counts.cancel).toBe(3)
    server.answer('cancel', () => problem(401, 'error-401'))
    const cancelled = await errorOf(provider.cancel?.(operation, ctx))
    expect(cancelled).toMatchObject({ kind: 'unknown_outcome' })
    expect(server.counts.cancel).toBe(6)
  })
})

describe('polling', () => {
  test('tells how far it is, and asks less and less', async () => {
    const started = pending(await start())
    expect(started.pollAfterMs).toBe(1_000)
    expect(started.progress).toBeUndefined()
    const { nowMs } = contextOf(server)
    server.distort({ status: 'processing' })
    const ask = (ms: number) => poll(started.operation, { nowMs: nowMs + ms })
    expect(await ask(2_000)).toMatchObject({ progress: 76, pollAfterMs: 1_000 })
    expect(await ask(20_000)).toMatchObject({ pollAfterMs: 5_000 })
    expect(await ask(600_000)).toMatchObject({ pollAfterMs: 15_000 })
    server.distort({ status: 'processing', logs: '10%|x\r100%|xxxx' })
    expect(await ask(2_000)).toMatchObject({ progress: 99 })
  })
})

describe('the key', () => {
  test('goes to no address but those of the vendor', async () => {
    const evil = 'https://evil.example/v1/predictions/x'
    server.distort({ urls: { get: evil, cancel: evil } })
    const { operation } = pending(await start())
    expect(JSON.stringify(operation)).not.toContain('evil.example')
    const asked: string[] = []
    const spy: ProviderContext['fetch'] = (url, init) => {
      asked.push(url)
      return fetch(url, init)
    }
    await poll(operation, { fetch: spy })
    expect(asked).toEqual([`${server.baseUrl}/predictions/${server.ids()[0]}`])
    for (const get of [evil, server.baseUrl.replace('//', '//u:p@'), 'file:///etc/passwd', '']) {
      const changed = { ...operation, predictions: [{ id: 'x', get, cancel: get }] }
      const nowhere = { fetch: spy }
      expect(await errorOf(poll(changed, nowhere))).toMatchObject({ kind: 'unknown_outcome' })
      const cancelled = provider.cancel?.(changed, contextOf(server, nowhere))
      expect(await errorOf(cancelled)).toMatchObject({ kind: 'unknown_outcome' })
    }
    expect(asked.length).toBe(1)
  })

  test.each([null, '', 'with\nbreak', 'ünusable'])('%p is none', async apiKey => {
    const error = await errorOf(start({}, { apiKey }))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).not.toContain('break')
    expect(server.seen).toEqual([])
  })

  test('is proved by the account', async () => {
    await provider.check?.(contextOf(server))
    expect(server.counts).toMatchObject({ account: 1, create: 0 })
    const stranger = contextOf(server, { apiKey: 'r8_other' })
    expect(await errorOf(provider.check?.(stranger))).toMatchObject({ kind: 'unavailable' })
    server.answer('account', () => new Response('<html>'))
    const page = provider.check?.(contextOf(server))
    expect(await errorOf(page)).toMatchObject({ kind: 'unknown_outcome' })
    expect(server.seen[0]?.path).toBe('/account')
    expect(sample<object>('account')).toHaveProperty('username')
  })
})

describe('finding a lost start', () => {
  const ask = (changes: Partial<ProviderContext> = {}, input: Partial<ProviderInput> = {}) =>
    provider.find?.('att_conformance', contextOf(server, changes), imageInput(input))

  test('all predictions of the attempt, and of no other, over several pages', async () => {
    server.pageSize = 2
    const config = { outputs_per_call: 1, cost: { per_output: 10 } }
    const three = { numOutputs: 3, config }
    await start({}, { callbackUrl: CALLBACK.replace('att_conformance', 'att_conformance2') })
    await start(three)
    await start({}, { callbackUrl: null })
    const found = pending((await ask({}, three)) as StartResult)
    const ids = [...server.ids()].slice(1, 4).reverse()
    expect(found.operation).toMatchObject({ predictions: ids.map(id => ({ id })) })
    expect(server.seen.filter(({ path }) => path === '/predictions').length).toBe(3)
    expect(server.seen.at(-3)?.query.get('created_after')).toBe('2025-10-09T07:53:20.000Z')
    pending(await poll(found.operation))
    const { outputs, usage } = done(await poll(found.operation))
    expect(outputs.length).toBe(3)
    // Nobody asked this model for a number, so each made two, and what is made is paid.
    expect(usage).toMatchObject({ costMicroUsd: 60 })
  })

  test('what has failed is found too, and its end comes from a look', async () => {
    server.plan('prediction-failed-content')
    await start()
    const { operation } = pending((await ask()) as StartResult)
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('a text is found as a text', async () => {
    server.plan('prediction-succeeded-pieces')
    await start({ kind: 'text' })
    const { operation } = pending((await ask({}, { kind: 'text' })) as StartResult)
    expect(done(await poll(operation)).outputs).toEqual([{ type: 'text', text: 'Hello Alice' }])
  })

  test('without an address to be called at there is nothing to go by', async () => {
    expect(await ask({ callbackUrl: null })).toBeNull()
    expect(server.seen).toEqual([])
  })

  test('a page that leads elsewhere is not followed, and a broken one is an error', async () => {
    const page = sample('predictions-page')
    const next = 'https://evil.example/v1/predictions?cursor=1'
    server.answer('list', () => Response.json({ ...page, next, results: [null, { id: 7 }] }))
    expect(await ask()).toBeNull()
    expect(server.counts.list).toBe(1)
    server.answer('list', () => Response.json({ detail: 'later' }, { status: 503 }))
    expect(await errorOf(ask())).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('an endless list is not read to its end', async () => {
    const next = `${server.baseUrl}/predictions?cursor=1`
    const endless = () => Response.json({ ...sample('predictions-page'), next })
    server.answer('list', ...Array.from({ length: 20 }, () => endless))
    expect(await ask()).toBeNull()
    expect(server.counts.list).toBe(5)
  })
})

describe('callbacks', () => {
  const read = (
    { rawBody, headers }: { rawBody: Uint8Array; headers: Headers },
    ctx: Partial<ProviderContext> = {},
  ) => provider.parseCallback?.(rawBody, headers, contextOf(server, ctx))

  async function signed(nowMs = contextOf(server).nowMs) {
    if (server.ids().length === 0) await start()
    return server.signed(server.ids()[0] ?? '', nowMs)
  }

  test('the vector of the reference', async () => {
    const vector =
      sample<Record<'secret' | 'id' | 'timestamp' | 'body' | 'signature', string>>('webhook-vector')
    server.replaceSecret(vector.secret)
    const headers = new Headers({
      'webhook-id': vector.id,
      'webhook-timestamp': vector.timestamp,
      'webhook-signature': vector.signature,
    })
    const callback = { rawBody: Buffer.from(vector.body), headers }
    const at = (seconds: number) => read(callback, { nowMs: 1_700_000_000_000 + seconds * 1_000 })
    expect(await at(0)).toEqual({ eventId: 'msg_test_1', isFinal: true })
    expect(await at(300)).toEqual({ eventId: 'msg_test_1', isFinal: true })
    expect(await at(-300)).toEqual({ eventId: 'msg_test_1', isFinal: true })
    expect(await errorOf(at(301))).toMatchObject({ kind: 'rejected' })
    expect(await errorOf(at(-301))).toMatchObject({ kind: 'rejected' })
    expect(server.counts.secret).toBe(1)
  })

  test('one that goes on is a hint that nothing is final', async () => {
    expect(await read(await signed())).toMatchObject({ isFinal: false })
  })

  test('one of several signatures is enough', async () => {
    const callback = await signed()
    const signature = callback.headers.get('webhook-signature') ?? ''
    callback.headers.set('webhook-signature', `v1,AAAA v1a,${signature.slice(3)} ${signature}`)
    expect(await read(callback)).toMatchObject({ isFinal: false })
    callback.headers.set('webhook-signature', `v1,AAAA v1a,${signature.slice(3)}`)
    expect(await errorOf(read(callback))).toMatchObject({ kind: 'rejected' })
  })

  test('the secret is fetched once, a day later again, and once when it was replaced', async () => {
    const { nowMs } = contextOf(server)
    for (const _ of [1, 2, 3]) await read(await signed())
    expect(server.counts.secret).toBe(1)
    const tomorrow = nowMs + 24 * 3_600_000
    await read(await signed(tomorrow), { nowMs: tomorrow })
    expect(server.counts.secret).toBe(2)
    server.replaceSecret(`whsec_${Buffer.from('another secret of the vendor').toString('base64')}`)
    const soon = tomorrow + 59_000
    expect(await errorOf(read(await signed(soon), { nowMs: soon }))).toMatchObject({
      kind: 'rejected',
    })
    expect(server.counts.secret).toBe(2)
    const later = tomorrow + 60_000
    expect(await read(await signed(later), { nowMs: later })).toMatchObject({ isFinal: false })
    expect(server.counts.secret).toBe(3)
  })

  test('the secret of one account proves nothing for another', async () => {
    const callback = await signed()
    await read(callback)
    const error = await errorOf(read(callback, { apiKey: 'r8_other' }))
    expect(error.kind).toBe('unavailable')
    expect(server.counts.secret).toBe(2)
  })

  test.each([
    ['an odd shape', { secret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' }],
    ['none', { key: 'whsec_' }],
    ['no prefix', { key: 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' }],
  ])('a secret of %s is none, and is not logged', async (_, answer) => {
    const callback = await signed()
    server.answer('secret', () => Response.json(answer))
    const error = await errorOf(read(callback))
    expect(error.message).not.toContain('MDEyMzQ1')
    expect(await read(callback)).toMatchObject({ isFinal: false })
  })

  test('a signed text that is no prediction is refused', async () => {
    const { key } = sample<{ key: string }>('webhook-secret')
    const { nowMs } = contextOf(server)
    const sign = (body: string) => new Webhook(key).sign('msg_1', new Date(nowMs), body)
    for (const body of ['', 'null', '[]', '{"id":"x"}', '{"id":"x","status":"succ']) {
      const headers = new Headers({
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(nowMs / 1_000),
        'webhook-signature': sign(body),
      })
      const error = await errorOf(read({ rawBody: Buffer.from(body), headers }))
      expect(error.message).toContain('says nothing of a prediction')
    }
    await start()
    server.distort({ status: undefined })
    expect(await errorOf(read(await signed()))).toMatchObject({ kind: 'rejected' })
  })
})

test('by default it is the vendor who is asked', async () => {
  const asked: string[] = []
  const spy: ProviderContext['fetch'] = url => {
    asked.push(url)
    return Promise.reject(new FetchFailure('dns_failed', false))
  }
  await errorOf(
    createReplicate().start(imageInput({ providerModel: FLUX }), providerContext({ fetch: spy })),
  )
  expect(asked).toEqual([`https://api.replicate.com/v1/models/${FLUX}/predictions`])
})
