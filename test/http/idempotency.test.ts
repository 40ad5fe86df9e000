import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client, type Send } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'

/** CONTRACT section 1, idempotency, on every POST that creates or moves something. */
let hub: TestHub
let shop: Tenant
let secret: Client
let ann: Client
let keys = 0
const newKey = () => `key-${++keys}`

beforeAll(async () => {
  hub = await testHub()
  shop = await tenant(hub.deps)
  secret = apiClient(httpDoor(hub.deps), { key: shop.keys.test.secret })
  ann = secret.as({ user: 'ann' })
  await give('ann', 10_000)
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  await hub.close()
})

async function give(user: string, amount: number): Promise<void> {
  const path = `/api/v1/users/${user}/tokens`
  expect((await secret.post(path, { amount, reason: 'to begin with' })).status).toBe(200)
}

/** Stays in the queue or at work for as long as a test looks at it. */
const SLOW = { provider_params: { sandbox: { latency_ms: 600_000, mode: 'async' } } }
const GENERATE = { model: 'flux-schnell', input: { prompt: 'a fox', ...SLOW } }

/** Every POST that creates or moves something. `fresh` makes a body that nobody sent before. */
const POSTS: Record<string, { path: () => Promise<string> | string; fresh: () => object }> = {
  generate: {
    path: () => '/api/v1/generate',
    fresh: () => ({ ...GENERATE, metadata: { nonce: newKey() } }),
  },
  generateImage: {
    path: () => '/api/v1/image/flux',
    fresh: () => ({
      prompt: 'a fox',
      providerOptions: SLOW.provider_params,
      metadata: { nonce: newKey() },
    }),
  },
  createUser: { path: () => '/api/v1/users', fresh: () => ({ external_id: newKey() }) },
  createPlan: { path: () => '/api/v1/plans', fresh: () => ({ template: 'pro', name: newKey() }) },
  grantTokens: {
    path: () => '/api/v1/users/ann/tokens',
    fresh: () => ({ amount: 1, reason: newKey() }),
  },
  chargeUser: {
    path: () => '/api/v1/users/ann/charges',
    fresh: () => ({ amount: 1, reason: newKey() }),
  },
  adjustTokens: {
    path: () => '/api/v1/users/ann/tokens/adjust',
    fresh: () => ({ amount: 1, reason: newKey() }),
  },
  grantTokensBatch: {
    path: () => '/api/v1/users/tokens/batch',
    fresh: () => ({ grants: [{ external_id: 'ann', amount: 2, reason: newKey() }] }),
  },
}

const isReplay = (answer: { headers: Headers }) => answer.headers.get('idempotent-replayed')
const inHeader = (key: string): Send => ({ headers: { 'idempotency-key': key } })

function counts() {
  const tables = ['jobs', 'users', 'token_entries', 'holds', 'audit_log', 'idempotency_keys']
  return tables.map(table => hub.deps.db.sqlite.query(`SELECT count(*) AS n FROM ${table}`).get())
}

describe.each(Object.keys(POSTS))('%s', name => {
  const post = POSTS[name] as (typeof POSTS)[string]
  const isOfJobs = name.startsWith('generate')
  // A batch names its users in the body; the others are sent for Ann or by the server itself.
  const door = () => (isOfJobs ? ann : secret)

  test('answers the same key and body with the same, once done', async () => {
    const path = await post.path()
    const body = { ...post.fresh(), idempotency_key: newKey() }
    const first = await door().post(path, body)
    expect([first.status < 300, isReplay(first)]).toEqual([true, null])
    const before = counts()
    for (let i = 0; i < 3; i++) {
      const again = await door().post(path, body)
      expect([again.status, isReplay(again)]).toEqual([first.status, 'true'])
      if (!isOfJobs) expect(again.text).toBe(first.text)
      else expect(again.json().job_id).toBe(first.json().job_id)
    }
    expect(counts()).toEqual(before)
  })

  test('takes the key from the header, from the body, or from both', async () => {
    const path = await post.path()
    const [key, body] = [newKey(), post.fresh()]
    const first = await door().post(path, body, inHeader(key))
    expect([first.status < 300, isReplay(first)]).toEqual([true, null])
    const withKey = { ...body, idempotency_key: key }
    expect(isReplay(await door().post(path, withKey))).toBe('true')
    expect(isReplay(await door().post(path, withKey, inHeader(key)))).toBe('true')
  })

  test('refuses two keys that differ, and keys that are none', async () => {
    const path = await post.path()
    const before = counts()
    const differing = { ...post.fresh(), idempotency_key: newKey() }
    const both = await door().post(path, differing, inHeader(newKey()))
    expect(both.status).toBe(400)
    expect(both.json()).toMatchObject({ details: [{ path: 'idempotency_key' }] })
    for (const key of ['', 'x'.repeat(256)]) {
      const asHeader = await door().post(path, post.fresh(), inHeader(key))
      expect([key, asHeader.status]).toEqual([key, 400])
      expect(asHeader.json()).toMatchObject({ details: [{ path: 'Idempotency-Key' }] })
      const inBody = await door().post(path, { ...post.fresh(), idempotency_key: key })
      expect([key, inBody.status]).toEqual([key, 400])
    }
    for (const key of [7, null, ['a'], { a: 1 }, true]) {
      const inBody = await door().post(path, { ...post.fresh(), idempotency_key: key })
      expect([key, inBody.status]).toEqual([key, 400])
    }
    expect(counts()).toEqual(before)
  })

  test('takes keys of 1 and of 255 characters', async () => {
    const path = await post.path()
    for (const key of [String.fromCharCode(65 + (keys % 26)), newKey().padEnd(255, 'k')]) {
      const body = { ...post.fresh(), idempotency_key: `${key}` }
      expect(isReplay(await door().post(path, body))).toBeNull()
      expect(isReplay(await door().post(path, body))).toBe('true')
    }
    const written = { ...post.fresh(), idempotency_key: '鍵 %2F #/ \u{1f511}' }
    expect(isReplay(await door().post(path, written))).toBeNull()
    expect(isReplay(await door().post(path, written))).toBe('true')
  })

  test('answers another body with 422', async () => {
    const path = await post.path()
    const key = newKey()
    expect((await door().post(path, post.fresh(), inHeader(key))).status).toBeLessThan(300)
    const before = counts()
    const other = await door().post(path, post.fresh(), inHeader(key))
    expect([other.status, other.json().code]).toEqual([422, 'idempotency_mismatch'])
    expect(counts()).toEqual(before)
  })

  test('does not care for the order of keys or for blanks', async () => {
    const path = await post.path()
    const body = { ...post.fresh(), idempotency_key: newKey() }
    expect((await door().post(path, body)).status).toBeLessThan(300)
    const text = JSON.stringify(backwards(body), null, '\t ')
    const headers = { 'content-type': 'application/json; charset=UTF-8' }
    const again = await door().send('POST', path, { body: ` ${text}\r\n`, headers })
    expect([again.status < 300, isReplay(again)]).toEqual([true, 'true'])
  })

  test('is done once when it is asked many times at once', async () => {
    const path = await post.path()
    const body = { ...post.fresh(), idempotency_key: newKey() }
    const answers = await Promise.all(Array.from({ length: 12 }, () => door().post(path, body)))
    expect(answers.filter(answer => isReplay(answer) === null)).toHaveLength(1)
    expect(new Set(answers.map(answer => answer.status)).size).toBe(1)
    const id = (answer: (typeof answers)[number]) => (isOfJobs ? answer.json().job_id : answer.text)
    expect(new Set(answers.map(id)).size).toBe(1)
  })
})

function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([k, v]) => [k, backwards(v)]),
  )
}

describe('what changed nothing frees its key:', () => {
  test('402, then a grant, then the same key', async () => {
    const poor = secret.as({ user: 'poor' })
    const body = { ...GENERATE, idempotency_key: newKey() }
    for (let i = 0; i < 2; i++) {
      const refused = await poor.post('/api/v1/generate', body)
      expect(refused.status).toBe(402)
      expect(refused.json()).toMatchObject({
        code: 'insufficient_tokens',
        balance: 0,
        required: 1,
      })
    }
    await give('poor', 1)
    const made = await poor.post('/api/v1/generate', body)
    expect([made.status, isReplay(made)]).toEqual([202, null])
    const again = await poor.post('/api/v1/generate', body)
    expect([again.status, isReplay(again)]).toEqual([202, 'true'])
  })
  test('400, then the right body with the same key', async () => {
    const key = newKey()
    const wrong = await ann.post('/api/v1/generate', { ...GENERATE, priority: 0 }, inHeader(key))
    expect(wrong.status).toBe(400)
    const right = await ann.post('/api/v1/generate', GENERATE, inHeader(key))
    expect([right.status, isReplay(right)]).toEqual([202, null])
  })
  test('409 of a cancel', async () => {
    const made = await ann.post('/api/v1/generate', { ...GENERATE, input: { prompt: 'quick' } })
    await hub.runner.settleAll()
    const { job_id } = made.json<{ job_id: string }>()
    for (let i = 0; i < 2; i++) {
      const answer = await ann.post(`/api/v1/jobs/${job_id}/cancel`, {}, inHeader('same'))
      expect([answer.status, answer.json().code]).toEqual([409, 'job_not_cancellable'])
    }
  })
})

describe('a key is of', () => {
  test('one user', async () => {
    await give('one', 5)
    await give('two', 5)
    const body = { ...GENERATE, idempotency_key: newKey() }
    const ids = []
    for (const user of ['one', 'two']) {
      // Neither a replay nor a mismatch, though it is another body.
      const own = { ...body, metadata: { of: user } }
      const made = await secret.post('/api/v1/generate', own, { user })
      expect([made.status, isReplay(made)]).toEqual([202, null])
      ids.push(made.json().job_id)
      const grant = { amount: 1, reason: 'r', idempotency_key: body.idempotency_key }
      expect(isReplay(await secret.post(`/api/v1/users/${user}/tokens`, grant))).toBeNull()
    }
    expect(new Set(ids).size).toBe(2)
  })
  test('one method and path', async () => {
    const key = newKey()
    for (const post of Object.values(POSTS)) {
      const answer = await ann
        .as(inHeader(key))
        .post(await post.path(), { ...post.fresh(), ...own(post) })
      expect([answer.status < 300, isReplay(answer)]).toEqual([true, null])
    }
    const jobs = await Promise.all([ann, ann].map(door => door.post('/api/v1/generate', GENERATE)))
    for (const job of jobs) {
      const path = `/api/v1/jobs/${job.json().job_id}/cancel`
      const answer = await ann.post(path, {}, inHeader(key))
      expect([answer.status, isReplay(answer)]).toEqual([200, null])
    }
  })
})

/** A call that speaks for Ann may make nobody else. */
const own = (post: object) => (post === POSTS.createUser ? { external_id: 'ann' } : {})

describe('a replayed', () => {
  test('generate shows the job as it is now', async () => {
    const body = {
      model: 'flux-schnell',
      input: { prompt: 'a finch' },
      idempotency_key: newKey(),
    }
    const made = await ann.post('/api/v1/generate', body)
    expect(made.json()).toMatchObject({ status: 'queued', outputs: [] })
    await hub.runner.settleAll()
    const again = await ann.post('/api/v1/generate', body)
    expect([again.status, isReplay(again)]).toEqual([202, 'true'])
    expect(again.json()).toMatchObject({
      status: 'succeeded',
      outputs: [{ index: 0 }],
      poll_after_seconds: null,
      estimated_wait_seconds: 0,
    })
    expect(again.headers.get('retry-after')).toBeNull()
  })
  test('generate does not mind defaults that were left out', async () => {
    const key = inHeader(newKey())
    const first = await ann.post('/api/v1/generate', { ...GENERATE, metadata: {} }, key)
    const again = await ann.post('/api/v1/generate', { ...GENERATE, priority: 10 }, key)
    expect([first.status, again.status, isReplay(again)]).toEqual([202, 202, 'true'])
  })
  test('generate works while the user has no token left', async () => {
    await give('broke', 1)
    const broke = secret.as({ user: 'broke' })
    const body = { ...GENERATE, idempotency_key: newKey() }
    expect((await broke.post('/api/v1/generate', body)).status).toBe(202)
    const again = await broke.post('/api/v1/generate', body)
    expect([again.status, isReplay(again)]).toEqual([202, 'true'])
    expect(again.json()).toMatchObject({ user_balance: 0 })
  })
  test('cancel is the cancelled job, where without a key it is a 409', async () => {
    const made = await ann.post('/api/v1/generate', GENERATE)
    const path = `/api/v1/jobs/${made.json().job_id}/cancel`
    const body = { idempotency_key: newKey() }
    const first = await ann.post(path, body)
    expect([first.status, first.json().status, isReplay(first)]).toEqual([200, 'cancelled', null])
    const again = await ann.post(path, body)
    expect([again.status, again.json(), isReplay(again)]).toEqual([200, first.json(), 'true'])
    expect((await ann.post(path)).status).toBe(409)
    expect((await ann.delete(path.replace('/cancel', ''))).status).toBe(409)
  })
  test('grant says what it said, whatever has happened since', async () => {
    const body = { amount: 7, reason: 'r', idempotency_key: newKey() }
    const first = await secret.post('/api/v1/users/cat/tokens', body)
    expect(first.json()).toMatchObject({ previous_balance: 0, amount_added: 7, new_balance: 7 })
    await give('cat', 100)
    const again = await secret.post('/api/v1/users/cat/tokens', body)
    expect([again.text, isReplay(again)]).toEqual([first.text, 'true'])
  })
  test('creation of a user is 201 again, not the 200 of one who was there', async () => {
    const body = { external_id: 'dan', idempotency_key: newKey() }
    const answers = [await secret.post('/api/v1/users', body)]
    answers.push(await secret.post('/api/v1/users', body))
    answers.push(await secret.post('/api/v1/users', { external_id: 'dan' }))
    expect(answers.map(answer => [answer.status, isReplay(answer)])).toEqual([
      [201, null],
      [201, 'true'],
      [200, null],
    ])
  })
})
