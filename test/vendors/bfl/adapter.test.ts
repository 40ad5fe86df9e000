import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  conformance,
  imageInput,
  providerContext,
  type Scenario,
  type Situation,
} from '@test/support/conformance'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { createBfl } from '@/providers/bfl/bfl'
import { ProviderError } from '@/providers/errors'
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
import { type BflServer, bflServer, problem, type Step } from './server'

const CALLBACK = 'https://hub.example/callbacks/bfl/att_conformance/the-token'
const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const MODEL = { providerModel: 'flux-2-pro' }

function contextOf(server: BflServer, changes: Partial<ProviderContext> = {}) {
  return providerContext({ fetch, apiKey: server.key, callbackUrl: CALLBACK, ...changes })
}

conformance(
  'bfl',
  () => {
    const server = bflServer()
    const make = () => createBfl({ baseUrl: server.baseUrl })
    return {
      provider: make(),
      restart: make,
      scenario: of => scenario(server, of),
      close: () => server.close(),
    }
  },
  { modes: ['async'], can: ['check'] },
)

function scenario(server: BflServer, of: Situation): Scenario {
  const whole: Scenario = { input: imageInput(MODEL), ctx: contextOf(server) }
  switch (of) {
    case 'rejected':
      return { ...whole, input: { ...whole.input, prompt: '' } }
    case 'rate_limited':
      server.answer('create', () => problem(429, 'error-429'))
      return whole
    case 'unavailable':
      return { ...whole, ctx: { ...whole.ctx, apiKey: 'the-key-of-somebody-else' } }
    case 'unknown_outcome':
      server.answer('create', () => problem(500, 'error-500'))
      return whole
    case 'rejected_later':
      server.plan('pending', 'request-moderated')
      return whole
    case 'unavailable_later':
      server.plan('pending', 'error')
      return whole
    case 'hangs':
      return { ...whole, underWay: server.hang('create') }
    case 'hostile_params': {
      const params = { prompt: 'mine', model: 'mine', webhook_url: 'https://mine', 'x-key': 'mine' }
      return { ...whole, input: { ...whole.input, params } }
    }
    default:
      return whole
  }
}

let server: BflServer
let provider: Provider

beforeEach(() => {
  server = bflServer()
  provider = createBfl({ baseUrl: server.baseUrl })
})

afterEach(async () => {
  await server.close()
})

function start(changes: Partial<ProviderInput> = {}, ctx: Partial<ProviderContext> = {}) {
  return provider.start(imageInput({ ...MODEL, ...changes }), contextOf(server, ctx))
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

const PICTURES = [1, 2, 3].map(n => `https://x.example/${n}.png`)
const LATER_MS = 60_000

describe('what is asked for', () => {
  test('a picture, at the endpoint of its model, with the key and without a callback', async () => {
    await start({ outputFormat: 'jpeg', extra: { seed: 7 } })
    const { method, path, headers } = server.seen[0] ?? {}
    expect([method, path, headers?.get('x-key')]).toEqual(['POST', '/v1/flux-2-pro', server.key])
    expect(sent()).toEqual({
      prompt: 'a lighthouse at dawn',
      aspect_ratio: '1:1',
      output_format: 'jpeg',
      seed: 7,
    })
  })

  test('a start that is answered as one with a callback is, without an address to ask at, lost', async () => {
    server.answer('create', () => Response.json(sample('submitted-with-webhook')))
    expect(await errorOf(start())).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('sides where the route says so', async () => {
    const config = {
      fields: { aspect_ratio: '...' },
      aspect_ratios: { '16:9': { width: 1_280, height: 720 } },
    }
    await start({ aspectRatio: '16:9', config })
    expect(sent()).toEqual({ prompt: 'a lighthouse at dawn', width: 1_280, height: 720 })
  })

  test('pictures, each in a field of its own', async () => {
    const [first, second, third] = PICTURES
    await start({ kind: 'image_edit', images: PICTURES })
    expect(sent()).toMatchObject({
      input_image: first,
      input_image_2: second,
      input_image_3: third,
    })
    expect(sent()).not.toHaveProperty('images')
    await start({ images: PICTURES.slice(0, 1), config: { fields: { images: 'image_prompt' } } })
    expect(sent()).toMatchObject({ image_prompt: first })
    await start({ images: PICTURES, config: { fields: { images: null } } })
    expect(JSON.stringify(sent())).not.toContain('x.example')
  })

  test('a picture without an address is for another vendor', async () => {
    const error = await errorOf(start({ images: ['data:image/png;base64,iVBORw0KGgo='] }))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(error.message).not.toContain('iVBORw0KGgo')
    expect(server.seen).toEqual([])
  })

  test('several are several tasks, each with a seed of its own', async () => {
    const { operation } = pending(await start({ numOutputs: 3, extra: { seed: 7 } }))
    const bodies = server.seen.map(({ body }) => JSON.parse(body))
    expect(bodies.map(({ seed }) => seed).sort()).toEqual([7, 8, 9])
    for (const body of bodies) expect(body).not.toHaveProperty('num_outputs')
    pending(await poll(operation))
    expect(done(await poll(operation)).outputs.length).toBe(3)
  })

  test.each([{ kind: 'video' }, { kind: 'text' }, { kind: 'constructor' }])(
    '%p is not made there',
    async changes => {
      expect(await errorOf(start(changes))).toMatchObject({ kind: 'rejected', reason: 'input' })
      expect(server.seen).toEqual([])
    },
  )

  test.each(['../credits', 'a/b', '..', 'flux?x=1', ''])(
    'a model named %p is the mistake of the route',
    async providerModel => {
      const error = await errorOf(start({ providerModel }))
      expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
      expect(server.seen).toEqual([])
    },
  )
})

describe("the caller's parameters", () => {
  test('what the hub has no word for', async () => {
    await start({ params: { prompt_upsampling: false, steps: 30 } })
    expect(sent()).toMatchObject({ prompt_upsampling: false, steps: 30 })
  })

  test.each([
    { webhook_url: 'https://mine.example' },
    { webhook_secret: 'mine' },
    { safety_tolerance: 6 },
    { width: 4_096 },
    { input_image_2: 'https://mine.example/x.png' },
    { prompt: 'mine' },
    { steps: 51 },
    { prompt_upsampling: 'yes' },
  ] as ProviderInput['params'][])('%p is refused, at submit and here', async params => {
    expect(provider.params?.safeParse(params).success).toBe(false)
    expect(await errorOf(start({ params }))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(server.seen).toEqual([])
  })
})

describe('what comes of it', () => {
  const RATES = { config: { cost: { per_output: 30_000 } } }
  const costOf = (result: StartResult) => done(result).usage?.costMicroUsd

  test('the picture, and what the start said that it costs', async () => {
    const result = done(await ended('ready', RATES))
    const { sample: url } = sample<{ result: { sample: string } }>('ready').result
    expect(result.outputs).toEqual([{ type: 'file', url, contentType: null }])
    expect(costOf(result)).toBe(45_000)
  })

  test('what is told at the end is nearer to the bill, and rates count where nothing is told', async () => {
    expect(costOf(await ended('ready-settled', RATES))).toBe(30_000)
    const untold = () => {
      const polling_url = `${server.baseUrl}/v1/get_result?id=${server.ids().at(-1) ?? ''}`
      return Response.json({ id: 'bare', polling_url, cost: null })
    }
    await ended('ready')
    server.answer('create', untold, untold)
    expect(costOf(await ended('ready', RATES))).toBe(30_000)
    expect(costOf(await ended('ready'))).toBeUndefined()
  })

  test.each([null, {}, { sample: null }, { sample: 'http://plain.example/x.jpg' }, 'x'])(
    'Ready with %p is nothing, and paid for',
    async result => {
      server.distort({ result })
      const error = await errorOf(ended('ready'))
      expect(error).toMatchObject({ kind: 'unavailable', costMicroUsd: 45_000 })
    },
  )

  test('some pictures are enough, and are paid with what came to nothing', async () => {
    server.plan('error')
    server.plan('content-moderated')
    server.plan('ready')
    const { operation } = pending(await start({ numOutputs: 3 }))
    const { outputs, usage } = done(await poll(operation))
    expect([outputs.length, usage?.costMicroUsd]).toEqual([1, 90_000])
  })
})

describe('what goes wrong at the vendor', () => {
  test.each(['request-moderated', 'content-moderated'])(
    '%p is the content’s and costs nothing',
    async name => {
      const error = await errorOf(ended(name))
      expect(error).toMatchObject({ kind: 'rejected', reason: 'content', costMicroUsd: null })
      expect(error.message).toContain('Moderation Reasons')
    },
  )

  test.each(Object.entries(sample<Record<string, string | null>>('failures')))(
    'Error of %p is the fault of: %p',
    async (error, whose) => {
      const told = await errorOf(ended({ status: 'Error', error }))
      expect(told.kind).toBe(whose === null ? 'unavailable' : 'rejected')
      if (whose !== null) expect(told.reason as string).toBe(whose)
      expect(told.costMicroUsd).toBe(45_000)
    },
  )

  test('a task that is not found may still be new, and later is gone', async () => {
    const { nowMs } = contextOf(server)
    server.plan('not-found')
    const { operation } = pending(await start())
    pending(await poll(operation))
    const later = { nowMs: nowMs + LATER_MS }
    expect(await errorOf(poll(operation, later))).toMatchObject({ kind: 'unavailable' })
    server.answer('result', () => problem(404, 'not-found'))
    expect(await errorOf(poll(operation, later))).toMatchObject({ kind: 'unavailable' })
  })

  test.each([
    [400, 'error-400', 'rejected'],
    [401, 'error-401', 'unavailable'],
    [402, 'error-402', 'unavailable'],
    [403, 'error-403', 'unavailable'],
    [404, 'error-404', 'unavailable'],
    [422, 'error-422', 'rejected'],
    [429, 'error-429', 'rate_limited'],
    [500, 'error-500', 'unknown_outcome'],
    [503, 'error-500', 'unknown_outcome'],
  ])('a start answered by %p %p is %p', async (status, name, kind) => {
    server.answer('create', () => problem(status, name))
    const isPermanent = kind === 'unavailable' || kind === 'rejected'
    expect(await errorOf(start())).toMatchObject({ kind, isPermanent } as object)
  })

  test('how long to wait is what the header says, or the body, or some seconds', async () => {
    const dated = () => problem(429, 'error-429', { 'retry-after': '12' })
    const inBody = () => Response.json({ retry_after: 2 }, { status: 429 })
    server.answer('create', dated, inBody, () => new Response('slow down', { status: 429 }))
    expect((await errorOf(start())).retryAfterMs).toBe(12_000)
    expect((await errorOf(start())).retryAfterMs).toBe(2_000)
    expect((await errorOf(start())).retryAfterMs).toBe(5_000)
  })

  test.each([401, 403, 404, 429, 500, 503])('a %p to a question is not the end', async status => {
    const { operation } = pending(await start())
    server.answer('result', () => Response.json({}, { status }))
    const kind = status === 429 ? 'rate_limited' : 'unknown_outcome'
    const later = { nowMs: contextOf(server).nowMs + LATER_MS }
    expect(await errorOf(poll(operation, later))).toMatchObject({ kind } as object)
  })

  test('a word that nobody knows goes on', async () => {
    expect((await ended({ status: 'Reserved' })).state).toBe('pending')
  })

  test('of an answer that cannot be read nothing is kept', async () => {
    server.answer('create', () => Response.json({ id: 7, prompt: 'lighthouse' }))
    const error = await errorOf(start())
    expect(error.kind).toBe('unknown_outcome')
    expect(error.message).not.toContain('lighthouse')
  })
})

describe('the address to ask at', () => {
  const REGION = 'https://api.eu2.bfl.ai/v1/get_result?id=x'

  /** The vendor itself, played by a function: every address that was asked, and who got the key. */
  async function asked(polling_url: string) {
    const calls: string[] = []
    const spy: ProviderContext['fetch'] = async (url, init) => {
      calls.push(`${url} ${init?.headers?.['x-key']}`)
      return Response.json(
        init?.method === 'POST' ? { ...sample('submitted'), polling_url } : sample('ready'),
      )
    }
    const ctx = providerContext({ fetch: spy, apiKey: 'bfl_key' })
    const vendor = createBfl()
    const outcome = await vendor
      .start(imageInput(MODEL), ctx)
      .then(started => vendor.poll?.(pending(started).operation, ctx))
      .catch((error: unknown) => error)
    return { calls, outcome }
  }

  test('is the one that was told, of whatever region of the vendor', async () => {
    for (const address of [REGION, REGION.replace('.eu2', ''), REGION.replace('.eu2', '.us')]) {
      const { calls, outcome } = await asked(address)
      expect(outcome).toMatchObject({ state: 'done' })
      expect(calls).toEqual(['https://api.bfl.ai/v1/flux-2-pro bfl_key', `${address} bfl_key`])
    }
  })

  test.each([
    'https://evil.example/v1/get_result?id=x',
    REGION.replace('bfl.ai', 'bfl.ai.evil.example'),
    REGION.replace('api.eu2', 'delivery.eu2'),
    REGION.replace('api.eu2.', 'api'),
    REGION.replace('https', 'http'),
    REGION.replace('bfl.ai', 'bfl.ai:8443'),
    REGION.replace('https://', 'https://user:pass@'),
    '/v1/get_result?id=x',
    '',
  ])('%p is not asked, and nobody is paid twice', async address => {
    const { calls, outcome } = await asked(address)
    const message = expect.stringContaining('at an address that is not its own')
    expect(outcome).toMatchObject({ kind: 'unknown_outcome', message })
    expect(calls.length).toBe(1)
  })

  test('is none of ours when the operation was changed', async () => {
    const { operation } = pending(await start())
    const changed = JSON.parse(JSON.stringify(operation))
    changed.tasks[0].polling_url = 'https://evil.example/v1/get_result?id=x'
    expect(await errorOf(poll(changed))).toMatchObject({ kind: 'unknown_outcome' })
    expect(server.seen.length).toBe(1)
  })

  test('is asked soon, and then less and less', async () => {
    const { nowMs } = contextOf(server)
    server.plan('pending')
    const started = pending(await start())
    expect(started.pollAfterMs).toBe(1_000)
    const ask = async (ms: number) =>
      pending(await poll(started.operation, { nowMs: nowMs + ms })).pollAfterMs
    expect(await ask(20_000)).toBe(4_000)
    expect(await ask(600_000)).toBe(10_000)
  })
})

describe('the key', () => {
  test('is proved by the credit, and is no use without any', async () => {
    await provider.check?.(contextOf(server))
    expect(server.counts).toMatchObject({ credits: 1, create: 0 })
    const stranger = contextOf(server, { apiKey: 'bfl_other' })
    expect(await errorOf(provider.check?.(stranger))).toMatchObject({ kind: 'unavailable' })
    server.answer(
      'credits',
      () => Response.json({ credits: 0 }),
      () => new Response('<html>'),
    )
    const spent = await errorOf(provider.check?.(contextOf(server)))
    expect(spent).toMatchObject({ kind: 'unavailable', isPermanent: true })
    const page = await errorOf(provider.check?.(contextOf(server)))
    expect(page).toMatchObject({ kind: 'unknown_outcome' })
  })

  test('goes to the vendor by default', async () => {
    const urls: string[] = []
    const spy: ProviderContext['fetch'] = url => {
      urls.push(url)
      return Promise.reject(new FetchFailure('dns_failed', false))
    }
    await errorOf(createBfl().start(imageInput(MODEL), providerContext({ fetch: spy })))
    expect(urls).toEqual(['https://api.bfl.ai/v1/flux-2-pro'])
  })
})
