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
  providers: expect.objectContaining({ sandbox: 'ok' }),
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
