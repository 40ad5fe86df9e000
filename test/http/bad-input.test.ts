import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type Answer, apiClient, type Body, type Client } from '@test/support/client'
import { type Tenant, tenant } from '@test/support/factory'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { type TestServer, testServer } from '@test/support/test-server'

/** Whatever is wrong with a request: a 4xx that says what, nothing made, nothing echoed, and never a 500. */
let server: TestServer
let shop: Tenant
let ann: Client
let job: string

beforeAll(async () => {
  server = await testServer()
  shop = await tenant(server.deps, { welcomeGrant: 10_000 })
  ann = apiClient(server, { key: shop.keys.test.secret, user: 'ann' })
  const slow = { prompt: 'a', provider_params: { sandbox: { latency_ms: 600_000, mode: 'async' } } }
  const made = await ann.post('/api/v1/generate', { model: 'sdxl', input: slow })
  job = made.json<{ job_id: string }>().job_id
  await server.runner.settleAll()
})
afterAll(async () => {
  expect(server.log.lines().filter(({ level }) => level === 'error')).toEqual([])
  expectLedgerInOrder(server.deps)
  await server.stop()
})

const TABLES = 'users jobs token_entries holds tasks files audit_log idempotency_keys inbox'
const counts = () =>
  TABLES.split(' ').map(table => [
    table,
    server.deps.db.sqlite.query(`SELECT count(*) AS n FROM ${table}`).get(),
  ])

let before: unknown
beforeEach(() => {
  before = counts()
})
afterEach(() => {
  expect(counts()).toEqual(before as never)
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(12)
})

const details = (answer: Answer) =>
  answer.json<{ details: { path: string; message: string }[] }>().details

function expectRefused(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.json().code]).toEqual([status, code])
}

const raw = (path: string, body: Body, type = 'application/json') =>
  ann.send('POST', path, { body, headers: { 'content-type': type } })

const GOOD = { model: 'gpt-image-1.5', input: { prompt: 'a heron' } }
const inInput = (fields: object) => ({ ...GOOD, input: { ...GOOD.input, ...fields } })
const sixteen = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v']))

/** What is wrong with it, the body, the path that the answer must name. */
const WRONG: [string, unknown, string][] = [
  ['no model', { input: {} }, 'model'],
  ['a number as model', { ...GOOD, model: 5 }, 'model'],
  ['null as model', { ...GOOD, model: null }, 'model'],
  ['an empty model', { ...GOOD, model: '' }, 'model'],
  ['a list as model', { ...GOOD, model: ['sdxl'] }, 'model'],
  ['an endless model', { ...GOOD, model: 'x'.repeat(101) }, 'model'],
  ['no input', { model: 'sdxl' }, 'input'],
  ['a text as input', { ...GOOD, input: 'a heron' }, 'input'],
  ['a list as input', { ...GOOD, input: [] }, 'input'],
  ['null as input', { ...GOOD, input: null }, 'input'],
  ['a number as prompt', inInput({ prompt: 5 }), 'input.prompt'],
  ['an empty prompt', inInput({ prompt: '' }), 'input.prompt'],
  ['a prompt of 33 KB', inInput({ prompt: 'x'.repeat(33 * 1024) }), 'input.prompt'],
  [
    'a prompt of 33 KB in two-byte letters',
    inInput({ prompt: 'é'.repeat(16_500) }),
    'input.prompt',
  ],
  ['a text as images', inInput({ images: 'https://example.com/a.png' }), 'input.images'],
  ['a number as image', inInput({ images: [5] }), 'input.images.0'],
  ['an image over http', inInput({ images: ['http://example.com/a.png'] }), 'input.images.0'],
  ['an image inside', inInput({ images: ['https://127.0.0.1/a.png'] }), 'input.images.0'],
  ['an image of a file', inInput({ images: ['file:///etc/passwd'] }), 'input.images.0'],
  ['an image as data', inInput({ images: ['data:image/png;base64,AAAA'] }), 'input.images.0'],
  ['too many images', inInput({ images: Array(5).fill('https://e.com/a') }), 'input.images'],
  ['an unknown ratio', inInput({ aspect_ratio: '17:9' }), 'input.aspect_ratio'],
  ['no outputs', inInput({ num_outputs: 0 }), 'input.num_outputs'],
  ['five outputs', inInput({ num_outputs: 5 }), 'input.num_outputs'],
  ['half an output', inInput({ num_outputs: 1.5 }), 'input.num_outputs'],
  ['outputs as text', inInput({ num_outputs: '1' }), 'input.num_outputs'],
  ['an unknown format', inInput({ output_format: 'gif' }), 'input.output_format'],
  ['a wrong own field', inInput({ quality: 'best' }), 'input.quality'],
  ['a field of another model', inInput({ negative_prompt: 'x' }), 'input.negative_prompt'],
  [
    'an unknown provider',
    inInput({ provider_params: { nobody: {} } }),
    'input.provider_params.nobody',
  ],
  [
    'a wrong sandbox parameter',
    inInput({ provider_params: { sandbox: { latency_ms: -1 } } }),
    'input.provider_params.sandbox.latency_ms',
  ],
  ['a priority of 0', { ...GOOD, priority: 0 }, 'priority'],
  ['a priority of 101', { ...GOOD, priority: 101 }, 'priority'],
  ['a priority as text', { ...GOOD, priority: '5' }, 'priority'],
  ['a webhook without scheme', { ...GOOD, webhook_url: 'example.com' }, 'webhook_url'],
  ['a webhook over http', { ...GOOD, webhook_url: 'http://example.com/' }, 'webhook_url'],
  ['a webhook inside', { ...GOOD, webhook_url: 'https://192.168.1.1/' }, 'webhook_url'],
  ['a webhook with a password', { ...GOOD, webhook_url: 'https://u:p@e.com/' }, 'webhook_url'],
  [
    'an endless webhook',
    { ...GOOD, webhook_url: `https://e.com/${'x'.repeat(2_048)}` },
    'webhook_url',
  ],
  ['null as webhook', { ...GOOD, webhook_url: null }, 'webhook_url'],
  ['17 metadata', { ...GOOD, metadata: sixteen }, 'metadata'],
  ['a number in metadata', { ...GOOD, metadata: { a: 5 } }, 'metadata.a'],
  ['a nested metadata', { ...GOOD, metadata: { a: { b: 'c' } } }, 'metadata.a'],
  ['long metadata', { ...GOOD, metadata: { a: 'x'.repeat(501) } }, 'metadata.a'],
  [
    'a long name in metadata',
    { ...GOOD, metadata: { ['x'.repeat(501)]: 'a' } },
    'metadata.(unnamed)',
  ],
  ['a list as metadata', { ...GOOD, metadata: ['a'] }, 'metadata'],
  ['an unknown field', { ...GOOD, modell: 'sdxl' }, 'modell'],
  ['an unknown field that is no word', { ...GOOD, 'a b\n<c>': 1 }, '(unnamed)'],
  ['constructor', { ...GOOD, constructor: { prototype: { a: 1 } } }, 'constructor'],
  ['constructor in the input', inInput({ constructor: 1 }), 'input.constructor'],
  ['a list as body', [GOOD], ''],
  ['a text as body', 'generate', ''],
  ['a number as body', 5, ''],
  ['true as body', true, ''],
  ['null as body', null, ''],
]

describe('generate refuses', () => {
  test.each(WRONG)('%s', async (_, body, path) => {
    const answer = await ann.post('/api/v1/generate', body)
    expectRefused(answer, 400, 'invalid_input')
    expect(details(answer).map(detail => detail.path)).toContain(path)
    for (const { message } of details(answer)) expect(message).toMatch(/^.{5,200}$/)
  })
  test.each(['no-such-model', 'constructor', '__proto__', 'mdl_00000000001', 'job_00000000001'])(
    'the model %s',
    async model => {
      expectRefused(await ann.post('/api/v1/generate', { ...GOOD, model }), 404, 'model_not_found')
    },
  )
  test('a field of the provider in the wrong place, and says where it goes', async () => {
    const answer = await ann.post('/api/v1/generate', inInput({ guidance_scale: 7 }))
    expect(details(answer)).toEqual([
      {
        path: 'input.guidance_scale',
        message: expect.stringContaining('input.provider_params.<provider>'),
      },
    ])
  })
  test('sandbox parameters in a live job', async () => {
    const body = inInput({ provider_params: { sandbox: {} } })
    const answer = await ann.post('/api/v1/generate', body, { key: shop.keys.live.secret })
    expectRefused(answer, 400, 'invalid_input')
    expect(details(answer)[0]?.path).toBe('input.provider_params.sandbox')
  })
  test('a live job that nobody can serve', async () => {
    const answer = await ann.post('/api/v1/generate', GOOD, { key: shop.keys.live.secret })
    expectRefused(answer, 503, 'no_provider_available')
  })
})

describe('tokens refuse', () => {
  const amounts = [
    '0',
    '-1',
    '1.5',
    '"5"',
    '1e999',
    '1e21',
    '9007199254740993',
    '1000000001',
    'null',
    'true',
    '[5]',
  ]
  test.each(amounts)('an amount of %s', async amount => {
    const answer = await raw('/api/v1/users/ann/tokens', `{"amount":${amount},"reason":"r"}`)
    expectRefused(answer, 400, 'invalid_input')
    const item = `{"external_id":"ann","amount":${amount},"reason":"r"}`
    const batch = await raw('/api/v1/users/tokens/batch', `{"grants":[${item}]}`)
    expectRefused(batch, 400, 'invalid_input')
    expect(details(batch)[0]?.path).toBe('grants.0.amount')
  })
  const wrong: [string, unknown, string][] = [
    ['no reason', { amount: 1 }, 'reason'],
    ['an empty reason', { amount: 1, reason: '' }, 'reason'],
    ['an endless reason', { amount: 1, reason: 'x'.repeat(501) }, 'reason'],
    ['an unknown type', { amount: 1, reason: 'r', type: 'EXPIRY' }, 'type'],
  ]
  test.each(wrong)('%s', async (_, body, path) => {
    const answer = await ann.post('/api/v1/users/ann/tokens', body)
    expectRefused(answer, 400, 'invalid_input')
    expect(details(answer)[0]?.path).toBe(path)
  })
  test('a batch of none, of too many, and one bad among good', async () => {
    const good = { external_id: 'new-user', amount: 1, reason: 'r' }
    const server = ann.as({ key: shop.keys.test.secret })
    for (const grants of [
      [],
      Array(1_001).fill(good),
      [good, { ...good, external_id: 'me' }],
      [good, { ...good, external_id: 'a b' }],
      [good, { ...good, more: 1 }],
      [good, null],
    ]) {
      expectRefused(
        await server.post('/api/v1/users/tokens/batch', { grants }),
        400,
        'invalid_input',
      )
    }
  })
})

describe('users refuse', () => {
  test.each([
    '',
    'me',
    'tokens',
    '.',
    '..',
    'a b',
    'a/b',
    'é',
    'a\u0000',
    'x'.repeat(129),
    5,
    null,
    {},
  ])('the id %p', async external_id => {
    const answer = await ann.post('/api/v1/users', { external_id })
    expectRefused(answer, 400, 'invalid_input')
  })
  test.each([
    { is_active: 'yes' },
    { is_active: null },
    { metadata: null },
    { external_id: 'bob' },
    { token_balance: 1 },
    { list: [] },
  ])('the change %p', async given => {
    const change = 'list' in given ? given.list : given
    expectRefused(await ann.patch('/api/v1/users/ann', change), 400, 'invalid_input')
  })
})

describe('a body', () => {
  const json = JSON.stringify(GOOD)
  const withPrompt = (prompt: string) => json.replace('a heron', prompt)

  test.each([
    '{',
    '{"model":',
    'undefined',
    "{'a':1}",
    `${json},`,
    `${json}x`,
    '[1',
    'NaN',
    '{"a":01}',
    '// a',
    '\u0000',
    '{"a":"\n"}',
    '<a/>',
    'model=sdxl',
  ])('that is not JSON is a 400: %p', async text => {
    const answer = await raw('/api/v1/generate', text)
    expectRefused(answer, 400, 'invalid_input')
    expect(details(answer)).toEqual([{ path: '', message: 'is not valid JSON' }])
  })
  test.each(['', ' ', '\n\t\r\n'])('that is empty is a 400: %p', async text => {
    expectRefused(await raw('/api/v1/generate', text), 400, 'invalid_input')
  })
  test('that is not there is a 400, with or without a media type', async () => {
    expectRefused(await ann.post('/api/v1/generate'), 400, 'invalid_input')
    const headers = { 'content-type': 'application/json' }
    expectRefused(await ann.send('POST', '/api/v1/generate', { headers }), 400, 'invalid_input')
  })
  test.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/json/x',
    'text/json',
    'application/octet-stream',
    '',
    'json',
    'application/json, text/plain',
  ])('of the media type %p is a 415', async type => {
    const answer = await raw('/api/v1/generate', json, type)
    expectRefused(answer, 415, 'unsupported_media')
    expect(answer.json()).toMatchObject({ allowed: ['application/json'] })
  })
  test.each([
    ['a NUL', withPrompt('a\\u0000b')],
    ['a NUL in a name', json.replace('{', '{"a\\u0000":1,')],
    ['half a surrogate pair', withPrompt('\\ud83d')],
    ['the other half', withPrompt('\\ude00')],
    ['a pair the wrong way round', withPrompt('\\ude00\\ud83d')],
    ['half a pair in a name', json.replace('{', '{"\\ud83d":1,')],
  ])('with %s, escaped, is a 400', async (_, text) => {
    expectRefused(await raw('/api/v1/generate', text), 400, 'invalid_input')
  })
  test.each([
    ['a stray byte', [0xff]],
    ['half a letter', [0xc3]],
    ['a byte too many', [0xc3, 0xa9, 0xa9]],
    ['an overlong form', [0xc0, 0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ])('that is not UTF-8 is a 400: %s', async (_, bytes) => {
    const [head = '', tail = ''] = json.split('a heron')
    const body = Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)])
    const answer = await raw('/api/v1/generate', new Uint8Array(body))
    expectRefused(answer, 400, 'invalid_input')
    expect(details(answer)).toEqual([{ path: '', message: 'is not valid UTF-8' }])
    const streamed = await raw('/api/v1/generate', streamOf([new Uint8Array(body)]))
    expectRefused(streamed, 400, 'invalid_input')
  })
  test.each([
    ['at the top', '{"__proto__":{"polluted":1},"model":"sdxl","input":{"prompt":"a"}}'],
    ['escaped', '{"\\u005f_proto__":{"polluted":1},"model":"sdxl","input":{"prompt":"a"}}'],
    ['in the input', '{"model":"sdxl","input":{"prompt":"a","__proto__":{"seed":1}}}'],
    ['in metadata', '{"model":"sdxl","input":{"prompt":"a"},"metadata":{"__proto__":"x"}}'],
    [
      'in provider parameters',
      '{"model":"sdxl","input":{"prompt":"a","provider_params":{"__proto__":{"sandbox":{}}}}}',
    ],
    ['as input', '{"model":"sdxl","input":{"__proto__":{"prompt":"a"}}}'],
    ['as body', '{"__proto__":{"model":"sdxl","input":{"prompt":"a"}}}'],
  ])('with __proto__ %s is a 400 and changes no object', async (_, text) => {
    expectRefused(await raw('/api/v1/generate', text), 400, 'invalid_input')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
  test.each([33, 1_000, 100_000])('that nests %d levels deep is a 400', async depth => {
    const lists = '['.repeat(depth) + ']'.repeat(depth)
    const objects = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    for (const text of [lists, objects, withPrompt(`","b":${lists},"c":"`), '['.repeat(depth)]) {
      expectRefused(await raw('/api/v1/generate', text), 400, 'invalid_input')
    }
  })
  test('that nests 32 levels deep is looked at, and 33 are not', async () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    const path = async (depth: number) => details(await raw('/api/v1/users', nested(depth)))
    expect(await path(33)).toEqual([{ path: '', message: 'nests deeper than 32 levels' }])
    expect((await path(32)).map(detail => detail.path)).toContain('external_id')
  })
  test('with brackets in its texts is not deep', async () => {
    const text = withPrompt('[{'.repeat(100)).replace('gpt-image-1.5', 'no-such-model')
    expectRefused(await raw('/api/v1/generate', text), 404, 'model_not_found')
  })
  test('of 2 MB is a 413, whole or in pieces, whatever it holds', async () => {
    const large = withPrompt('x'.repeat(2_000_000))
    const pieces = () => {
      const bytes = new TextEncoder().encode(large)
      return Array.from({ length: 20 }, (_, i) => bytes.subarray(i * 100_001, (i + 1) * 100_001))
    }
    for (const [body, type] of [
      [large, 'application/json'],
      [streamOf(pieces()), 'application/json'],
      [large, 'text/plain'],
    ] as const) {
      const answer = await raw('/api/v1/generate', body, type)
      expectRefused(answer, 413, 'too_large')
      expect(answer.json()).toMatchObject({ max_bytes: 1_048_576 })
    }
  })
  test('of just 1 MB is read', async () => {
    const fits = withPrompt('x'.repeat(1_048_576 - json.length + 'a heron'.length))
    expect(fits).toHaveLength(1_048_576)
    for (const body of [fits, streamOf([new TextEncoder().encode(fits)])]) {
      const answer = await raw('/api/v1/generate', body)
      expectRefused(answer, 400, 'invalid_input')
      expect(details(answer)[0]?.path).toBe('input.prompt')
    }
    const larger = await raw('/api/v1/generate', streamOf([new TextEncoder().encode(`${fits} `)]))
    expectRefused(larger, 413, 'too_large')
  })
  test('of a GET or a DELETE is not looked at', async () => {
    const answer = await ann.send('DELETE', '/api/v1/jobs/job_00000000001', {
      body: '{',
      headers: { 'content-type': 'application/xml' },
    })
    expectRefused(answer, 404, 'not_found')
  })
})

function streamOf(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
}

describe('a path', () => {
  const IDS = [
    '%',
    '%zz',
    '%ff',
    '%c3%28',
    '%00',
    '%2e%2e',
    'a%2fb',
    '%252e',
    '..%2f..',
    '%5c',
    "'",
    '"',
    '%20',
    '*',
    '(',
    'null',
    'undefined',
    '__proto__',
    'constructor',
    'x'.repeat(8_000),
  ]
  test.each(IDS)('with the id %p is a 404', async id => {
    for (const path of [
      `/api/v1/jobs/${id}`,
      `/api/v1/users/${id}`,
      `/api/v1/users/${id}/tokens`,
    ]) {
      expectRefused(await ann.get(path), 404, 'not_found')
    }
    expectRefused(await ann.post(`/api/v1/jobs/${id}/cancel`), 404, 'not_found')
    expectRefused(await ann.delete(`/api/v1/users/${id}`), 404, 'not_found')
    expectRefused(await ann.get(`/files/${id}?exp=1&sig=x`), 404, 'not_found')
  })
  test('with an id of another kind is a 404', async () => {
    for (const prefix of [
      'usr',
      'txn',
      'fil',
      'key',
      'app',
      'mdl',
      'prv',
      'evt',
      'whd',
      'att',
      'JOB',
    ]) {
      const id = job.replace('job', prefix)
      expectRefused(await ann.get(`/api/v1/jobs/${id}`), 404, 'not_found')
      expectRefused(await ann.delete(`/api/v1/jobs/${id}`), 404, 'not_found')
    }
    for (const id of [job.slice(0, -1), `${job}0`, job.toUpperCase(), ` ${job}`, `${job}.json`]) {
      const path = `/api/v1/jobs/${encodeURIComponent(id)}`
      expectRefused(await ann.get(path), 404, 'not_found')
    }
    expect((await ann.get(`/api/v1/jobs/${job}`)).status).toBe(200)
  })
  test('with the wrong method is a 404', async () => {
    const routes: [string, string[]][] = [
      ['/api/v1/generate', ['GET', 'PUT', 'PATCH', 'DELETE']],
      ['/api/v1/jobs', ['POST', 'PUT', 'PATCH', 'DELETE']],
      [`/api/v1/jobs/${job}`, ['POST', 'PUT', 'PATCH']],
      [`/api/v1/jobs/${job}/cancel`, ['GET', 'PUT', 'PATCH', 'DELETE']],
      ['/api/v1/users', ['PUT', 'PATCH', 'DELETE']],
      ['/api/v1/users/ann', ['POST', 'PUT']],
      ['/api/v1/users/ann/tokens', ['PUT', 'PATCH', 'DELETE']],
      ['/api/v1/users/ann/token', ['GET', 'PUT', 'DELETE']],
      ['/api/v1/models', ['POST', 'PUT', 'DELETE']],
      ['/health', ['POST', 'DELETE']],
      ['/docs', ['POST']],
      ['/files/x', ['POST', 'DELETE']],
    ]
    for (const [path, methods] of routes) {
      for (const method of methods) {
        expectRefused(await ann.send(method, path, { isOutside: true }), 404, 'not_found')
      }
    }
  })
  test.each([
    '/',
    '/api',
    '/api/v1',
    '/api/v2/models',
    '/API/V1/MODELS',
    '/api/v1/jobs/a/b',
    '/api/v1/generate/x',
    '/docs/plugin.json',
    '/docs/scalar.js',
    '/.env',
    '/metrics',
    '/favicon.ico',
    `/${'a/'.repeat(2_000)}`,
  ])('that is no route is a 404: %p', async path => {
    expectRefused(await ann.get(path, { isOutside: true }), 404, 'not_found')
  })
})

describe('a query', () => {
  test.each([
    '%',
    '%zz',
    'limit[]=5',
    'limit=5&limit=x',
    'limit',
    '__proto__=1',
    '=',
    'a',
    'LIMIT=5',
    'limit=%00',
    'cursor[$ne]=1',
    'status[]=queued',
  ])('that makes no sense is a 400: %p', async query => {
    expectRefused(await ann.get(`/api/v1/jobs?${query}`), 400, 'invalid_input')
    expect(({} as Record<string, unknown>)['1']).toBeUndefined()
  })
  test.each(['', '&', '&&&', 'limit=5', 'limit=5&', 'limit=9&limit=5'])(
    'that says little is taken: %p',
    async query => {
      expect((await ann.get(`/api/v1/jobs?${query}`)).status).toBe(200)
    },
  )
  test('where there is none to read is ignored', async () => {
    expect((await ann.get('/api/v1/models?a=1&__proto__=2')).status).toBe(200)
    expect((await ann.get(`/api/v1/jobs/${job}?limit=x`)).status).toBe(200)
  })
})
