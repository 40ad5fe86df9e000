import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient } from '@test/support/client'
import { type Tenant, tenant } from '@test/support/factory'
import { type TestServer, testServer } from '@test/support/test-server'

/** What no client library sends: requests as bytes on a socket. */
let server: TestServer
let shop: Tenant
let port: number

beforeAll(async () => {
  server = await testServer()
  shop = await tenant(server.deps, { welcomeGrant: 100 })
  port = Number(new URL(server.url).port)
})
afterAll(async () => {
  expect(server.log.lines().filter(({ level }) => level === 'error')).toEqual([])
  await server.stop()
})

/** Sends these bytes and reads until the server hangs up. */
async function raw(...parts: (string | Uint8Array)[]): Promise<string> {
  const received: Uint8Array[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      open(socket) {
        socket.write(Buffer.concat(parts.map(part => Buffer.from(part as string, 'latin1'))))
      },
      data(_, bytes) {
        received.push(new Uint8Array(bytes))
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  })
  await promise
  return Buffer.concat(received).toString('latin1')
}

const statusOf = (answer: string) => Number(answer.split(' ')[1])
const bodyOf = (answer: string) =>
  JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>

const get = (path: string, headers: string[] = [], host = 'hub.example') =>
  raw(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-API-Key: ${shop.keys.test.secret}\r\n`,
    ...headers.map(header => `${header}\r\n`),
    'Connection: close\r\n\r\n',
  )

const post = (path: string, headers: string[], body: string) =>
  raw(
    `POST ${path} HTTP/1.1\r\nHost: hub.example\r\nX-API-Key: ${shop.keys.test.secret}\r\n`,
    'Content-Type: application/json\r\nConnection: close\r\n',
    ...headers.map(header => `${header}\r\n`),
    `\r\n${body}`,
  )

const users = () => server.deps.db.sqlite.query('SELECT count(*) AS n FROM users').get()

describe('the Host', () => {
  test.each(['x', 'ab', 'hub', 'hub4', 'hub:3000', '[::1]', '127.0.0.1', 'a.example'])(
    'may be as short as %s',
    async host => {
      expect(statusOf(await get('/api/v1/models', [], host))).toBe(200)
      expect(statusOf(await get('/health?a=/b', [], host))).toBe(200)
    },
  )
  test.each(['a"b', 'a<b>', 'a b', "a'b", 'a\\b', 'a@b', 'a%0d%0ab'])(
    'that is none (%s) is in no link',
    async host => {
      const job = await finishedJob()
      const answer = await get(`/api/v1/jobs/${job}`, [], host)
      // The wire may refuse it, or no address can be made of it; else it is as if none were there.
      const links = answer.match(/"url":"[^"]+/g) ?? []
      for (const link of links) expect(link).toStartWith(`"url":"http://localhost:${port}/files/`)
      expect([statusOf(answer), links.length]).toBeOneOf([
        [200, 1],
        [400, 0],
        [404, 0],
      ])
    },
  )
  test('is what links begin with', async () => {
    const answer = await get(`/api/v1/jobs/${await finishedJob()}`, [], 'hub.example:8080')
    const [output] = bodyOf(answer).outputs as { url: string }[]
    expect(output?.url).toStartWith('http://hub.example:8080/files/fil_')
  })
  test('may not be missing', async () => {
    expect(statusOf(await raw('GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'))).toBe(400)
  })
})

let madeOnce: Promise<string> | null = null
function finishedJob(): Promise<string> {
  madeOnce ??= (async () => {
    const door = apiClient(server, { key: shop.keys.test.secret, user: 'ann' })
    const params = { sandbox: { canned: true } }
    const made = await door.post('/api/v1/generate', {
      model: 'sdxl',
      input: { prompt: 'a', provider_params: params },
    })
    await server.runner.settleAll()
    return made.json<{ job_id: string }>().job_id
  })()
  return madeOnce
}

describe('a request with two lengths', () => {
  const smuggled = `GET /api/v1/users/smuggled HTTP/1.1\r\nHost: hub.example\r\n\r\n`
  const body = '{"external_id":"smuggled"}'
  test.each([
    [
      'length and chunks',
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      `0\r\n\r\n${smuggled}`,
    ],
    [
      'chunks and length',
      ['Transfer-Encoding: chunked', 'Content-Length: 4'],
      `0\r\n\r\n${smuggled}`,
    ],
    ['two lengths', ['Content-Length: 2', `Content-Length: ${body.length}`], body],
    ['a list of lengths', [`Content-Length: ${body.length}, 2`], body],
    ['a negative length', ['Content-Length: -5'], body],
    ['a length that is no number', ['Content-Length: 0x1a'], body],
    ['an unknown coding', ['Transfer-Encoding: xchunked'], body],
  ])('is refused: %s', async (_, headers, sent) => {
    const before = users()
    const answer = await post('/api/v1/users', headers, sent)
    expect(statusOf(answer)).toBeGreaterThanOrEqual(400)
    expect(answer.split('HTTP/1.1 ').length - 1).toBe(1)
    expect(users()).toEqual(before)
  })
})

describe('a body in chunks', () => {
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
  test('is read', async () => {
    const sent = `${chunk('{"external_id":')}${chunk('"in-pieces"}')}0\r\n\r\n`
    const answer = await post('/api/v1/users', ['Transfer-Encoding: chunked'], sent)
    expect([statusOf(answer), bodyOf(answer).external_id]).toEqual([201, 'in-pieces'])
  })
  test('is a 413 as soon as it is too large', async () => {
    const sent = `${chunk('x'.repeat(600_000)).repeat(2)}0\r\n\r\n`
    const answer = await post('/api/v1/users', ['Transfer-Encoding: chunked'], sent)
    expect([statusOf(answer), bodyOf(answer).code]).toEqual([413, 'too_large'])
  })
  test('that was announced is let come', async () => {
    const body = '{"external_id":"expected"}'
    const headers = ['Expect: 100-continue', `Content-Length: ${body.length}`]
    const answer = await post('/api/v1/users', headers, body)
    expect(answer).toStartWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n')
  })
})

describe('a header', () => {
  test('of letters beyond ASCII is no user and no request id', async () => {
    const user = await get('/api/v1/jobs', ['X-User-ID: \xe9'])
    expect([statusOf(user), bodyOf(user).code]).toEqual([400, 'invalid_input'])
    const named = await get('/health', ['X-Request-ID: caf\xe9'])
    expect(named).toMatch(/x-request-id: [0-9a-f]{8}-[0-9a-f-]{27}\r\n/i)
  })
  test('that comes twice is no user, no key and no idempotency key', async () => {
    const user = await get('/api/v1/jobs', ['X-User-ID: ann', 'X-User-ID: bob'])
    expect(statusOf(user)).toBe(400)
    const key = await get('/api/v1/jobs', [`X-API-Key: ${shop.keys.live.secret}`])
    expect([statusOf(key), bodyOf(key).code]).toEqual([401, 'invalid_api_key'])
  })
  test('with a NUL or of 64 KB is refused by the wire', async () => {
    expect(statusOf(await get('/health', ['X-User-ID: a\0b']))).toBe(400)
    expect(statusOf(await get('/health', [`X-User-ID: ${'a'.repeat(65_536)}`]))).toBe(431)
  })
  test.each([
    'X-HTTP-Method-Override: DELETE',
    'X-Original-URL: /health',
    'X-Rewrite-URL: /health',
    'Forwarded: host=evil.example',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'Upgrade: websocket',
  ])('changes nothing: %s', async header => {
    const answer = await get(`/api/v1/jobs/${await finishedJob()}`, [header])
    expect(statusOf(answer)).toBe(200)
    const [output] = bodyOf(answer).outputs as { url: string }[]
    expect(output?.url).toStartWith('http://hub.example/files/')
  })
})

describe('a path', () => {
  test.each([
    '/api/v1/users/\xe9\xff',
    '/api/v1/users/a\\b',
    '/api/v1/users/a|b',
    '/api/v1/users/<b>',
    '/api/v1/users/..',
    '/api/v1/../../etc/passwd',
    '/files/../hub.db',
    '/files/..%2f..%2fhub.db',
    '//evil.example/',
    '/api/v1/jobs/%',
  ])('as it comes, %p, leads nowhere', async path => {
    expect([path, statusOf(await get(path))]).toEqual([path, 404])
  })
  test('with a host in it is the same path', async () => {
    expect(statusOf(await get('http://hub.example/health'))).toBe(200)
  })
})

test('two requests in one go get two answers, in order', async () => {
  const one = (id: string, last: string) =>
    `GET /health HTTP/1.1\r\nHost: hub.example\r\nX-Request-ID: ${id}\r\n${last}\r\n`
  const answer = await raw(one('first', ''), one('second', 'Connection: close\r\n'))
  expect([...answer.matchAll(/x-request-id: (\w+)/gi)].map(([, id]) => id)).toEqual([
    'first',
    'second',
  ])
})

test('what is no HTTP gets no more than a 400', async () => {
  for (const text of ['\x16\x03\x01\x02\x00', 'HELO hub\r\n\r\n', 'GET\r\n\r\n']) {
    const answer = await raw(text)
    expect(answer === '' || statusOf(answer) >= 400).toBe(true)
  }
  expect((await apiClient(server).get('/health')).status).toBe(200)
})
