import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute, type TestHub, testHub } from '@test/support/test-hub'
import { formatId } from '@/base/ids'
import { findModel } from '@/domain/catalog'

/** `GET /api/v1/models/:name`: one model, as the list has it. */
const MODEL = 'gpt-image-1.5'

let hub: TestHub
let shop: Tenant
let client: Client

beforeAll(async () => {
  hub = await testHub({ isRunning: false, providers: [fakeProvider()] })
  await addRoute(hub.deps, { model: MODEL, provider: 'fake' })
  shop = await tenant(hub.deps)
  client = apiClient(httpDoor(hub.deps))
})
afterAll(() => hub.close())

const KEYS = ['live secret', 'live publishable', 'test secret', 'test publishable'] as const
const keyOf = (name: (typeof KEYS)[number]) => {
  const [mode, kind] = name.split(' ') as ['live' | 'test', 'secret' | 'publishable']
  return shop.keys[mode][kind]
}
const get = (name: string, key = shop.keys.live.secret, headers = {}) =>
  client.get(`/api/v1/models/${name}`, { key, headers })

test.each(KEYS)('is as in the list for a %s key, by name and by id', async name => {
  const key = keyOf(name)
  const list = await client.get('/api/v1/models', { key })
  const { data } = list.json<{ data: { name: string }[] }>()
  expect(data.length).toBeGreaterThan(40)
  for (const listed of data) {
    const byName = await get(listed.name, key)
    expect([byName.status, byName.json()]).toEqual([200, listed])
  }
  const id = formatId('model', findModel(hub.deps, MODEL)?.id ?? (0 as never))
  const byId = await get(id, key)
  expect(byId.json().name).toBe(MODEL)
  expect(byId.headers.get('etag')).toBe((await get(MODEL, key)).headers.get('etag'))
})

describe('a model that nobody serves', () => {
  test('says to a secret key who would, and what is missing', async () => {
    const served = await get(MODEL)
    expect(served.json()).toMatchObject({ available: true, unavailable_reason: null })
    const { unavailable_reason: reason, available } = (await get('flux-schnell')).json()
    expect(available).toBe(false)
    for (const word of ['replicate', 'key']) expect(reason).toContain(word)
    // Of a test job there is nothing missing.
    expect((await get('flux-schnell', shop.keys.test.secret)).json()).toMatchObject({
      available: true,
      unavailable_reason: null,
    })
  })
  test('says nothing of it to a publishable one', async () => {
    const shown = (await get('flux-schnell', shop.keys.live.publishable)).json()
    expect(shown.available).toBe(false)
    expect(shown).not.toHaveProperty('unavailable_reason')
  })
})

describe('a name of nothing', () => {
  test.each([
    'none',
    'mdl_00000000000',
    '%20',
    'constructor',
    '__proto__',
    'SDXL',
    'x'.repeat(500),
  ])('is a 404: %s', async name => {
    const answer = await get(name)
    expect([answer.status, answer.json().code]).toEqual([404, 'model_not_found'])
  })
  test('and so is a model that was switched off, and on again it is there', async () => {
    const set = (isEnabled: number) => {
      hub.deps.db.sqlite.run("UPDATE models SET is_enabled = ? WHERE name = 'sdxl'", [isEnabled])
      hub.deps.cache.clear()
    }
    expect((await get('sdxl')).status).toBe(200)
    set(0)
    expect((await get('sdxl')).status).toBe(404)
    set(1)
    expect((await get('sdxl')).status).toBe(200)
  })
})

describe('an ETag', () => {
  test('saves who has it the way, until something changes', async () => {
    const first = await get(MODEL)
    expect(first.headers.get('vary')).toContain('X-API-Key')
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    const etag = first.headers.get('etag') ?? ''
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await get(MODEL, shop.keys.live.secret, { 'if-none-match': known })
      expect([known, answer.status, answer.text]).toEqual([known, 304, ''])
    }
    hub.deps.db.sqlite.run('UPDATE models SET token_cost = 6 WHERE name = ?', [MODEL])
    hub.deps.cache.clear()
    const changed = await get(MODEL, shop.keys.live.secret, { 'if-none-match': etag })
    expect([changed.status, changed.json().token_cost]).toEqual([200, 6])
  })
  test('is another for each model and each kind of key', async () => {
    const etags = new Set<string | null>()
    for (const name of ['flux-schnell', 'sdxl']) {
      for (const key of KEYS) etags.add((await get(name, keyOf(key))).headers.get('etag'))
    }
    expect(etags.size).toBe(8)
  })
})
