import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { type DoorOptions, httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'
import { testServer } from '@test/support/test-server'
import { VERSION } from '@/version'

let hub: TestHub
let shop: Tenant

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  shop = await tenant(hub.deps, { welcomeGrant: 1_000_000 })
})
afterAll(() => hub.close())

const door = (options?: DoorOptions): Client => apiClient(httpDoor(hub.deps, options))
const PATHS = ['/api/health', '/health']
const GOOD = {
  database: 'ok',
  storage: 'ok',
  runner: 'ok',
  providers: { sandbox: 'healthy' },
}

describe.each(PATHS)('%s', path => {
  test('is healthy and public, and tells no secret', async () => {
    const answer = await door().get(path)
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({ status: 'healthy', version: 'test', checks: GOOD })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })
  const sick: [string, DoorOptions, object][] = [
    ['a stopped runner', { runner: () => 'stopped' }, { runner: 'stopped' }],
    ['a stopping runner', { runner: () => 'stopping' }, { runner: 'stopping' }],
    ['a store that fails', { storage: async () => 'failing' }, { storage: 'failing' }],
  ]
  test.each(sick)('is a 503 with %s', async (_, options, checks) => {
    const answer = await door(options).get(path)
    expect(answer.status).toBe(503)
    expect(answer.json()).toMatchObject({ status: 'unhealthy', checks: { ...GOOD, ...checks } })
  })
})

describe('of providers', () => {
  /** Two vendors with keys, and one that somebody switched off. */
  async function hubWith(health: Record<string, string>): Promise<TestHub> {
    const providerKeys = { REPLICATE_API_TOKEN: 'r8_secret', FAL_KEY: 'fal_secret' }
    const made = await testHub({ isRunning: false, config: { providerKeys } })
    const { sqlite } = made.deps.db
    for (const [name, word] of Object.entries(health)) {
      sqlite.run("UPDATE providers SET health = ?, health_message = 'r8_secret' WHERE name = ?", [
        word,
        name,
      ])
    }
    made.deps.cache.clear()
    return made
  }

  const UNCHECKED = { replicate: 'unknown', fal: 'unknown' }
  const cases: [string, Record<string, string>, string][] = [
    ['nobody has checked', {}, 'healthy'],
    ['all are well', { replicate: 'healthy', fal: 'healthy' }, 'healthy'],
    ['one is down', { replicate: 'healthy', fal: 'down' }, 'degraded'],
    ['one is degraded', { replicate: 'degraded' }, 'degraded'],
    ['all are down', { replicate: 'down', fal: 'down' }, 'degraded'],
  ]
  test.each(cases)('where %s: %p is %s', async (_, health, status) => {
    const other = await hubWith(health)
    try {
      const answer = await apiClient(httpDoor(other.deps)).get('/api/health')
      expect([answer.status, answer.json()]).toEqual([
        200,
        {
          status,
          version: 'test',
          checks: { ...GOOD, providers: { sandbox: 'healthy', ...UNCHECKED, ...health } },
        },
      ])
      expect(answer.text).not.toContain('secret')
      const stopped = apiClient(httpDoor(other.deps, { runner: () => 'stopped' }))
      const ill = await stopped.get('/api/health')
      expect([ill.status, ill.json().status]).toEqual([503, 'unhealthy'])
    } finally {
      await other.close()
    }
  })
  test('those that are not in use do not count', async () => {
    const health = { openai: 'down', replicate: 'down', sandbox: 'down' }
    const other = await hubWith(health)
    try {
      const { sqlite } = other.deps.db
      sqlite.run("UPDATE providers SET is_enabled = 0 WHERE name = 'replicate'")
      other.deps.cache.clear()
      const answer = await apiClient(httpDoor(other.deps)).get('/health')
      expect(answer.json()).toMatchObject({ status: 'healthy' })
      const { checks } = answer.json<{ checks: { providers: object } }>()
      expect(checks.providers).toEqual({ sandbox: 'healthy', fal: 'unknown' })
    } finally {
      await other.close()
    }
  })
})

test('a full disk is a 503 until something can be written again, and calls get a 503 too', async () => {
  const { sqlite } = hub.deps.db
  const ann = door().as({ key: shop.keys.test.secret, user: 'ann' })
  const fill = () =>
    ann.post('/api/v1/generate', {
      model: 'sdxl',
      input: { prompt: 'x'.repeat(30_000) },
    })
  const { page_count } = sqlite.query('PRAGMA page_count').get() as { page_count: number }
  sqlite.run(`PRAGMA max_page_count = ${page_count + 4}`)
  let refused = await fill()
  // What is still free in the file is used up first.
  for (let i = 0; i < 20 && refused.status === 202; i++) refused = await fill()
  expect([refused.status, refused.json()]).toEqual([
    503,
    expect.objectContaining({ code: 'busy', retry_after: 1 }),
  ])
  for (const path of PATHS) {
    const answer = await door().get(path)
    expect(answer.status).toBe(503)
    expect(answer.json()).toMatchObject({ status: 'unhealthy', checks: { database: 'full' } })
  }
  // Reading goes on.
  expect((await ann.get('/api/v1/jobs')).status).toBe(200)
  sqlite.run('PRAGMA max_page_count = 1073741823')
  expect((await fill()).status).toBe(202)
  expect((await door().get('/health')).json()).toMatchObject({ status: 'healthy', checks: GOOD })
})

test('a database that cannot be read is a 503', async () => {
  const other = await testHub({ isRunning: false })
  const at = apiClient(httpDoor(other.deps))
  expect((await at.get('/health')).status).toBe(200)
  other.deps.db.sqlite.run('ALTER TABLE hub RENAME TO hub_gone')
  const answer = await at.get('/health')
  expect(answer.status).toBe(503)
  expect(answer.json()).toMatchObject({ checks: { database: 'failing' } })
  other.deps.db.sqlite.run('ALTER TABLE hub_gone RENAME TO hub')
  await other.close()
})

test('a real server is healthy from its first answer on, and says its version', async () => {
  const server = await testServer()
  try {
    const answer = await apiClient(server).get('/api/health')
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({ status: 'healthy', version: VERSION, checks: GOOD })
  } finally {
    await server.stop()
  }
})
