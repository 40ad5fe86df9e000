import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import {
  checkedHandle,
  currentCheck,
  type Exchange,
  expectDocumented,
} from '@test/support/openapi-check'
import { type TestHub, testHub } from '@test/support/test-hub'

let hub: TestHub
let app: ReturnType<typeof httpDoor>
let shop: Tenant

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  app = httpDoor(hub.deps)
  shop = await tenant(hub.deps, { welcomeGrant: 100 })
})
afterAll(() => hub.close())

const GENERATE = { model: 'flux-schnell', input: { prompt: 'a heron' } }

/** A good answer of the true app, to be spoiled in one place. */
async function good(): Promise<Exchange> {
  const door = apiClient(app, { key: shop.keys.test.secret, user: 'ann' })
  const { status, headers, bytes } = await door.post('/api/v1/generate', GENERATE)
  return { method: 'POST', path: '/api/v1/generate', status, headers, body: bytes }
}

function withBody(exchange: Exchange, change: (body: Record<string, unknown>) => void): Exchange {
  const body = JSON.parse(Buffer.from(exchange.body).toString())
  change(body)
  return { ...exchange, body: Buffer.from(JSON.stringify(body)) }
}

function withHeader(exchange: Exchange, name: string, value: string | null): Exchange {
  const headers = new Headers(exchange.headers)
  if (value === null) headers.delete(name)
  else headers.set(name, value)
  return { ...exchange, headers }
}

const problemsOf = (exchange: Exchange) => currentCheck()(exchange).join('; ')

test('a good answer passes', async () => {
  expect(problemsOf(await good())).toBe('')
})

describe('a planted fault is found:', () => {
  const faults: [string, (exchange: Exchange) => Exchange, string][] = [
    ['a status', it => ({ ...it, status: 203 }), 'status 203 is not documented'],
    ['a path', it => ({ ...it, path: '/api/v1/generates' }), 'not in the document'],
    ['a method', it => ({ ...it, method: 'PUT' }), 'not in the document'],
    ['a new field', it => withBody(it, b => Object.assign(b, { secret: 1 })), 'secret'],
    ['a missing field', it => withBody(it, b => delete b.attempts), "property 'attempts'"],
    ['a wrong type', it => withBody(it, b => Object.assign(b, { attempts: '0' })), '/attempts'],
    ['a fraction', it => withBody(it, b => Object.assign(b, { progress: 0.5 })), '/progress'],
    [
      'a time with a fraction',
      it => withBody(it, b => Object.assign(b, { created_at: '2026-01-15T10:30:00.123Z' })),
      '/created_at must match format',
    ],
    [
      'a time with an offset',
      it => withBody(it, b => Object.assign(b, { created_at: '2026-01-15T10:30:00+00:00' })),
      '/created_at must match format',
    ],
    [
      'a day that is not',
      it => withBody(it, b => Object.assign(b, { created_at: '2026-13-15T10:30:00Z' })),
      '/created_at must match format',
    ],
    ['a sixth status', it => withBody(it, b => Object.assign(b, { status: 'paused' })), '/status'],
    [
      'a field of a part',
      it => withBody(it, b => Object.assign(b, { outputs: [{ index: 0, path: '/srv' }] })),
      '/outputs/0 must NOT have additional properties: path',
    ],
    ['no JSON', it => ({ ...it, body: Buffer.from('<html>') }), 'not JSON'],
    ['bad UTF-8', it => ({ ...it, body: Buffer.from([34, 255, 34]) }), 'not JSON'],
    ['a media type', it => withHeader(it, 'content-type', 'text/html'), 'text/html'],
    ['no request id', it => withHeader(it, 'x-request-id', null), 'x-request-id is missing'],
    ['sniffing', it => withHeader(it, 'x-content-type-options', null), 'x-content-type-options'],
    ['open CORS', it => withHeader(it, 'access-control-allow-origin', '*'), 'access-control'],
    ['a vague wait', it => withHeader(it, 'retry-after', '0'), 'Retry-After is 0'],
    ['a body of HEAD', it => ({ ...it, method: 'HEAD', path: '/health', status: 200 }), 'no body'],
    ['a known path as unknown', it => ({ ...it, isOutside: true }), 'in the document after all'],
  ]
  test.each(faults)('%s', async (_, spoil, says) => {
    expect(problemsOf(spoil(await good()))).toContain(says)
  })

  test('an error with another request id', async () => {
    const door = apiClient(app, { key: shop.keys.test.secret, user: 'ann' })
    const { status, headers, bytes } = await door.get('/api/v1/jobs/none')
    const it = { method: 'GET', path: '/api/v1/jobs/none', status, headers, body: bytes }
    expect(problemsOf(it)).toBe('')
    expect(problemsOf(withHeader(it, 'x-request-id', 'other'))).toContain('differ')
    const nested = withBody(it, body => Object.assign(body, { error: { message: 'no' } }))
    expect(problemsOf(nested)).toContain('/error must be string')
    expect(() => expectDocumented(currentCheck(), nested)).toThrow('GET /api/v1/jobs/none -> 404')
  })

  test('by a check around the app itself', async () => {
    const request = () =>
      new Request('http://localhost/api/v1/models', {
        headers: { 'x-api-key': shop.keys.test.secret },
      })
    expect((await checkedHandle(app.handle)(request())).status).toBe(200)
    const teapot = async (given: Request) => {
      const { body, headers } = await app.handle(given)
      return new Response(body, { headers, status: 418 })
    }
    await expect(checkedHandle(teapot)(request())).rejects.toThrow('status 418 is not documented')
  })
})
