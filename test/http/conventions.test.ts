import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestServer, testServer } from '@test/support/test-server'
import { ERRORS, type ErrorCode } from '@/base/errors'

/**
 * What is the same everywhere: the request id, the headers, whole seconds, flat errors. The client of these
 * tests looks at headers and shapes of every answer by itself; here stands what it cannot see.
 */
let server: TestServer
let client: Client
let shop: Tenant
let secret: Client

beforeAll(async () => {
  server = await testServer()
  shop = await tenant(server.deps, { welcomeGrant: 10 })
  client = apiClient(server)
  secret = client.as({ key: shop.keys.test.secret, user: 'ann' })
})
afterAll(() => server.stop())

/** One answer of each sort. */
const ANSWERS: [string, number, (door: Client) => ReturnType<Client['get']>][] = [
  ['a list', 200, door => door.get('/api/v1/jobs')],
  ['a user made', 201, door => door.post('/api/v1/users', { external_id: crypto.randomUUID() })],
  ['the catalogue', 200, door => door.get('/api/v1/models')],
  ['the health', 200, door => door.get('/health')],
  ['the reference', 200, door => door.get('/docs')],
  ['the document', 200, door => door.get('/docs/json')],
  ['a redirect', 302, door => door.get('/swagger')],
  ['wrong input', 400, door => door.get('/api/v1/jobs?limit=0')],
  ['no key', 401, door => door.get('/api/v1/jobs', { key: 'x' })],
  ['nothing there', 404, door => door.get('/api/v1/jobs/job_00000000000')],
  ['no file', 404, door => door.get('/files/x')],
  ['no route', 404, door => door.get('/api/v1/nothing', { isOutside: true })],
  ['no method', 404, door => door.send('PUT', '/api/v1/jobs', { isOutside: true })],
  ['a preflight', 404, door => door.send('OPTIONS', '/api/v1/jobs', { isOutside: true })],
  ['too large', 413, door => door.post('/api/v1/generate', { a: 'x'.repeat(1_100_000) })],
  [
    'another media type',
    415,
    door => door.post('/api/v1/generate', {}, { headers: { 'content-type': 'application/xml' } }),
  ],
]

/** The tests have users of their own, so that no limit is met. */
let calls = 0
const somebody = () =>
  client.as({ key: shop.keys.test.secret }).as({ headers: { 'x-seen': String(++calls) } })

describe('the request id', () => {
  const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')
  test.each(ANSWERS)('of the caller is kept on %s (%d)', async (_, status, call) => {
    for (const id of ['my-id-1', visible, 'x'.repeat(128)]) {
      const door = isForAUser(call) ? secret : somebody()
      const answer = await call(door.as({ headers: { 'x-request-id': id } }))
      expect([answer.status, answer.headers.get('x-request-id')]).toEqual([status, id])
      if (status >= 400) expect(answer.json().request_id).toBe(id)
    }
  })
  test.each(ANSWERS)(
    'is ours on %s (%d) when the caller’s will not do',
    async (_, status, call) => {
      for (const id of ['', 'two words', 'x'.repeat(129), 'é', 'tab\tbed']) {
        const headers = { 'x-request-id': Buffer.from(id).toString('latin1') }
        const door = isForAUser(call) ? secret : somebody()
        const answer = await call(door.as({ headers }))
        expect(answer.status).toBe(status)
        expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      }
    },
  )
  test('is on a 500 too, which says nothing else', async () => {
    const broken = httpDoor(server.deps, { storage: () => Promise.reject(new Error('disk: /srv')) })
    const answer = await apiClient(broken).get('/health', { headers: { 'x-request-id': 'abc' } })
    expect(answer.status).toBe(500)
    expect(answer.json()).toEqual({
      error: ERRORS.internal_error.message,
      code: 'internal_error',
      request_id: 'abc',
    })
    const [line] = server.log.lines().filter(({ level }) => level === 'error')
    expect(line).toMatchObject({ request_id: 'abc', error: { message: 'disk: /srv' } })
  })
  test('is on what a stopping server says', async () => {
    const stopping = apiClient(httpDoor(server.deps, { isStopping: () => true }))
    const answer = await stopping.get('/api/v1/jobs', { key: shop.keys.test.secret })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(answer.json()).toMatchObject({ code: 'shutting_down', retry_after: 1 })
  })
})

/** Bodies for generate are looked at only when there is a user. */
const isForAUser = (call: (door: Client) => unknown) => call.toString().includes('generate')

describe('an error', () => {
  test('is flat, in our words, with the status that its code has', async () => {
    for (const [, status, call] of ANSWERS.filter(([, status]) => status >= 400)) {
      const answer = await call(isForAUser(call) ? secret : somebody())
      const body = answer.json<{ code: ErrorCode; error: string }>()
      expect(ERRORS[body.code]).toEqual({ status, message: body.error } as never)
      const extra = Object.keys(body).filter(k => !['code', 'error', 'request_id'].includes(k))
      const expected = { 400: ['details'], 413: ['max_bytes'], 415: ['allowed'] }[status] ?? []
      expect([body.code, extra]).toEqual([body.code, expected])
    }
  })
})

describe('a web page elsewhere', () => {
  const headers = {
    origin: 'https://evil.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-api-key',
  }
  test.each(ANSWERS)('is told nothing by %s (%d)', async (_, status, call) => {
    const door = isForAUser(call) ? secret : somebody()
    const answer = await call(door.as({ headers }))
    expect(answer.status).toBe(status)
    const names = [...answer.headers.keys()]
    expect(names.filter(name => name.startsWith('access-control'))).toEqual([])
    expect(answer.headers.get('set-cookie')).toBeNull()
    expect(answer.headers.get('server')).toBeNull()
    expect(answer.headers.get('x-powered-by')).toBeNull()
  })
  test.each(['/api/v1/generate', '/api/v1/jobs/job_0', '/health', '/docs', '/files/a', '/'])(
    'gets no preflight for %s',
    async path => {
      const answer = await client.send('OPTIONS', path, { headers, isOutside: true })
      expect(answer.status).toBe(404)
      expect(answer.headers.get('allow')).toBeNull()
    },
  )
})

describe('HEAD', () => {
  test.each(['/api/v1/models', '/api/v1/jobs', '/health', '/docs', '/docs/json'])(
    'of %s is GET without its body',
    async path => {
      const [head, get] = [await secret.send('HEAD', path), await secret.get(path)]
      expect(head.status).toBe(get.status)
      expect(head.text).toBe('')
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'))
      expect(head.headers.get('content-length')).toBe(String(get.bytes.length))
    },
  )
  test('never does what POST does', async () => {
    const before = server.deps.db.sqlite.query('SELECT count(*) AS n FROM jobs').get()
    const answer = await secret.send('HEAD', '/api/v1/generate', { isOutside: true })
    expect(answer.status).toBe(404)
    expect(server.deps.db.sqlite.query('SELECT count(*) AS n FROM jobs').get()).toEqual(before)
  })
})

describe('the log', () => {
  test('has one line for a call, with the route and not the address', async () => {
    await secret.get('/api/v1/users/ann', { headers: { 'x-request-id': 'log-me' } })
    const lines = server.log.lines().filter(line => line.request_id === 'log-me')
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        message: 'request',
        method: 'GET',
        path: '/api/v1/users/:external_id',
        status: 404,
      }),
    ])
  })
  test('has no key, no user and no token', async () => {
    const { user_token: token } = (
      await client.post('/api/v1/users/logged-user/token', {}, { key: shop.keys.live.secret })
    ).json<{ user_token: string }>()
    await client.get('/api/v1/jobs', { key: shop.keys.live.publishable, token })
    await client.get('/api/v1/jobs', { key: shop.keys.live.publishable, token: `${token}x` })
    await client.get('/api/v1/jobs', { headers: { authorization: `Bearer ${shop.apiKey}y` } })
    const text = server.log.text()
    for (const word of [token, 'logged-user', ...Object.values(shop.keys.live)]) {
      expect(text).not.toContain(word)
    }
  })
})

test('times are whole seconds of UTC, and lists and jobs agree on them', async () => {
  const made = await secret.post('/api/v1/generate', {
    model: 'gpt-5-mini',
    input: { prompt: 'a caption' },
  })
  const { job_id, created_at } = made.json<{ job_id: string; created_at: string }>()
  expect(created_at).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  await server.runner.settleAll()
  const one = await secret.get(`/api/v1/jobs/${job_id}`)
  const list = await secret.get('/api/v1/jobs')
  expect(one.json().created_at).toBe(created_at)
  expect(list.json<{ data: unknown[] }>().data[0]).toEqual(one.json())
})
