import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Answer, apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { IMAGE_FAMILIES } from '@/domain/catalog'

/** `POST /api/v1/image/:family`: generate by another name, in both of its forms. */
let hub: TestHub
let shop: Tenant
let client: Client
let ann: Client

const MODEL = 'flux-2-klein'

beforeAll(async () => {
  hub = await testHub({ isRunning: false, providers: [fakeProvider({ name: 'replicate' })] })
  shop = await tenant(hub.deps, { welcomeGrant: 10_000 })
  client = apiClient(httpDoor(hub.deps))
  ann = client.as({ key: shop.keys.test.secret, user: 'ann' })
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  expect(hub.log.lines().filter(({ level }) => level === 'error')).toEqual([])
  await hub.close()
})

const post = (family: string, json: unknown, door = ann) =>
  door.post(`/api/v1/image/${family}`, json)
const problems = (answer: Answer) =>
  answer.json<{ details: { path: string; message: string }[] }>().details
const count = () => hub.deps.db.sqlite.query('SELECT count(*) AS n FROM jobs').get()

/** What the last job's model was given, as it is stored. */
function storedInput(): unknown {
  const row = hub.deps.db.sqlite
    .query('SELECT input FROM job_inputs ORDER BY job_id DESC LIMIT 1')
    .get() as { input: string }
  return JSON.parse(row.input)
}

function setReplicate(isEnabled: 0 | 1): void {
  hub.deps.db.sqlite.run("UPDATE providers SET is_enabled = ? WHERE name = 'replicate'", [
    isEnabled,
  ])
  hub.deps.cache.clear()
}

describe('every family', () => {
  test.each(IMAGE_FAMILIES)('%s answers with a job of its own', async family => {
    const made = await post(family, { prompt: 'a heron' })
    expect(made.status).toBe(202)
    expect(made.json()).toMatchObject({
      kind: 'image',
      status: 'queued',
      user_balance: expect.any(Number),
      estimated_wait_seconds: expect.any(Number),
    })
    expect(made.headers.get('retry-after')).not.toBeNull()
  })
  test.each(['kling', 'gpt-image', 'FLUX', 'constructor', '__proto__', '%20'])(
    '%s is none: 404',
    async family => {
      const answer = await post(family, { prompt: 'a heron' })
      expect([answer.status, answer.json().code]).toEqual([404, 'not_found'])
    },
  )
})

describe('both forms mean the same', () => {
  const FORMS: [string, unknown][] = [
    [
      'flat',
      {
        model: MODEL,
        prompt: 'a heron',
        references: ['https://example.com/a.png'],
        aspectRatio: '16:9',
        numOutputs: 2,
        outputFormat: 'webp',
        seed: 7,
        providerOptions: { replicate: { go_fast: true }, sandbox: { canned: true } },
      },
    ],
    [
      'generate’s',
      {
        model: MODEL,
        input: {
          prompt: 'a heron',
          images: ['https://example.com/a.png'],
          aspect_ratio: '16:9',
          num_outputs: 2,
          output_format: 'webp',
          seed: 7,
          provider_params: { replicate: { go_fast: true }, sandbox: { canned: true } },
        },
      },
    ],
  ]
  test.each(FORMS)('%s', async (_, body) => {
    const before = (await ann.get('/api/v1/users/me')).json<{ token_balance: number }>()
    const made = await post('flux', body)
    expect([made.status, made.json().model]).toEqual([202, MODEL])
    expect(made.json()).toMatchObject({
      tokens_charged: 4,
      user_balance: before.token_balance - 4,
    })
    expect(storedInput()).toEqual({
      prompt: 'a heron',
      images: ['https://example.com/a.png'],
      aspectRatio: '16:9',
      numOutputs: 2,
      outputFormat: 'webp',
      extra: { seed: 7 },
      providerParams: {
        replicate: { go_fast: true },
        sandbox: { canned: true, latency_ms: 0, mode: 'sync' },
      },
    })
  })
  test('but not together', async () => {
    const [, [, both]] = FORMS as [unknown, [string, { model: string; input: object }]]
    const before = count()
    for (const [name, value] of Object.entries({
      prompt: '',
      references: [],
      aspectRatio: '1:1',
      numOutputs: 0,
      outputFormat: 'png',
      seed: 0,
      providerOptions: {},
    })) {
      const answer = await post('flux', { ...both, [name]: value })
      expect([name, answer.status, problems(answer)]).toEqual([
        name,
        400,
        [{ path: name, message: expect.stringContaining('`input`') }],
      ])
    }
    expect(count()).toEqual(before)
  })
})

describe('the model', () => {
  test('that is not named is the cheapest that takes what comes along', async () => {
    expect((await post('flux', { prompt: 'a' })).json().model).toBe('flux-schnell')
    const references = ['https://example.com/a.png']
    expect((await post('flux', { prompt: 'a', references })).json().model).toBe(MODEL)
    const input = { prompt: 'a', images: references }
    expect((await post('reve', { input })).json()).toMatchObject({
      model: 'reve-edit',
      kind: 'image_edit',
    })
  })
  test.each(['flux-dev', 'luma-ray-2'])('%s is none of luma’s pictures', async model => {
    const answer = await post('luma', { model, prompt: 'a' })
    expect([answer.status, problems(answer)]).toEqual([
      400,
      [{ path: 'model', message: expect.stringContaining('luma-photon, luma-photon-flash') }],
    ])
  })
  test('that nobody sells is a 404', async () => {
    const answer = await post('flux', { model: 'none', prompt: 'a' })
    expect([answer.status, answer.json().code]).toEqual([404, 'model_not_found'])
  })
  test('that no provider serves is a 503, and nothing is held', async () => {
    const live = ann.as({ key: shop.keys.live.secret })
    setReplicate(0)
    const answer = await post('flux', { prompt: 'a' }, live)
    expect([answer.status, answer.json().code]).toEqual([503, 'no_provider_available'])
    setReplicate(1)
    expect((await post('flux', { prompt: 'a' }, live)).status).toBe(202)
  })
})

describe('a wrong field is named as the caller wrote it:', () => {
  const WRONG: [string, object, string, string | RegExp][] = [
    ['no prompt', {}, 'prompt', /./],
    ['an empty prompt', { prompt: '' }, 'prompt', /./],
    ['a prompt of 33 KB', { prompt: 'x'.repeat(33 * 1_024) }, 'prompt', '32768'],
    ['an unknown field', { aspect_ratio: '1:1' }, 'aspect_ratio', 'not a field of this request'],
    ['an unknown ratio', { aspectRatio: '17:9' }, 'aspectRatio', '16:9'],
    ['five outputs', { numOutputs: 5 }, 'numOutputs', '4'],
    ['an unknown format', { outputFormat: 'gif' }, 'outputFormat', 'webp'],
    ['a negative seed', { seed: -1 }, 'seed', /./],
    ['a field of another model', { model: 'flux-2-klein', seed: 1.5 }, 'seed', /int/],
    ['a reference over http', { references: ['http://example.com/'] }, 'references.0', 'https'],
    ['a reference inside', { references: ['https://10.0.0.1/a'] }, 'references.0', /./],
    ['a reference as data', { references: ['data:image/png;base64,AA'] }, 'references.0', 'https'],
    [
      'too many references',
      { references: Array(5).fill('https://example.com/a') },
      'references',
      '4',
    ],
    [
      'references for a model of words',
      { model: 'flux-dev', references: ['https://example.com/a'] },
      'references',
      'takes no pictures',
    ],
    ['a picture as data', { imageBase64: 'AAAA' }, 'imageBase64', '`references`'],
    ['a picture as null', { imageBase64: null }, 'imageBase64', '`references`'],
    ['a picture of no bytes', { imageBase64: '' }, 'imageBase64', '`references`'],
    [
      'options of nobody',
      { providerOptions: { guidance_scale: 3 } },
      'providerOptions.guidance_scale',
      'is no provider',
    ],
    [
      'options of another vendor’s name',
      { providerOptions: { google: { a: 1 } } },
      'providerOptions.google',
      'is no provider',
    ],
    [
      'options that are none',
      { providerOptions: { replicate: true } },
      'providerOptions.replicate',
      /./,
    ],
    [
      'a wrong option',
      { providerOptions: { sandbox: { latency_ms: -1 } } },
      'providerOptions.sandbox.latency_ms',
      /./,
    ],
    [
      'an option that has a field of its own',
      { providerOptions: { fal: { image_url: 'https://example.com/a' } } },
      'providerOptions.fal.image_url',
      'goes under references',
    ],
    ['a webhook inside', { webhook_url: 'https://10.0.0.1/' }, 'webhook_url', /./],
  ]
  test.each(WRONG)('%s', async (_, fields, path, says) => {
    const before = count()
    const answer = await post('flux', { ...(path === 'prompt' ? {} : { prompt: 'a' }), ...fields })
    expect([answer.status, answer.json().code]).toEqual([400, 'invalid_input'])
    const found = problems(answer)
    expect(found.map(problem => problem.path)).toEqual([path])
    expect(found[0]?.message).toMatch(says)
    expect(answer.text).not.toContain('provider_params')
    expect(count()).toEqual(before)
  })
  test('a seed for a model that takes none', async () => {
    const answer = await post('chatgpt', { prompt: 'a', seed: 1 })
    expect([answer.status, problems(answer)]).toEqual([
      400,
      [{ path: 'seed', message: 'is not a field of this model' }],
    ])
  })
  test('in generate’s form as generate names it', async () => {
    const answer = await post('flux', { input: { prompt: 'a', num_outputs: 5 } })
    expect(problems(answer).map(({ path }) => path)).toEqual(['input.num_outputs'])
  })
})

describe('an idempotency key', () => {
  const headers = { 'idempotency-key': 'one-key' }
  const replayed = (answer: Answer) => answer.headers.get('idempotent-replayed')
  test('is of one path: generate and two families are three jobs', async () => {
    const bob = client.as({ key: shop.keys.test.secret, user: 'bob', headers })
    const calls = [
      ['/api/v1/generate', { model: 'flux-schnell', input: { prompt: 'a' } }],
      ['/api/v1/image/flux', { prompt: 'a' }],
      ['/api/v1/image/qwen', { prompt: 'a' }],
    ] as const
    const ids = new Set<unknown>()
    for (const [path, json] of calls) {
      const made = await bob.post(path, json)
      expect([path, made.status, replayed(made)]).toEqual([path, 202, null])
      ids.add(made.json().job_id)
    }
    for (const [path, json] of calls) {
      const again = await bob.post(path, json)
      expect([path, again.status, replayed(again)]).toEqual([path, 202, 'true'])
      ids.add(again.json().job_id)
    }
    expect(ids.size).toBe(3)
  })
  test('gets its job even when the model has gone since', async () => {
    const cat = client.as({ key: shop.keys.test.secret, user: 'cat', headers })
    for (const body of [{ prompt: 'a' }, { prompt: 'a', model: 'recraft-v3' }]) {
      const at = cat.as({ headers: { 'idempotency-key': `gone-${Object.keys(body).length}` } })
      const made = await post('recraft', body, at)
      hub.deps.db.sqlite.run("UPDATE models SET is_enabled = 0 WHERE family = 'recraft'")
      hub.deps.cache.clear()
      const again = await post('recraft', body, at)
      expect([again.status, again.json().job_id]).toEqual([202, made.json().job_id])
      const other = await post('recraft', body, cat)
      expect([other.status, other.json().code]).toEqual([404, 'model_not_found'])
      hub.deps.db.sqlite.run("UPDATE models SET is_enabled = 1 WHERE family = 'recraft'")
      hub.deps.cache.clear()
    }
  })
})

test('an app’s own key sets no priority and no webhook here either', async () => {
  const app = client.as({ key: shop.keys.test.publishable, user: 'ann' })
  for (const extra of [{ priority: 1 }, { webhook_url: 'https://hook.example.com/x' }]) {
    const answer = await post('flux', { prompt: 'a', ...extra }, app)
    expect([answer.status, answer.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'forbidden', required_scope: 'secret' }),
    ])
  }
  expect((await post('flux', { prompt: 'a' }, app)).status).toBe(202)
})

test('it counts as a change, like generate', async () => {
  const narrow = await tenant(hub.deps, { rateLimitPerUser: 1, welcomeGrant: 10 })
  const door = client.as({ key: narrow.keys.test.secret, user: 'ann' })
  expect((await post('flux', { prompt: 'a' }, door)).status).toBe(202)
  const generate = { model: 'flux-schnell', input: { prompt: 'a' } }
  expect((await door.post('/api/v1/generate', generate)).status).toBe(429)
})

test('a provider gets the options that are under its name', async () => {
  const vendor = fakeProvider({ name: 'replicate' })
  const other = await testHub({ providers: [vendor] })
  try {
    const { keys } = await tenant(other.deps, { welcomeGrant: 10 })
    const live = apiClient(httpDoor(other.deps), { key: keys.live.secret, user: 'ann' })
    const providerOptions = { replicate: { go_fast: true }, fal: { acceleration: 'high' } }
    const made = await post('flux', { model: MODEL, prompt: 'a', providerOptions }, live)
    expect(made.status).toBe(202)
    await other.runner.settleAll()
    const job = await live.get(`/api/v1/jobs/${made.json().job_id}`)
    expect(job.json()).toMatchObject({ status: 'succeeded', provider_used: 'replicate' })
    expect(vendor.starts.map(({ input }) => input.params)).toEqual([{ go_fast: true }])
  } finally {
    await other.close()
  }
})
