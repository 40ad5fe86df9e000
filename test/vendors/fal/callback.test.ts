import { describe, expect, test } from 'bun:test'
import type { Provider } from '@/providers/spec'
import { context, failure, falRig, guarded, json, NOW, page } from './rig'
import { sample } from './samples'

const rig = falRig()

describe('a callback', () => {
  type Read = { rawBody: Uint8Array; headers: Record<string, string> }
  const at = (nowMs: number) => ({ nowMs, apiKey: null, webhookSecret: null, fetch: guarded })
  const read = (from: Provider, { rawBody, headers }: Read, nowMs = NOW) =>
    from.parseCallback?.(rawBody, new Headers(headers), at(nowMs))

  test.each(['webhook-ok', 'webhook-error', 'webhook-payload-error'])(
    '%s says that it ended',
    async name => {
      const hint = await read(rig.provider(), rig.fal.signed(sample(name).body, NOW))
      expect(hint).toEqual({ eventId: '80e732af-660e-45cd-bd63-580e4f2a94cc', isFinal: true })
    },
  )

  test('of the known vector is true', async () => {
    const vector = sample('webhook-vector').body as {
      headers: Record<string, string>
      raw_body: string
    }
    const { headers, raw_body } = vector
    const rawBody = new Uint8Array(Buffer.from(raw_body))
    const hint = await read(rig.provider(), { rawBody, headers }, 1_700_000_000_000)
    expect(hint?.eventId).toBe('req-1')
    expect(rig.fal.signed(JSON.parse(raw_body), 1_700_000_000_000).headers).toMatchObject(headers)
  })

  test('reaches us as fal posts it, and the next poll is done', async () => {
    const from = rig.provider()
    const hints: unknown[] = []
    const hub = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        hints.push(await from.parseCallback?.(await request.bytes(), request.headers, at(NOW)))
        return new Response('ok')
      },
    })
    try {
      rig.fal.script({ statuses: [sample('status-completed')] })
      const callbackUrl = `http://127.0.0.1:${hub.port}/callbacks/fal/att_1/token`
      const { operation } = await rig.start({}, context({ callbackUrl }))
      expect((await rig.fal.deliver(sample('webhook-ok').body, NOW)).status).toBe(200)
      expect(hints).toMatchObject([{ isFinal: true }])
      expect((await rig.poll(operation)).state).toBe('done')
    } finally {
      await hub.stop(true)
    }
  })

  test('is read by keys that are kept for a day', async () => {
    const from = rig.provider()
    const hour = 3_600_000
    for (const after of [0, 23 * hour]) {
      await read(from, rig.fal.signed(sample('webhook-ok').body, NOW + after), NOW + after)
    }
    expect(rig.fal.count('keys')).toBe(1)
    await read(from, rig.fal.signed(sample('webhook-ok').body, NOW + 25 * hour), NOW + 25 * hour)
    expect(rig.fal.count('keys')).toBe(2)
  })

  test('of a new key is believed, and forged ones do not make us ask each time', async () => {
    const from = rig.provider()
    await read(from, rig.fal.signed(sample('webhook-ok').body, NOW))
    rig.fal.rotateKeys()
    const later = NOW + 120_000
    const fresh = rig.fal.signed(sample('webhook-ok').body, later)
    expect(await read(from, fresh, later)).toMatchObject({ isFinal: true })
    expect(rig.fal.count('keys')).toBe(2)
    const forged = { ...fresh, rawBody: new Uint8Array(Buffer.from('{}')) }
    for (let i = 0; i < 5; i++) {
      expect((await failure(read(from, forged, later + i))).kind).toBe('rejected')
    }
    expect(rig.fal.count('keys')).toBe(2)
  })

  test('that is forged is refused by fresh keys too', async () => {
    const from = rig.provider()
    await read(from, rig.fal.signed(sample('webhook-ok').body, NOW))
    const later = NOW + 120_000
    const { headers } = rig.fal.signed(sample('webhook-ok').body, later)
    const rawBody = new Uint8Array(Buffer.from('{}'))
    expect((await failure(read(from, { rawBody, headers }, later))).kind).toBe('rejected')
    expect(rig.fal.count('keys')).toBe(2)
  })

  test('that cannot be checked is not called forged', async () => {
    for (const answer of [page(502), json({ keys: 7 })]) {
      rig.fal.answerKeys(answer)
      const error = await failure(
        read(rig.provider(), rig.fal.signed(sample('webhook-ok').body, NOW)),
      )
      expect(error.kind).toBe('unknown_outcome')
    }
  })

  test('beside keys of other kinds is checked by its own', async () => {
    const [own] = (sample('jwks').body as { keys: { x: string }[] }).keys
    rig.fal.answerKeys(json({ keys: [{ kty: 'RSA', n: 'x' }, { x: 'short' }, own] }))
    const signed = rig.fal.signed(sample('webhook-ok').body, NOW)
    expect(await read(rig.provider(), signed)).toMatchObject({ isFinal: true })
  })

  test.each([
    ['X-Fal-Webhook-Request-Id', 'other'],
    ['X-Fal-Webhook-User-Id', 'user-2'],
    ['X-Fal-Webhook-Timestamp', `${NOW / 1_000 - 1}`],
    ['X-Fal-Webhook-Timestamp', `0${NOW / 1_000}`],
    ['X-Fal-Webhook-Signature', '00'.repeat(64)],
    ['X-Fal-Webhook-Signature', 'zz'],
  ])('with another %s (%p) is refused', async (name, value) => {
    const { rawBody, headers } = rig.fal.signed(sample('webhook-ok').body, NOW)
    const error = await failure(
      read(rig.provider(), { rawBody, headers: { ...headers, [name]: value } }),
    )
    expect(error.kind).toBe('rejected')
  })

  test.each([299_000, -299_000])('is taken %p ms off', async ms => {
    const signed = rig.fal.signed(sample('webhook-ok').body, NOW)
    expect(await read(rig.provider(), signed, NOW + ms)).toBeDefined()
  })

  test.each([301_000, -301_000])('is refused %p ms off, without asking for keys', async ms => {
    const signed = rig.fal.signed(sample('webhook-ok').body, NOW)
    expect((await failure(read(rig.provider(), signed, NOW + ms))).kind).toBe('rejected')
    expect(rig.fal.count('keys')).toBe(0)
  })
})
