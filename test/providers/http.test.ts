import { describe, expect, test } from 'bun:test'
import { providerContext } from '@test/support/conformance'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import {
  call,
  createAsker,
  errorOfPollStatus,
  errorOfStatus,
  mayHaveKey,
  parseJson,
  retryAfterOf,
  type VendorAnswer,
} from '@/providers/http'
import type { ProviderContext, ProviderFetchInit } from '@/providers/spec'

const URL_OF_IT = 'https://vendor.example/v1/things'
const KEY = 'key-of/the-test'
const { ask, askAbout } = createAsker('Vendor', apiKey => ({ authorization: `Bearer ${apiKey}` }))

type Fetch = ProviderContext['fetch']

function context(fetch: Fetch, changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ apiKey: KEY, fetch, ...changes })
}

/** A network that answers so, and remembers what it was asked. */
function network(answer: () => Response | Promise<Response>) {
  const asked: { url: string; init: ProviderFetchInit }[] = []
  const fetch: Fetch = async (url, init = {}) => {
    asked.push({ url, init })
    return await answer()
  }
  return { fetch, asked }
}

async function errorOf(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.then(
    value => new Error(`answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ProviderError) return error
  throw error
}

function answerOf(status: number, body: unknown = {}, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status, headers: new Headers(headers), text, json: parseJson(text) } as VendorAnswer
}

describe('a call', () => {
  test('sends JSON as such and comes back whole, whatever its status', async () => {
    const { fetch, asked } = network(() => Response.json({ no: 1 }, { status: 503 }))
    const json = { a: [1] }
    const answer = await call({ fetch }, { url: URL_OF_IT, method: 'PUT', json, timeoutMs: 7 })
    expect(answer).toMatchObject({ status: 503, text: '{"no":1}', json: { no: 1 } })
    expect(asked).toMatchObject([
      {
        url: URL_OF_IT,
        init: {
          method: 'PUT',
          timeoutMs: 7,
          body: '{"a":[1]}',
          headers: { 'content-type': 'application/json' },
        },
      },
    ])
  })

  test('without JSON has no body and no type of one', async () => {
    const { fetch, asked } = network(() => new Response('<html>'))
    expect(await call({ fetch }, { url: URL_OF_IT })).toMatchObject({ json: null, text: '<html>' })
    expect(asked[0]?.init).not.toHaveProperty('body')
    expect(asked[0]?.init).not.toHaveProperty('signal')
    expect(asked[0]?.init.headers).toEqual({})
  })

  test('is bounded, unless it asks for more or less itself', async () => {
    const { fetch, asked } = network(() => new Response(''))
    await call({ fetch }, { url: URL_OF_IT })
    await call({ fetch }, { url: URL_OF_IT, maxBytes: 9 })
    expect(asked.map(({ init }) => init.maxBytes)).toEqual([128 * 1024 * 1024, 9])
  })

  test.each<[string, unknown, string]>([
    ['a name that has no address', new FetchFailure('dns_failed', false), 'unavailable'],
    ['a refused connection', new FetchFailure('connection_refused', false), 'unavailable'],
    ['a blocked address', new BlockedDestination('private'), 'unavailable'],
    ['a reset in the middle', new FetchFailure('connection_failed', true), 'unknown_outcome'],
    ['too long a wait', new FetchFailure('timeout', true), 'unknown_outcome'],
    ['an answer that is too large', new FetchFailure('too_large', true), 'unknown_outcome'],
    ['an error of nobody knows what', new TypeError('reset'), 'unknown_outcome'],
    ['what is no error', 'reset', 'unknown_outcome'],
  ])('%s', async (_, thrown, kind) => {
    const error = await errorOf(call({ fetch: () => Promise.reject(thrown) }, { url: URL_OF_IT }))
    expect(error).toMatchObject({ kind, isPermanent: false, cause: thrown } as object)
  })

  test('that breaks in its body may have begun', async () => {
    const body = new ReadableStream({ start: stream => stream.error(new TypeError('reset')) })
    const { fetch } = network(() => new Response(body))
    expect((await errorOf(call({ fetch }, { url: URL_OF_IT }))).kind).toBe('unknown_outcome')
  })

  test('hands on what is a ProviderError already', async () => {
    const ours = new ProviderError('rate_limited', 'later')
    const work = call({ fetch: () => Promise.reject(ours) }, { url: URL_OF_IT })
    expect(await errorOf(work)).toBe(ours)
  })

  test('of somebody who has gone is not made', async () => {
    const { fetch, asked } = network(() => new Response(''))
    const gone = call({ fetch, signal: AbortSignal.abort() }, { url: URL_OF_IT })
    expect((await errorOf(gone)).kind).toBe('unknown_outcome')
    expect(asked).toEqual([])
  })

  test('of somebody who goes meanwhile ends, and says nothing of the vendor', async () => {
    const controller = new AbortController()
    const fetch: Fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        // As the guarded fetch has it where no byte had left yet.
        const fail = () => reject(new FetchFailure('aborted', false))
        init?.signal?.addEventListener('abort', fail)
      })
    const work = errorOf(call({ fetch, signal: controller.signal }, { url: URL_OF_IT }))
    controller.abort()
    expect(await work).toMatchObject({ kind: 'unknown_outcome', isPermanent: false })
  })
})

describe('asking with the key', () => {
  test('sends it, beside the headers of the call and over them', async () => {
    const { fetch, asked } = network(() => Response.json({}))
    const headers = { accept: 'x', authorization: 'somebody else' }
    await ask(context(fetch), { url: URL_OF_IT, headers })
    expect(asked[0]?.init.headers).toEqual({ accept: 'x', authorization: `Bearer ${KEY}` })
  })

  test('goes without a signal, as in a callback', async () => {
    const { fetch, asked } = network(() => Response.json({ secret: 1 }))
    const answer = await ask({ fetch, apiKey: KEY }, { url: URL_OF_IT })
    expect([answer.json, asked.length]).toEqual([{ secret: 1 }, 1])
  })

  test.each([null, '', 'two words', 'with\nbreak', 'ünusable'])(
    'is not done with the key %p, and never will be',
    async apiKey => {
      const { fetch, asked } = network(() => Response.json({}))
      const error = await errorOf(ask(context(fetch, { apiKey }), { url: URL_OF_IT }))
      expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
      expect(error.message).toBe('there is no usable key for Vendor')
      const later = await errorOf(askAbout(context(fetch, { apiKey }), { url: URL_OF_IT }))
      expect(later).toMatchObject({ kind: 'unknown_outcome', isPermanent: false })
      expect(asked).toEqual([])
    },
  )

  test.each([
    ['as it is', `no such key: ${KEY}, ${KEY}`],
    ['in JSON', JSON.stringify({ error: { message: `no such key: ${KEY}` }, list: [KEY] })],
    ['in JSON with escapes', JSON.stringify({ detail: KEY }).replaceAll('/', '\\/')],
  ])('a refusal that quotes it %s does not hand it on', async (_, body) => {
    const { fetch } = network(() => new Response(body, { status: 401 }))
    const answer = await ask(context(fetch), { url: URL_OF_IT })
    expect(JSON.stringify(answer.json)).not.toContain(KEY)
    expect(errorOfStatus(answer).message.replaceAll('\\', '')).not.toContain(KEY)
  })

  test('an answer with what was made is left as it is, unless it quotes the key', async () => {
    const made = network(() => Response.json({ made: 'a picture' }))
    expect((await ask(context(made.fetch), { url: URL_OF_IT })).json).toEqual({ made: 'a picture' })
    const quoting = network(() => Response.json({ made: `a picture by ${KEY}` }))
    const { json, text } = await ask(context(quoting.fetch), { url: URL_OF_IT })
    expect(json).toEqual({ made: 'a picture by ***' })
    expect(text).not.toContain(KEY)
  })

  test('what happens on the way to a start tells whether it began', async () => {
    const refused = context(() => Promise.reject(new FetchFailure('connection_refused', false)))
    expect((await errorOf(ask(refused, { url: URL_OF_IT }))).kind).toBe('unavailable')
  })

  test.each<[string, Error]>([
    ['a refused connection', new FetchFailure('connection_refused', false)],
    ['a blocked address', new BlockedDestination('private')],
    ['a reset', new FetchFailure('connection_failed', true)],
  ])('%s ends nothing that has begun', async (_, thrown) => {
    const error = await errorOf(
      askAbout(
        context(() => Promise.reject(thrown)),
        { url: URL_OF_IT },
      ),
    )
    expect(error).toMatchObject({ kind: 'unknown_outcome', isPermanent: false })
  })

  test('a status is an answer to both', async () => {
    const { fetch } = network(() => new Response('', { status: 404 }))
    expect((await askAbout(context(fetch), { url: URL_OF_IT })).status).toBe(404)
    expect((await ask(context(fetch), { url: URL_OF_IT })).status).toBe(404)
  })
})

describe('a status', () => {
  test.each<[number, ProviderError['kind'], boolean]>([
    [400, 'rejected', true],
    [401, 'unavailable', true],
    [402, 'unavailable', true],
    [403, 'unavailable', true],
    [404, 'unavailable', true],
    [405, 'unavailable', true],
    [408, 'unknown_outcome', false],
    [409, 'unavailable', false],
    [410, 'unavailable', true],
    [413, 'rejected', true],
    [422, 'rejected', true],
    [429, 'rate_limited', false],
    [500, 'unavailable', false],
    [502, 'unknown_outcome', false],
    [503, 'unavailable', false],
    [504, 'unknown_outcome', false],
    [524, 'unknown_outcome', false],
    [200, 'unknown_outcome', false],
    [302, 'unknown_outcome', false],
  ])('%p to a start is %p, for good: %p', (status, kind, isPermanent) => {
    const error = errorOfStatus(answerOf(status))
    expect(error).toMatchObject({ kind, isPermanent, reason: 'input' })
  })

  test.each<[number, ProviderError['kind']]>([
    [400, 'unknown_outcome'],
    [401, 'unknown_outcome'],
    [402, 'unknown_outcome'],
    [403, 'unknown_outcome'],
    [404, 'unavailable'],
    [409, 'unknown_outcome'],
    [410, 'unavailable'],
    [422, 'unknown_outcome'],
    [429, 'rate_limited'],
    [500, 'unknown_outcome'],
    [503, 'unknown_outcome'],
    [200, 'unknown_outcome'],
  ])('%p to a poll is %p, and never for good', (status, kind) => {
    expect(errorOfPollStatus(answerOf(status))).toMatchObject({ kind, isPermanent: false })
  })

  test('is told with what the vendor says of it, but not at any length', () => {
    expect(errorOfStatus(answerOf(422, 'x'.repeat(9_999))).message).toBe(`422: ${'x'.repeat(500)}`)
    expect(errorOfStatus(answerOf(422, '{}'), 'seed: too large').message).toBe(
      '422: seed: too large',
    )
    expect(errorOfPollStatus(answerOf(503, 'busy')).message).toBe('503: busy')
  })

  test.each([200, 201, 302])('%p is told without its body, which may hold anything', status => {
    const told = `${status}: an answer that cannot be read`
    expect(errorOfStatus(answerOf(status, 'a secret'), 'a secret').message).toBe(told)
    expect(errorOfPollStatus(answerOf(status, 'a secret')).message).not.toContain('secret')
  })

  test.each([429, 503, 502, 402])('%p keeps when to come again', status => {
    const answer = answerOf(status, {}, { 'retry-after': '7' })
    expect(errorOfStatus(answer).retryAfterMs).toBe(7_000)
    expect(errorOfPollStatus(answer).retryAfterMs).toBe(7_000)
    expect(errorOfStatus(answerOf(status)).retryAfterMs).toBeNull()
  })
})

test.each<[Record<string, string>, number | null]>([
  [{}, null],
  [{ 'retry-after': '12' }, 12_000],
  [{ 'retry-after': '0.25' }, 250],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': '-3' }, null],
  [{ 'retry-after-ms': '1500.2', 'retry-after': '9' }, 1_501],
  [{ 'retry-after-ms': 'x', 'retry-after': '9' }, 9_000],
  [{ 'retry-after': 'Fri, 21 Nov 2025 10:00:30 GMT' }, null],
  [
    {
      'retry-after': 'Fri, 21 Nov 2025 10:00:30 GMT',
      date: 'Fri, 21 Nov 2025 10:00:00 GMT',
    },
    30_000,
  ],
  [
    {
      'retry-after': 'Fri, 21 Nov 2025 09:00:00 GMT',
      date: 'Fri, 21 Nov 2025 10:00:00 GMT',
    },
    0,
  ],
])('%p says to wait %p ms', (headers, ms) => {
  expect(retryAfterOf(new Headers(headers))).toBe(ms)
})

test.each([
  ['https://api.vendor.example/v1/x', true],
  ['https://api.vendor.example/other', true],
  ['https://API.vendor.example:443/x', true],
  ['http://api.vendor.example/v1/x', false],
  ['https://api.vendor.example:8443/v1/x', false],
  ['https://api.vendor.example.evil.example/v1/x', false],
  ['https://evil.example/api.vendor.example', false],
  ['https://user@api.vendor.example/v1/x', false],
  ['https://:word@api.vendor.example/v1/x', false],
  ['/v1/x', false],
  ['', false],
])('the key may go to %p: %p', (address, isAllowed) => {
  expect(mayHaveKey('https://api.vendor.example/v1', address)).toBe(isAllowed)
})

test('what is no JSON is null', () => {
  for (const text of ['', '<html>', '{"a":']) expect(parseJson(text)).toBeNull()
  expect(parseJson('{"a":[1]}')).toEqual({ a: [1] })
})
