import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, listen, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { type FakeWeb, fakeWeb } from '@test/support/fake-vendor'
import { addRoute, expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { formatId } from '@/base/ids'

/** The contract's own example, word for word, over a true socket; and each field that it names. */
let hub: TestHub
let web: FakeWeb
let server: ReturnType<typeof listen>
let shop: Tenant
let client: Client

beforeAll(async () => {
  web = fakeWeb()
  web.serve(EXAMPLE.webhook_url, 200)
  hub = await testHub({ providers: [fakeProvider()], fetch: web.fetch })
  server = listen(httpDoor(hub.deps))
  await addRoute(hub.deps, { model: 'gpt-image-1.5', provider: 'fake' })
  shop = await tenant(hub.deps, { welcomeGrant: 50 })
  client = apiClient(server)
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  server.stop()
  await hub.close()
})

const EXAMPLE = {
  model: 'gpt-image-1.5',
  input: {
    prompt: 'A futuristic city at sunset',
    images: ['https://example.com/input.jpg'],
    aspect_ratio: '16:9',
    num_outputs: 1,
    output_format: 'png',
  },
  priority: 5,
  webhook_url: 'https://yourapp.com/hook',
  metadata: { screen: 'editor' },
  idempotency_key: 'req_abc123',
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
const JOB_ID = expect.stringMatching(/^job_[0-9a-z]{11}$/)

test('the example of the contract, from its 202 to its picture', async () => {
  const ann = client.as({ key: shop.keys.test.secret, user: 'firebase_uid_xyz' })
  const accepted = await ann.post('/api/v1/generate', EXAMPLE)
  expect(accepted.status).toBe(202)
  const job = accepted.json<{ job_id: string; poll_after_seconds: number }>()
  const whole = {
    job_id: JOB_ID,
    kind: 'image',
    mode: 'test',
    status: 'queued',
    model: 'gpt-image-1.5',
    user_id: 'firebase_uid_xyz',
    progress: 0,
    queue_position: 1,
    poll_after_seconds: expect.any(Number),
    created_at: TIME,
    started_at: null,
    completed_at: null,
    outputs: [],
    tokens_charged: 5,
    tokens_refunded: 0,
    provider_used: null,
    attempts: 0,
    metadata: { screen: 'editor' },
    error: null,
    error_code: null,
    retryable: null,
  }
  expect(accepted.json()).toEqual({
    ...whole,
    user_balance: 45,
    estimated_wait_seconds: expect.any(Number),
  })
  expect(job.poll_after_seconds).toBeWithin(1, 16)
  expect(accepted.headers.get('retry-after')).toBe(String(job.poll_after_seconds))

  await hub.runner.settleAll()
  const ended = await ann.get(`/api/v1/jobs/${job.job_id}`)
  expect(ended.status).toBe(200)
  expect(ended.headers.get('retry-after')).toBeNull()
  expect(ended.json()).toEqual({
    ...whole,
    job_id: job.job_id,
    status: 'succeeded',
    progress: 100,
    queue_position: null,
    poll_after_seconds: null,
    started_at: TIME,
    completed_at: TIME,
    outputs: [
      {
        index: 0,
        url: expect.stringMatching(new RegExp(`^${server.url}/files/fil_[0-9a-z]{11}\\.png\\?`)),
        url_expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT00:00:00Z$/),
        expires_at: null,
        file_id: expect.stringMatching(/^fil_[0-9a-z]{11}$/),
        text: null,
        content_type: 'image/png',
        width: 1344,
        height: 768,
        duration_seconds: null,
        bytes: expect.any(Number),
      },
    ],
    provider_used: 'sandbox',
    attempts: 1,
  })
  const [output] = ended.json<{ outputs: { url: string; bytes: number }[] }>().outputs
  const picture = await fetch(output?.url ?? '')
  expect([picture.status, (await picture.bytes()).length]).toEqual([200, output?.bytes ?? 0])

  const [hook] = web.to(EXAMPLE.webhook_url)
  expect(JSON.parse(String(hook?.init.body))).toMatchObject({
    event: 'job.completed',
    mode: 'test',
    job_id: job.job_id,
    status: 'succeeded',
    user_id: 'firebase_uid_xyz',
    metadata: { screen: 'editor' },
  })

  const user = await ann.get('/api/v1/users/me')
  expect(user.json()).toEqual({
    external_id: 'firebase_uid_xyz',
    mode: 'test',
    token_balance: 45,
    tokens_reserved: 0,
    total_jobs: 1,
    successful_jobs: 1,
    metadata: {},
    is_active: true,
    created_at: TIME,
  })
  const entries = await ann.get('/api/v1/users/me/tokens')
  expect(entries.json()).toEqual({
    data: [
      {
        id: expect.stringMatching(/^txn_[0-9a-z]{11}$/),
        amount: -5,
        balance_after: 45,
        type: 'GENERATION_DEBIT',
        description: expect.any(String),
        job_id: job.job_id,
        created_at: TIME,
      },
      {
        id: expect.stringMatching(/^txn_[0-9a-z]{11}$/),
        amount: 50,
        balance_after: 50,
        type: 'GRANT',
        description: expect.any(String),
        job_id: null,
        created_at: TIME,
      },
    ],
    has_more: false,
    next_cursor: null,
  })
})

const small = { prompt: 'a', provider_params: { sandbox: { canned: true } } }

async function finished(body: object, user = 'ann') {
  const ann = client.as({ key: shop.keys.test.secret, user })
  const made = await ann.post('/api/v1/generate', body)
  expect(made.status).toBe(202)
  await hub.runner.settleAll()
  const job = await ann.get(`/api/v1/jobs/${made.json().job_id}`)
  return job.json<{ outputs: Record<string, unknown>[] }>()
}

describe('a job', () => {
  test('of text has text and no file', async () => {
    const job = await finished({ model: 'gpt-5-mini', input: { prompt: 'a title' } })
    expect(job).toMatchObject({ kind: 'text', status: 'succeeded' })
    expect(job.outputs).toEqual([
      {
        index: 0,
        url: null,
        url_expires_at: null,
        expires_at: null,
        file_id: null,
        text: expect.any(String),
        content_type: 'text/plain',
        width: null,
        height: null,
        duration_seconds: null,
        bytes: null,
      },
    ])
  })
  test('that asked for four and got two gives half of its tokens back', async () => {
    const params = { sandbox: { canned: true, outputs: 2 } }
    const input = { prompt: 'a', num_outputs: 4, provider_params: params }
    const job = await finished({ model: 'flux-schnell', input })
    expect(job).toMatchObject({ status: 'succeeded', tokens_charged: 4, tokens_refunded: 2 })
    expect(job.outputs.map(({ index }) => index)).toEqual([0, 1])
  })
  test('that failed says why in our words, and gives everything back', async () => {
    const params = { sandbox: { fail: 'rejected' } }
    const job = await finished({
      model: 'flux-schnell',
      input: { prompt: 'a', provider_params: params },
    })
    expect(job).toMatchObject({
      status: 'failed',
      outputs: [],
      tokens_charged: 1,
      tokens_refunded: 1,
      error: expect.stringMatching(/^The provider refused this content\./),
      error_code: 'content_rejected',
      retryable: false,
      poll_after_seconds: null,
    })
  })
  test('that is at work says when to ask again, can be cancelled once, and is final then', async () => {
    const ann = client.as({ key: shop.keys.test.secret, user: 'ann' })
    const params = { sandbox: { latency_ms: 600_000, mode: 'async' } }
    const made = await ann.post('/api/v1/generate', {
      model: 'flux-schnell',
      input: { prompt: 'a', provider_params: params },
    })
    await hub.runner.settleAll()
    const path = `/api/v1/jobs/${made.json().job_id}`
    const running = await ann.get(path)
    const { poll_after_seconds: wait } = running.json<{ poll_after_seconds: number }>()
    expect(running.json()).toMatchObject({ status: 'running', attempts: 1, queue_position: null })
    expect(wait).toBeWithin(1, 16)
    expect(running.headers.get('retry-after')).toBe(String(wait))
    const cancelled = await ann.post(`${path}/cancel`)
    expect([cancelled.status, cancelled.json()]).toEqual([
      200,
      expect.objectContaining({
        status: 'cancelled',
        tokens_charged: 1,
        tokens_refunded: 1,
        error: null,
        error_code: null,
        completed_at: TIME,
      }),
    ])
    for (const again of [await ann.post(`${path}/cancel`), await ann.delete(path)]) {
      expect([again.status, again.json().code]).toEqual([409, 'job_not_cancellable'])
    }
    expect((await ann.get(path)).json()).toEqual(cancelled.json())
  })
  test('in live mode runs on a provider and never on the sandbox', async () => {
    const ann = client.as({ key: shop.keys.live.secret, user: 'ann' })
    const made = await ann.post('/api/v1/generate', {
      model: 'gpt-image-1.5',
      input: { prompt: 'a' },
    })
    expect(made.json()).toMatchObject({ mode: 'live', user_balance: 45 })
    await hub.runner.settleAll()
    const job = await ann.get(`/api/v1/jobs/${made.json().job_id}`)
    expect(job.json()).toMatchObject({ mode: 'live', status: 'succeeded', provider_used: 'fake' })
  })
  test('may name its model by id', async () => {
    const { id } = hub.deps.db.sqlite.query(`SELECT id FROM models WHERE name = 'sdxl'`).get() as {
      id: number
    }
    const job = await finished({ model: formatId('model', id), input: small })
    expect(job).toMatchObject({ model: 'sdxl', status: 'succeeded' })
  })
  test('takes a prompt of just 32 KB, and every letter of it', async () => {
    const letters = 'é🦊\u202e"\\\n'.repeat(20)
    const fits = letters + 'x'.repeat(32 * 1024 - Buffer.byteLength(letters))
    expect(Buffer.byteLength(fits)).toBe(32 * 1024)
    await finished({ model: 'sdxl', input: { ...small, prompt: fits } })
    const row = hub.deps.db.sqlite
      .query('SELECT input FROM job_inputs ORDER BY job_id DESC LIMIT 1')
      .get() as { input: string }
    expect(JSON.parse(row.input).prompt).toBe(fits)
  })
})

describe('a user who may not', () => {
  test('is told how much there is and how much it takes', async () => {
    const ann = client.as({ key: shop.keys.test.secret, user: 'poor' })
    const input = { ...small, num_outputs: 4 }
    const body = { model: 'nano-banana-pro', input }
    expect((await ann.post('/api/v1/generate', body)).json()).toMatchObject({
      code: 'insufficient_tokens',
      balance: 50,
      required: 56,
    })
    // Refused as a whole: nobody was made for it.
    expect((await ann.get('/api/v1/users/me')).status).toBe(404)
  })
  test('was deactivated', async () => {
    const server = client.as({ key: shop.keys.test.secret })
    await server.post('/api/v1/users', { external_id: 'asleep' })
    const off = await server.patch('/api/v1/users/asleep', { is_active: false })
    expect(off.json()).toMatchObject({ is_active: false })
    const asleep = server.as({ user: 'asleep' })
    const body = { model: 'sdxl', input: small }
    const refused = await asleep.post('/api/v1/generate', body)
    expect([refused.status, refused.json().code]).toEqual([403, 'user_deactivated'])
    await server.patch('/api/v1/users/asleep', { is_active: true })
    expect((await asleep.post('/api/v1/generate', body)).status).toBe(202)
  })
})

describe('users and tokens', () => {
  const secret = () => client.as({ key: shop.keys.test.secret })
  test('a user is made once, changed, and erased', async () => {
    const made = await secret().post('/api/v1/users', { external_id: 'eve', metadata: { a: 'b' } })
    expect([made.status, made.json()]).toEqual([
      201,
      expect.objectContaining({ external_id: 'eve', metadata: { a: 'b' }, token_balance: 50 }),
    ])
    const again = await secret().post('/api/v1/users', { external_id: 'eve' })
    expect([again.status, again.json()]).toEqual([200, made.json()])
    const changed = await secret().patch('/api/v1/users/eve', { metadata: { c: 'd' } })
    expect(changed.json()).toMatchObject({ metadata: { c: 'd' }, is_active: true })
    expect((await secret().patch('/api/v1/users/eve', {})).json()).toEqual(changed.json())
    const erased = await secret().delete('/api/v1/users/eve')
    expect([erased.status, erased.json()]).toEqual([200, { external_id: 'eve', deleted: true }])
    expect((await secret().get('/api/v1/users/eve')).status).toBe(404)
    expect((await secret().delete('/api/v1/users/eve')).status).toBe(404)
    const back = await secret().post('/api/v1/users', { external_id: 'eve' })
    expect([back.status, back.json().token_balance]).toEqual([201, 0])
  })
  test('a grant and a bonus answer as the contract says', async () => {
    await secret().post('/api/v1/users', { external_id: 'gil' })
    const given = await secret().post('/api/v1/users/gil/tokens', {
      amount: 100,
      reason: 'Monthly subscription renewal',
      idempotency_key: 'sub_renewal_jan_2024',
    })
    expect(given.json()).toEqual({
      external_id: 'gil',
      previous_balance: 50,
      amount_added: 100,
      debt_paid: 0,
      new_balance: 150,
      transaction_id: expect.stringMatching(/^txn_[0-9a-z]{11}$/),
    })
    const bonus = { amount: 1_000_000_000, reason: 'r', type: 'bonus' }
    await secret().post('/api/v1/users/gil/tokens', bonus)
    const entries = await secret().get('/api/v1/users/gil/tokens?limit=2')
    expect(entries.json()).toMatchObject({
      data: [
        { type: 'BONUS', amount: 1_000_000_000, balance_after: 1_000_000_150 },
        { type: 'GRANT', amount: 100, description: 'Monthly subscription renewal' },
      ],
    })
  })
  test('a batch is all or nothing, in order, and makes whom it does not know', async () => {
    const grants = ['hal', 'ida', 'hal'].map((external_id, i) => ({
      external_id,
      amount: i + 1,
      reason: 'r',
    }))
    const answer = await secret().post('/api/v1/users/tokens/batch', {
      grants,
      idempotency_key: 'batch-1',
    })
    const results = answer.json<{ results: Record<string, unknown>[] }>().results
    expect(answer.json()).toMatchObject({ granted: 3, total_amount: 6 })
    expect(results.map(r => [r.external_id, r.previous_balance, r.new_balance])).toEqual([
      ['hal', 50, 51],
      ['ida', 50, 52],
      ['hal', 51, 54],
    ])
  })
})

describe('the catalogue', () => {
  test('has what the contract says, for each kind of key', async () => {
    const seen = await client.get('/api/v1/models', { key: shop.keys.live.secret })
    const { data } = seen.json<{ data: Record<string, unknown>[] }>()
    const model = data.find(({ name }) => name === 'gpt-image-1.5')
    expect(model).toEqual({
      name: 'gpt-image-1.5',
      display_name: 'GPT Image 1.5',
      kind: 'image',
      family: 'gpt-image',
      description: expect.any(String),
      token_cost: 5,
      supports_images: true,
      supports_prompt: true,
      max_input_images: 4,
      supported_aspect_ratios: expect.arrayContaining(['16:9']),
      input_schema: expect.objectContaining({ type: 'object' }),
      available: true,
      unavailable_reason: null,
    })
    const missing = data.find(({ name }) => name === 'sdxl')
    expect(missing).toMatchObject({
      available: false,
      // Who would, and what is missing for it.
      unavailable_reason: expect.stringMatching(/fal.*key/),
    })
    const key = shop.keys.live.publishable
    const publicly = await client.get('/api/v1/models', { key })
    expect(publicly.text).not.toContain('unavailable_reason')
    const inTest = await client.get('/api/v1/models', { key: shop.keys.test.secret })
    expect(inTest.text).not.toContain('"available":false')
  })
  test('is a 304 for who has it', async () => {
    const ask = (headers = {}) =>
      client.get('/api/v1/models', { key: shop.keys.test.secret, headers })
    const { headers } = await ask()
    expect(headers.get('vary')).toContain('X-API-Key')
    expect(headers.get('cache-control')).toBe('private, no-cache')
    const etag = headers.get('etag') ?? ''
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await ask({ 'if-none-match': known })
      expect([known, answer.status, answer.text]).toEqual([known, 304, ''])
      expect(answer.headers.get('etag')).toBe(etag)
    }
    expect((await ask({ 'if-none-match': '"x"' })).status).toBe(200)
  })
})
