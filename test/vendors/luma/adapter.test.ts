import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  conformance,
  imageInput,
  providerContext,
  type Scenario,
  type Situation,
} from '@test/support/conformance'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createLuma } from '@/providers/luma/luma'
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
import { type LumaServer, lumaServer, problem, type Step } from './server'

const CALLBACK = 'https://hub.example/callbacks/luma/att_conformance/the-token'
const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })

function contextOf(server: LumaServer, changes: Partial<ProviderContext> = {}) {
  return providerContext({ fetch, apiKey: server.key, callbackUrl: CALLBACK, ...changes })
}

conformance(
  'luma',
  () => {
    const server = lumaServer()
    const make = () => createLuma({ baseUrl: server.baseUrl })
    return {
      provider: make(),
      restart: make,
      scenario: of => scenario(server, of),
      async callback() {
        const ctx = contextOf(server)
        server.plan('completed-image')
        const input = imageInput({ providerModel: 'photon-1' })
        const { operation } = pending(await make().start(input, ctx))
        await make().poll?.(operation, ctx)
        const id = server.ids().at(-1) ?? ''
        const hint = { eventId: `${id}:completed`, isFinal: true }
        return { rawBody: server.posted(id), headers: new Headers(), ctx, hint }
      },
      close: () => server.close(),
    }
  },
  { modes: ['async'], can: ['cancel', 'parseCallback', 'find', 'check'], callbacks: 'unsigned' },
)

function scenario(server: LumaServer, of: Situation): Scenario {
  const whole: Scenario = {
    input: imageInput({ providerModel: 'photon-1' }),
    ctx: contextOf(server),
  }
  switch (of) {
    case 'rejected':
      return { ...whole, input: { ...whole.input, prompt: 'a' } }
    case 'rate_limited':
      server.answer('create', () => problem(429, 'error-429'))
      return whole
    case 'unavailable':
      return { ...whole, ctx: { ...whole.ctx, apiKey: 'the-key-of-somebody-else' } }
    case 'unknown_outcome':
      server.answer('create', () => problem(500, 'error-500'))
      return whole
    case 'rejected_later':
      server.plan('dreaming', { state: 'failed', failure_reason: 'Frame moderation failed' })
      return whole
    case 'unavailable_later':
      server.plan('dreaming', { state: 'failed', failure_reason: 'Job failed' })
      return whole
    case 'hangs':
      return { ...whole, underWay: server.hang('create') }
    case 'hostile_params': {
      const params = { prompt: 'mine', model: 'mine', callback_url: 'https://mine', key: 'mine' }
      return { ...whole, input: { ...whole.input, params } }
    }
    default:
      return whole
  }
}

let server: LumaServer
let provider: Provider

beforeEach(() => {
  server = lumaServer()
  provider = createLuma({ baseUrl: server.baseUrl })
})

afterEach(async () => {
  await server.close()
})

function start(changes: Partial<ProviderInput> = {}, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: 'photon-1', ...changes })
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

async function ended(step: Step, changes: Partial<ProviderInput> = {}): Promise<StartResult> {
  server.plan(step)
  return await poll(pending(await start(changes)).operation)
}

function sent(): Record<string, unknown> {
  return JSON.parse(server.seen.at(-1)?.body ?? '')
}

const VIDEO = { kind: 'video', providerModel: 'ray-2' }
const [FIRST, SECOND, THIRD] = [1, 2, 3].map(n => `https://x.example/${n}.png`) as [
  string,
  string,
  string,
]

describe('what is asked for', () => {
  test('a picture', async () => {
    await start({ outputFormat: 'jpeg', aspectRatio: '16:9' })
    expect(server.seen.at(-1)).toMatchObject({ method: 'POST', path: '/generations/image' })
    expect(sent()).toEqual({
      model: 'photon-1',
      prompt: 'a lighthouse at dawn',
      aspect_ratio: '16:9',
      format: 'jpg',
      callback_url: CALLBACK,
    })
    await start({ outputFormat: 'png', aspectRatio: null }, { callbackUrl: null })
    expect(sent()).toEqual({ model: 'photon-1', prompt: 'a lighthouse at dawn', format: 'png' })
  })

  test('a film', async () => {
    const extra = { duration_seconds: 9, resolution: '1080p' }
    await start({ ...VIDEO, aspectRatio: '21:9', outputFormat: 'webp', extra })
    expect(server.seen.at(-1)?.path).toBe('/generations/video')
    expect(sent()).toEqual({
      model: 'ray-2',
      prompt: 'a lighthouse at dawn',
      aspect_ratio: '21:9',
      duration: '9s',
      resolution: '1080p',
      callback_url: CALLBACK,
    })
  })

  test('with pictures, in the shape of the field that they are for', async () => {
    const given = async (changes: Partial<ProviderInput>, images: string) => {
      await start({ ...changes, config: { ...changes.config, fields: { images } } })
      return sent()
    }
    await start({ images: [FIRST, SECOND] })
    expect(sent()).toMatchObject({ image_ref: [{ url: FIRST }, { url: SECOND }] })
    expect(sent()).not.toHaveProperty('images')
    await start({ kind: 'image_edit', images: [FIRST] })
    expect(sent()).toMatchObject({ modify_image_ref: { url: FIRST } })
    await start({ ...VIDEO, images: [FIRST] })
    expect(sent()).toMatchObject({ keyframes: { frame0: { type: 'image', url: FIRST } } })
    await start({ ...VIDEO, images: [FIRST, SECOND] })
    expect(sent().keyframes).toEqual({
      frame0: { type: 'image', url: FIRST },
      frame1: { type: 'image', url: SECOND },
    })
    const three = { images: [FIRST, SECOND, THIRD] }
    expect(await given(three, 'style_ref[]')).toMatchObject({
      style_ref: [{ url: FIRST }, { url: SECOND }, { url: THIRD }],
    })
    expect(await given(three, 'character_ref')).toMatchObject({
      character_ref: { identity0: { images: [FIRST, SECOND, THIRD] } },
    })
    expect(sent()).not.toHaveProperty('images')
    await start({ images: [FIRST], config: { fields: { images: null } } })
    expect(JSON.stringify(sent())).not.toContain(FIRST)
  })

  test('with another model where there are pictures', async () => {
    const config = { with_images_model: 'photon-flash-1' }
    await start({ images: [FIRST], config })
    expect(sent().model).toBe('photon-flash-1')
    await start({ config })
    expect(sent().model).toBe('photon-1')
  })

  test('with other names where there are pictures, those of the pictures among them', async () => {
    const config = { with_images_fields: { images: 'style_ref', aspect_ratio: null } }
    await start({ images: [FIRST], config })
    expect(sent()).toMatchObject({ style_ref: [{ url: FIRST }] })
    expect(sent()).not.toHaveProperty('aspect_ratio')
    await start({ config })
    expect(sent()).toMatchObject({ aspect_ratio: '1:1' })
  })

  test('several are several generations', async () => {
    const { operation } = pending(await start({ numOutputs: 3 }))
    expect(operation).toMatchObject({ generations: server.ids() })
    expect(server.counts.create).toBe(3)
    expect(sent()).not.toHaveProperty('num_outputs')
    pending(await poll(operation))
    expect(done(await poll(operation)).outputs.length).toBe(3)
  })

  test.each([
    [{ kind: 'text' }],
    [{ kind: 'upscale' }],
    [{ kind: 'constructor' }],
    [{ outputFormat: 'webp' }],
    [{ kind: 'image_edit', images: [FIRST, SECOND] }],
    [{ images: [FIRST, FIRST, FIRST, FIRST, FIRST] }],
    [{ ...VIDEO, images: [FIRST, SECOND, THIRD] }],
  ] as [Partial<ProviderInput>][])('%p cannot be made, and nothing is sent', async changes => {
    expect(await errorOf(start(changes))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(server.seen).toEqual([])
  })

  test('a field that the vendor does not have is the mistake of the route', async () => {
    const config = { fields: { images: 'image_urls' } }
    const error = await errorOf(start({ images: [FIRST], config }))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(server.seen).toEqual([])
  })
})

describe("the caller's parameters", () => {
  test('what the hub has no word for', async () => {
    const style_ref = [{ url: FIRST, weight: 0.8 }]
    const character_ref = { identity0: { images: [SECOND] } }
    await start({ params: { style_ref, character_ref } })
    expect(sent()).toMatchObject({ style_ref, character_ref })
    const concepts = [{ key: 'dolly_zoom' }]
    await start({ ...VIDEO, params: { concepts, loop: true } })
    expect(sent()).toMatchObject({ concepts, loop: true })
  })

  test.each([
    { callback_url: 'https://mine.example' },
    { model: 'ray-2' },
    { duration: '9s' },
    { resolution: '4k' },
    { sync: true },
    { keyframes: { frame0: { type: 'generation', id: 'of-somebody-else' } } },
    { image_ref: [{ url: FIRST }] },
    { style_ref: [{ url: 'http://plain.example/x.png' }] },
    { style_ref: [{ url: 'file:///etc/passwd' }] },
    { style_ref: [{ url: FIRST, weight: 2 }] },
    { character_ref: { identity0: { images: [] } } },
    { concepts: [{ key: 'x', more: 1 }] },
  ] as ProviderInput['params'][])('%p is refused, at submit and here', async params => {
    expect(provider.params?.safeParse(params).success).toBe(false)
    expect(await errorOf(start({ params }))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(server.seen).toEqual([])
  })

  test('what is for films is not for pictures', async () => {
    const picture = start({ params: { loop: true } })
    const film = start({ ...VIDEO, params: { style_ref: [{ url: FIRST }] } })
    for (const error of [await errorOf(picture), await errorOf(film)]) {
      expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
    }
  })

  test('pictures of the job go before those of the parameters', async () => {
    const params = { style_ref: [{ url: SECOND }] }
    await start({ params, images: [FIRST], config: { fields: { images: 'style_ref' } } })
    expect(sent().style_ref).toEqual([{ url: FIRST }])
  })
})

describe('what comes of it', () => {
  test('the picture, or the film and never what it looked like half way', async () => {
    const { assets } = sample<{ assets: { image: string; video: string } }>('completed-video')
    const film = done(await ended('completed-video', VIDEO))
    expect(film.outputs).toEqual([{ type: 'file', url: assets.video, contentType: null }])
    const picture = done(await ended('completed-image'))
    const { image } = sample<{ assets: { image: string } }>('completed-image').assets
    expect(picture.outputs).toEqual([{ type: 'file', url: image, contentType: null }])
    expect(pending(await ended('dreaming', VIDEO)).progress).toBeUndefined()
  })

  test('the cost by the rates of the route, for what was made', async () => {
    const costOf = async (
      cost: NonNullable<ProviderInput['config']['cost']>,
      changes: Partial<ProviderInput> = {},
    ) => {
      const { operation } = pending(await start({ ...changes, config: { cost } }))
      await poll(operation)
      return done(await poll(operation)).usage?.costMicroUsd
    }
    expect(await costOf({ per_output: 15_000 }, { numOutputs: 2 })).toBe(30_000)
    const film = { ...VIDEO, extra: { duration_seconds: 5 } }
    expect(await costOf({ per_second: 140_000 }, film)).toBe(700_000)
    expect(await costOf({ per_second: 140_000 }, VIDEO)).toBeUndefined()
    const failed: Step = { state: 'failed', failure_reason: 'Job failed' }
    server.plan(failed)
    server.plan('completed-image')
    const both = { numOutputs: 2, config: { cost: { per_output: 15_000 } } }
    const { operation } = pending(await start(both))
    const { outputs, usage } = done(await poll(operation))
    expect([outputs.length, usage?.costMicroUsd]).toEqual([1, 15_000])
  })

  test.each([
    { assets: null },
    { assets: { image: null } },
    { assets: { image: 'http://plain.example/x.jpg' } },
    { assets: { video: 'https://x.example/film.mp4' } },
  ])('completed with %p is nothing', async fields => {
    server.distort(fields)
    expect(await errorOf(ended('completed-image'))).toMatchObject({ kind: 'unavailable' })
  })
})

describe('what goes wrong at the vendor', () => {
  const CONTENT = /moderation failed|blacklisted|not allowed/
  const INPUT = /read user input|moderate image/

  test.each([
    ...sample<string[]>('failure-reasons'),
    ...sample<string[]>('failure-reasons-reported'),
  ])('failed: %p', async failure_reason => {
    const isContent = CONTENT.test(failure_reason)
    const kind = isContent || INPUT.test(failure_reason) ? 'rejected' : 'unavailable'
    const reason = isContent ? 'content' : 'input'
    const error = await errorOf(ended({ state: 'failed', failure_reason }))
    expect([error.kind, error.reason]).toEqual([kind, reason])
    expect(error.message).toContain(failure_reason)
  })

  test('what is left of one that failed is no output', async () => {
    const { assets } = sample<{ assets: object }>('completed-image')
    const failed = { state: 'failed', failure_reason: 'Job failed', assets }
    expect(await errorOf(ended(failed))).toMatchObject({ kind: 'unavailable' })
  })

  test('failed without a reason lets another try', async () => {
    const error = await errorOf(ended({ state: 'failed', failure_reason: null }))
    expect(error).toMatchObject({ kind: 'unavailable' })
  })

  test.each(sample<string[]>('refusals'))('refused: %p', async detail => {
    server.answer('create', () => Response.json({ detail }, { status: 400 }))
    expect(await errorOf(start())).toMatchObject({ kind: 'rejected', reason: 'input' })
  })

  test.each([
    [400, 'error-400', 'rejected'],
    [401, 'error-401', 'unavailable'],
    [402, 'error-402', 'unavailable'],
    [400, 'error-402', 'unavailable'],
    [403, 'error-401', 'unavailable'],
    [404, 'error-404', 'unavailable'],
    [422, 'error-422', 'rejected'],
    [429, 'error-429', 'rate_limited'],
    [500, 'error-500', 'unknown_outcome'],
    [503, 'error-500', 'unknown_outcome'],
  ])('a creation answered by %p %p is %p', async (status, name, kind) => {
    server.answer('create', () => problem(status, name))
    const isPermanent = kind === 'unavailable' || kind === 'rejected'
    expect(await errorOf(start())).toMatchObject({ kind, isPermanent } as object)
  })

  test('a prompt that is refused at the door', async () => {
    const [detail = ''] = sample<string[]>('failure-reasons')
    server.answer('create', () => Response.json({ detail }, { status: 400 }))
    expect(await errorOf(start())).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('how long to wait is what the vendor says, or some seconds', async () => {
    const limited = (headers = {}) => problem(429, 'error-429', headers)
    server.answer('create', () => limited({ 'retry-after': '12' }), limited)
    expect((await errorOf(start())).retryAfterMs).toBe(12_000)
    expect((await errorOf(start())).retryAfterMs).toBe(5_000)
  })

  test('a name that cannot be resolved: nothing began, and nothing ended', async () => {
    const { operation } = pending(await start())
    const nobody = { fetch: () => Promise.reject(new FetchFailure('dns_failed', false)) }
    expect(await errorOf(start({}, nobody))).toMatchObject({ kind: 'unavailable' })
    expect(await errorOf(poll(operation, nobody))).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('who stops listening does not know, and begins nothing after that', async () => {
    let calls = 0
    const late: ProviderContext['fetch'] = () => {
      calls++
      return Promise.reject(new FetchFailure('aborted', false))
    }
    const controller = new AbortController()
    const ctx = { fetch: late, signal: controller.signal }
    const failed = errorOf(start({}, ctx))
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

  test('a state that nobody knows goes on', async () => {
    expect((await ended({ state: 'waking' })).state).toBe('pending')
  })

  test('an answer with nothing but what is needed is enough', async () => {
    server.answer('create', () => Response.json({ id: 'bare', state: 'queued' }))
    const { operation } = pending(await start())
    server.answer('get', () => Response.json({ id: 'bare', state: 'dreaming', assets: 7 }))
    expect((await poll(operation)).state).toBe('pending')
  })

  test('of an answer that cannot be read nothing is kept', async () => {
    const { operation } = pending(await start())
    server.distort({ state: 7 })
    for (const error of [await errorOf(start()), await errorOf(poll(operation))]) {
      expect(error.kind).toBe('unknown_outcome')
      expect(error.message).not.toContain('the-token')
      expect(error.message).not.toContain('lighthouse')
    }
  })
})

describe('several generations', () => {
  test('some are enough', async () => {
    server.answer('create', () => problem(429, 'error-429'))
    const { operation } = pending(await start({ numOutputs: 3 }))
    expect(operation).toMatchObject({ generations: { length: 2 } })
    await poll(operation)
    server.answer('get', () => problem(404, 'error-404'))
    expect(done(await poll(operation)).outputs.length).toBe(1)
  })

  test('a final no of one is that of all, and else one that may have begun counts', async () => {
    const refused = () => problem(400, 'error-400')
    const limited = () => problem(429, 'error-429')
    const lost = () => problem(500, 'error-500')
    const three = { numOutputs: 3 }
    server.answer('create', limited, lost, limited)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'unknown_outcome' })
    server.answer('create', limited, refused, lost)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'rejected' })
    server.answer('create', limited, limited, limited)
    expect(await errorOf(start(three))).toMatchObject({ kind: 'rate_limited' })
  })

  test('if all fail, the final no of one is the answer', async () => {
    server.plan({ state: 'failed', failure_reason: 'Job failed' })
    server.plan({ state: 'failed', failure_reason: 'Contains blacklisted words' })
    const { operation } = pending(await start({ numOutputs: 2 }))
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('all are deleted, whatever one of them answers', async () => {
    const { operation } = pending(await start({ numOutputs: 3 }))
    server.answer('remove', () => problem(500, 'error-500'))
    const cancelled = provider.cancel?.(operation, contextOf(server))
    expect(await errorOf(cancelled)).toMatchObject({ kind: 'unknown_outcome' })
    expect(server.counts.remove).toBe(3)
    await provider.cancel?.(operation, contextOf(server))
    expect(server.ids()).toEqual([])
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'unavailable' })
  })
})

describe('polling', () => {
  test('pictures soon, films later, all of them less and less', async () => {
    const { nowMs } = contextOf(server)
    for (const [changes, soonest] of [[{}, 2_000] as const, [VIDEO, 5_000] as const]) {
      server.plan('dreaming')
      const started = pending(await start(changes))
      expect(started.pollAfterMs).toBe(soonest)
      const ask = async (ms: number) =>
        pending(await poll(started.operation, { nowMs: nowMs + ms })).pollAfterMs
      expect(await ask(4_000)).toBe(soonest)
      expect(await ask(40_000)).toBe(10_000)
      expect(await ask(600_000)).toBe(20_000)
    }
  })

  test('an id that would lead elsewhere is none of ours', async () => {
    const { operation } = pending(await start())
    for (const id of ['../credits', 'a/b', 'a?b', '']) {
      const changed = { ...operation, generations: [id] }
      expect(await errorOf(poll(changed))).toMatchObject({ kind: 'unknown_outcome' })
      const cancelled = provider.cancel?.(changed, contextOf(server))
      expect(await errorOf(cancelled)).toMatchObject({ kind: 'unknown_outcome' })
    }
    expect(server.seen.length).toBe(1)
    server.answer('create', () => Response.json({ id: '../credits', state: 'queued' }))
    expect(await errorOf(start())).toMatchObject({ kind: 'unknown_outcome' })
  })
})

describe('the key', () => {
  test.each([null, '', 'with\nbreak', 'ünusable'])('%p is none', async apiKey => {
    const error = await errorOf(start({}, { apiKey }))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).not.toContain('break')
    expect(server.seen).toEqual([])
  })

  test('is proved by the credit, and is no use without any', async () => {
    await provider.check?.(contextOf(server))
    expect(server.counts).toMatchObject({ credits: 1, create: 0 })
    const stranger = contextOf(server, { apiKey: 'luma-other' })
    expect(await errorOf(provider.check?.(stranger))).toMatchObject({ kind: 'unavailable' })
    const spent = { ...sample<object>('credits'), credit_balance: 0 }
    server.answer('credits', () => Response.json(spent))
    const check = await errorOf(provider.check?.(contextOf(server)))
    expect(check).toMatchObject({ kind: 'unavailable' })
    server.answer('credits', () => new Response('<html>'))
    const page = await errorOf(provider.check?.(contextOf(server)))
    expect(page).toMatchObject({ kind: 'unknown_outcome' })
  })
})

describe('finding a lost start', () => {
  const ask = (changes: Partial<ProviderContext> = {}, input: Partial<ProviderInput> = {}) =>
    provider.find?.('att_conformance', contextOf(server, changes), imageInput(input))

  test('all generations of the attempt, and of no other, typed and priced as they were', async () => {
    const config = { cost: { per_second: 140_000 } }
    const films = { ...VIDEO, numOutputs: 2, extra: { duration_seconds: 5 }, config }
    await start({}, { callbackUrl: CALLBACK.replace('att_conformance', 'att_conformance2') })
    await start(films)
    await start({}, { callbackUrl: null })
    const found = pending((await ask({}, films)) as StartResult)
    const ids = server.ids().slice(1, 3).reverse()
    expect(found.operation).toMatchObject({ generations: ids })
    expect(server.counts.list).toBe(1)
    await poll(found.operation)
    const { outputs, usage } = done(await poll(found.operation))
    expect(usage).toEqual({ costMicroUsd: 1_400_000 })
    const { video } = sample<{ assets: { video: string } }>('completed-video').assets
    expect(outputs).toEqual(Array(2).fill({ type: 'file', url: video, contentType: null }))
  })

  test('what has failed is found too, and its end comes from a look', async () => {
    server.plan({ state: 'failed', failure_reason: 'Contains blacklisted words' })
    await start()
    const { operation } = pending((await ask()) as StartResult)
    expect(await errorOf(poll(operation))).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('without an address to be called at there is nothing to go by', async () => {
    expect(await ask({ callbackUrl: null })).toBeNull()
    expect(server.seen).toEqual([])
  })

  test('a broken page is an error', async () => {
    server.answer('list', () => problem(500, 'error-500'))
    expect(await errorOf(ask())).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('page by page, but not without end', async () => {
    const page = sample('generations')
    const endless = () => Response.json({ ...page, has_more: true, generations: [null, {}] })
    server.answer('list', ...Array.from({ length: 20 }, () => endless))
    expect(await ask()).toBeNull()
    const offsets = server.seen.map(({ query }) => query.get('offset'))
    expect(offsets).toEqual(['0', '100', '200', '300', '400'])
  })
})

describe('callbacks', () => {
  const read = (rawBody: Uint8Array) =>
    provider.parseCallback?.(rawBody, new Headers(), contextOf(server))

  test('are hints, each state of a generation once', async () => {
    const { operation } = pending(await start())
    const [id = ''] = server.ids()
    const received: Uint8Array[] = []
    const receiver = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        received.push(await request.bytes())
        return new Response(null, { status: 200 })
      },
    })
    const to = `http://127.0.0.1:${receiver.port}/`
    await poll(operation)
    await server.deliver(id, to)
    await server.deliver(id, to)
    await poll(operation)
    await server.deliver(id, to)
    await receiver.stop(true)
    const hints = await Promise.all(received.map(read))
    expect(hints).toEqual([
      { eventId: `${id}:dreaming`, isFinal: false },
      { eventId: `${id}:dreaming`, isFinal: false },
      { eventId: `${id}:completed`, isFinal: true },
    ])
  })

  test('say nothing of what was made: that comes from a look', async () => {
    const { operation } = pending(await start())
    const [id = ''] = server.ids()
    const assets = { image: 'https://evil.example/x.jpg' }
    const lie = Buffer.from(JSON.stringify({ id, state: 'completed', assets }))
    expect(await read(lie)).toEqual({ eventId: `${id}:completed`, isFinal: true })
    pending(await poll(operation))
    expect(JSON.stringify(await poll(operation))).not.toContain('evil.example')
  })

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '{"id":"x"}',
    '{"id":7,"state":"completed"}',
    '{"id":"../x","state":"completed"}',
    '{"id":"x","state":"Com:pleted"}',
    '{"id":"x","sta',
  ])('%p is none', async text => {
    expect(await errorOf(read(Buffer.from(text)))).toMatchObject({ kind: 'rejected' })
  })
})

test('by default it is the vendor who is asked', async () => {
  const asked: string[] = []
  const spy: ProviderContext['fetch'] = url => {
    asked.push(url)
    return Promise.reject(new FetchFailure('dns_failed', false))
  }
  await errorOf(createLuma().start(imageInput(), providerContext({ fetch: spy })))
  expect(asked).toEqual(['https://api.lumalabs.ai/dream-machine/v1/generations/image'])
})
