import { afterEach, describe, expect, test } from 'bun:test'
import { replicateServer } from '@test/vendors/replicate/server'
import { AppError } from '@/base/errors'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { type CheckOutcome, checkProvider, setKey } from '@/domain/providers'
import { ProviderError } from '@/providers/errors'
import { createReplicate } from '@/providers/replicate/replicate'
import type { Provider, ProviderContext } from '@/providers/spec'
import { closeHubs, healthRow, hubWith, vendorNamed } from './vendors'

afterEach(closeHubs)

const ACTOR = { kind: 'shell' as const, id: 'test' }
const KEY = 'r8_0123456789abcdefghijklmnopqrstuvwxyz'

const never = () => new AbortController().signal

async function checked(check: NonNullable<Provider['check']> | undefined, key = KEY) {
  const hub = await hubWith([vendorNamed('fal', check)])
  await setKey(hub.deps, ACTOR, 'fal', key)
  return await checkProvider(hub.deps, 'fal', never())
}

const throwing = (error: unknown) => async () => {
  throw error
}

describe('a check', () => {
  const unavailable = (message: string, options = {}) =>
    new ProviderError('unavailable', message, options)
  const OUTCOMES: [string, unknown, CheckOutcome, string][] = [
    ['401', unavailable('401: bad key', { isPermanent: true }), 'refused', '401: bad key'],
    ['a no of theirs', new ProviderError('rejected', '400: no'), 'refused', '400: no'],
    ['429', new ProviderError('rate_limited', '429: slow'), 'limited', '429: slow'],
    ['503', unavailable('503: busy'), 'failing', '503: busy'],
    ['504', new ProviderError('unknown_outcome', '504: late'), 'failing', '504: late'],
    ['a bug', new TypeError('x is undefined'), 'failing', 'TypeError: x is undefined'],
    [
      'no way there',
      unavailable('no', { cause: new FetchFailure('dns_failed', false) }),
      'unreachable',
      'dns failed',
    ],
    [
      'an answer that breaks off',
      new ProviderError('unknown_outcome', 'no', {
        cause: new FetchFailure('connection_failed', true, new Error('reset')),
      }),
      'unreachable',
      'connection failed: reset',
    ],
    [
      'a way that is closed',
      unavailable('no', { cause: new BlockedDestination('is private') }),
      'unreachable',
      'is private',
    ],
  ]
  for (const [what, error, outcome, message] of OUTCOMES) {
    test(`that meets ${what} is ${outcome}`, async () => {
      expect(await checked(throwing(error))).toMatchObject({ name: 'fal', outcome, message })
    })
  }

  test('that passes is ok, took its time, and was made with the key and a bound', async () => {
    const seen: ProviderContext[] = []
    const found = await checked(async context => {
      seen.push(context)
    })
    expect(found).toMatchObject({ outcome: 'ok', message: null, name: 'fal' })
    expect(found.durationMs).toBeGreaterThanOrEqual(0)
    const [context] = seen
    expect(context).toMatchObject({ apiKey: KEY, callbackUrl: null, webhookSecret: null })
    expect((context?.deadlineMs ?? 0) - (context?.nowMs ?? 0)).toBe(10_000)
  })

  test('of who has no key, no check or no adapter asks nobody and says what to do', async () => {
    const { deps } = await hubWith([vendorNamed('openai'), vendorNamed('fal', throwing('asked'))])
    expect(await checkProvider(deps, 'fal', never())).toMatchObject({
      outcome: 'no_key',
      message: 'set FAL_KEY, or `hub providers set-key fal`',
    })
    await setKey(deps, ACTOR, 'openai', KEY)
    expect(await checkProvider(deps, 'openai', never())).toMatchObject({ outcome: 'no_check' })
    deps.db.sqlite.run(`UPDATE providers SET name = 'elsewhere' WHERE name = 'luma'`)
    expect(await checkProvider(deps, 'elsewhere', never())).toMatchObject({ outcome: 'no_adapter' })
    expect(await checkProvider(deps, 'sandbox', never())).toMatchObject({ outcome: 'ok' })
    const error = await checkProvider(deps, 'nobody', never()).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AppError)
  })

  test('of a key that does not open says so', async () => {
    const hub = await hubWith([vendorNamed('fal', throwing('asked'))])
    await setKey(hub.deps, ACTOR, 'fal', KEY)
    hub.deps.db.sqlite.run(`UPDATE providers SET api_key_sealed = 'v1.00000000.AAAA.AAAA'`)
    hub.deps.cache.clear()
    expect(await checkProvider(hub.deps, 'fal', never())).toMatchObject({
      outcome: 'unreadable_key',
      message: expect.stringContaining('SECRET_KEY_PREVIOUS'),
    })
  })

  test('that is never answered ends in time, also where the adapter does not listen', async () => {
    for (const check of [
      () => new Promise<void>(() => {}),
      (context: ProviderContext) =>
        new Promise<void>((_, reject) => {
          context.signal.addEventListener('abort', () => reject(new Error('heard')))
        }),
    ]) {
      const { deps } = await hubWith([vendorNamed('fal', check)])
      await setKey(deps, ACTOR, 'fal', KEY)
      expect(await checkProvider(deps, 'fal', never(), 20)).toMatchObject({
        outcome: 'unreachable',
        message: 'no answer within 0.02 seconds',
      })
    }
  })

  test('that is broken off from outside says nothing of the vendor', async () => {
    const end = new AbortController()
    const { deps } = await hubWith([
      vendorNamed('fal', async () => {
        end.abort(new Error('the server stops'))
        throw new ProviderError('unavailable', 'because we left')
      }),
    ])
    await setKey(deps, ACTOR, 'fal', KEY)
    for (let times = 0; times < 2; times++) {
      const error = await checkProvider(deps, 'fal', end.signal).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ message: 'the server stops' })
    }
    expect(healthRow({ deps }, 'fal').health).toBe('unknown')
  })
})

describe('the message of a check', () => {
  const said = async (message: string, key = KEY) =>
    (await checked(throwing(new ProviderError('unavailable', message)), key)).message

  test('is one short line that no terminal obeys', async () => {
    expect(await said('two\r\nlines\u001b[31m red\u0007\u2028\u202e end')).toBe(
      'two lines [31m red end',
    )
    const long = await said(`${'word '.repeat(5_000)}`)
    expect(long?.length).toBe(200)
    expect(long).toEndWith('...')
  })

  test('never holds the key, nor a piece of it that would help', async () => {
    const plain = 'plain+words/of=no.known~form'
    for (const key of [KEY, plain]) {
      expect(await said(`Incorrect key ${key}.`, key)).toBe('Incorrect key ***.')
      expect(await said(`Incorrect key ${key.slice(0, 12)}... given`, key)).toBe(
        'Incorrect key ***... given',
      )
      expect(await said(`it ends with ${key.slice(-9)}`, key)).toBe('it ends with ***')
      expect(await said(`twice ${key}${key}`, key)).toBe('twice ******')
    }
    expect(await said('of another: sk-abcdefghijklmnopqrstuvwxyz', plain)).toBe(
      'of another: [redacted]',
    )
    expect(await said('a key of one letter: k', 'k')).toBe('a ***ey of one letter: ***')
  })
})

describe('on the real wire', () => {
  test('a good key passes, a bad one is refused, and a dead vendor is unreachable', async () => {
    const server = replicateServer()
    const { host } = new URL(server.baseUrl)
    const hub = await hubWith([createReplicate({ baseUrl: server.baseUrl })], {
      config: { allowPrivateDestinations: [host] },
    })
    try {
      const check = () => checkProvider(hub.deps, 'replicate', never())
      expect(await check()).toMatchObject({ outcome: 'no_key' })
      expect(server.seen).toEqual([])

      await setKey(hub.deps, ACTOR, 'replicate', server.key)
      expect(await check()).toMatchObject({ outcome: 'ok', message: null })
      expect(server.seen.map(({ method, path }) => [method, path])).toEqual([['GET', '/account']])

      await setKey(hub.deps, ACTOR, 'replicate', `${server.key}-not`)
      const refused = await check()
      expect(refused).toMatchObject({
        outcome: 'refused',
        message: expect.stringMatching(/^401: /),
      })
      expect(JSON.stringify(refused)).not.toContain(server.key)

      server.answer('account', () => new Response('', { status: 429 }))
      expect(await check()).toMatchObject({ outcome: 'limited' })
      server.answer('account', () => new Response('<html>', { status: 503 }))
      expect(await check()).toMatchObject({ outcome: 'failing', message: '503: <html>' })
      const hung = server.hang('account')
      const late = checkProvider(hub.deps, 'replicate', never(), 300)
      await hung
      expect(await late).toMatchObject({ outcome: 'unreachable' })
    } finally {
      await server.close()
    }
    expect(await checkProvider(hub.deps, 'replicate', never())).toMatchObject({
      outcome: 'unreachable',
      message: expect.stringMatching(/^connection /),
    })
    expect(hub.log.text()).not.toContain(server.key)
  })
})
