import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { imageInput, providerContext } from '@test/support/conformance'
import { createSafeFetch } from '@/base/safe-fetch'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import type { CallbackHint, ProviderContext } from '@/providers/spec'
import { callbackNames } from './samples'
import { KEY, type OpenrouterServer, openrouterServer, SECRET, signedCallback } from './server'

/*
 * The official client has nothing for callbacks: the other side here is built on the vendor's page about
 * them, which has a sender and a receiver in code.
 */
const NOW = 1_760_000_000_000
const ID = 'gen-vid-1763712000-aB3dE5fG7hJ9kL1mN2pQ'
const ADDRESS = 'https://hub.example/callbacks/openrouter/att/token'

let server: OpenrouterServer

beforeEach(() => {
  server = openrouterServer()
})
afterEach(() => server.close())

const openrouter = () => createOpenrouter({ baseUrl: server.baseUrl })

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
  return providerContext({ fetch, apiKey: KEY, webhookSecret: SECRET, nowMs: NOW, ...changes })
}

type Callback = { rawBody: Uint8Array; headers: Headers }

async function read(callback: Callback, changes: Partial<ProviderContext> = {}) {
  const parse = openrouter().parseCallback
  if (!parse) throw new Error('no callbacks')
  return await parse(callback.rawBody, callback.headers, context(changes))
}

function signed(body: string, sign: (seconds: number, mac: string) => string): Callback {
  const seconds = NOW / 1_000
  const rawBody = Buffer.from(body)
  const mac = createHmac('sha256', SECRET).update(`${seconds},`).update(rawBody).digest('hex')
  return { rawBody, headers: new Headers({ 'X-OpenRouter-Signature': sign(seconds, mac) }) }
}

const usual = (seconds: number, mac: string) => `t=${seconds},v1=${mac}`
const BODY = JSON.stringify({ type: 'x', data: { id: 'gen-1', status: 'completed' } })
const HINT: CallbackHint = { eventId: 'gen-1-completed', isFinal: true }

describe('a video is asked to call back', () => {
  const film = (ctx: ProviderContext) =>
    openrouter().start(imageInput({ kind: 'video', providerModel: 'google/veo-3.1' }), ctx)
  const sent = () => server.starts().map(({ json }) => json.callback_url)

  test('where its signature can be checked, and only there', async () => {
    await film(context({ callbackUrl: ADDRESS }))
    await film(context({ callbackUrl: ADDRESS, webhookSecret: null }))
    await film(context())
    expect(sent()).toEqual([ADDRESS, undefined, undefined])
  })

  test('at our address, whatever a route or a caller says', async () => {
    const config = { constants: { callback_url: 'https://mine.example' } }
    await openrouter().start(
      imageInput({ kind: 'video', config }),
      context({ callbackUrl: ADDRESS }),
    )
    await openrouter().start(imageInput({ kind: 'video', config }), context())
    expect(sent()).toEqual([ADDRESS, undefined])
  })

  test('and pictures and texts are not: they are answered at once', async () => {
    const ctx = context({ callbackUrl: ADDRESS })
    await openrouter().start(imageInput(), ctx)
    await openrouter().start(imageInput({ kind: 'text', aspectRatio: null }), ctx)
    expect(sent()).toEqual([undefined, undefined])
  })

  test('and what it says is a hint to ask', async () => {
    const arrived = Promise.withResolvers<Callback>()
    const hub = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        arrived.resolve({ rawBody: await request.bytes(), headers: request.headers })
        return new Response()
      },
    })
    try {
      const ctx = context({ callbackUrl: `http://127.0.0.1:${hub.port}/` })
      const started = await film(ctx)
      if (started.state !== 'pending') throw new Error(started.state)
      expect((await server.callBack('callback-completed', NOW)).status).toBe(200)
      expect((await read(await arrived.promise)).isFinal).toBe(true)
      const first = await openrouter().poll?.(started.operation, ctx)
      const second = await openrouter().poll?.(started.operation, ctx)
      expect([first?.state, second?.state]).toEqual(['pending', 'done'])
    } finally {
      await hub.stop(true)
    }
  })
})

describe('a callback', () => {
  test.each(callbackNames())('%s is one event however often it comes', async name => {
    const eventId = `${ID}-${name.replace('callback-', '')}`
    const callback = signedCallback(name, { nowMs: NOW })
    expect(await read(callback)).toEqual({ eventId, isFinal: true })
    const again = signedCallback(name, { nowMs: NOW + 60_000 })
    expect(await read(again)).toEqual({ eventId, isFinal: true })
  })

  test('of a state that is none of the ends is not final', async () => {
    const body = JSON.stringify({ data: { id: 'gen-1', status: 'in_progress' } })
    expect(await read(signed(body, usual))).toEqual({
      eventId: 'gen-1-in_progress',
      isFinal: false,
    })
  })

  test.each([
    ['as documented', usual],
    ['with a space', (t: number, mac: string) => `t=${t}, v1=${mac}`],
    ['in another order', (t: number, mac: string) => `v1=${mac},t=${t}`],
    ['beside a scheme that we do not know', (t: number, mac: string) => `t=${t},v1=${mac},v2=x`],
  ])('whose signature is written %s is believed', async (_, sign) => {
    expect(await read(signed(BODY, sign))).toEqual(HINT)
  })

  test.each([
    ['with a point between', (t: number) => `t=${t},v1=${macOf(`${t}.`)}`],
    ['of the body alone', (t: number) => `t=${t},v1=${macOf('')}`],
    ['of another time', (t: number, mac: string) => `t=${t + 1},v1=${mac}`],
    ['without a time', (_: number, mac: string) => `v1=${mac}`],
    ['of no scheme that we know', (t: number, mac: string) => `t=${t},v0=${mac}`],
    ['that is empty', (t: number) => `t=${t},v1=`],
    ['that is cut', (t: number, mac: string) => `t=${t},v1=${mac.slice(0, 32)}`],
    ['whose time is no number', (_: number, mac: string) => `t=now,v1=${mac}`],
  ])('whose signature is one %s is refused', async (_, sign) => {
    await expect(read(signed(BODY, sign))).rejects.toMatchObject({ kind: 'rejected' })
  })

  test('by another secret, or where we have none, is refused', async () => {
    const forged = signedCallback('callback-completed', { nowMs: NOW, secret: 'guessed' })
    await expect(read(forged)).rejects.toMatchObject({ kind: 'rejected' })
    for (const webhookSecret of [null, '']) {
      const empty = signedCallback('callback-completed', { nowMs: NOW, secret: '' })
      await expect(read(empty, { webhookSecret })).rejects.toMatchObject({ kind: 'rejected' })
    }
  })

  test.each([300_000, -300_000])('that is replayed after %d ms is still of now', async ms => {
    expect(await read(signed(BODY, usual), { nowMs: NOW + ms })).toEqual(HINT)
  })

  test.each([301_000, -301_000])('that is replayed after %d ms is refused', async ms => {
    const late = read(signed(BODY, usual), { nowMs: NOW + ms })
    await expect(late).rejects.toMatchObject({ kind: 'rejected' })
  })

  test.each(['', '[]', '{}', '{"data":{"id":"","status":"completed"}}', '{"data":{"id":7}}'])(
    'that says %p is refused, though it is signed',
    async body => {
      await expect(read(signed(body, usual))).rejects.toMatchObject({ kind: 'rejected' })
    },
  )
})

function macOf(before: string): string {
  return createHmac('sha256', SECRET).update(before).update(BODY).digest('hex')
}
