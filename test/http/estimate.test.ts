import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, SHELL, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute, expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import * as pricing from '@/domain/pricing'

/** `POST /api/v1/estimate`: what `generate` would hold, and nothing is written. */
const MODEL = 'gpt-image-1.5'
const WELCOME = 20

let hub: TestHub
let shop: Tenant
let client: Client

beforeAll(async () => {
  hub = await testHub({ isRunning: false, providers: [fakeProvider()] })
  await addRoute(hub.deps, { model: MODEL, provider: 'fake' })
  shop = await tenant(hub.deps, { welcomeGrant: WELCOME })
  client = apiClient(httpDoor(hub.deps))
})
afterAll(() => hub.close())

const server = () => client.as({ key: shop.keys.live.secret })
const ask = (door: Client, input: Record<string, unknown> = {}, model = MODEL) =>
  door.post('/api/v1/estimate', { model, input: { prompt: 'a', ...input } })

/** Everything that lies in the database. */
function everything(): string {
  const { sqlite } = hub.deps.db
  const names = sqlite
    .query<{ name: string }, []>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    )
    .all()
  return JSON.stringify(
    names.map(({ name }) => [name, sqlite.query(`SELECT * FROM ${name}`).values()]),
  )
}

const RULE = {
  per_output: 5,
  factors: [
    { of: 'quality', table: { low: 1, medium: '1.5', high: '2.0' }, absent: 1 },
    { name: 'margin', by: '1.1' },
  ],
}

test('says what generate then charges, for the plain price and by a rule', async () => {
  const inputs = [
    {},
    { num_outputs: 3 },
    { quality: 'high' },
    { quality: 'medium', num_outputs: 2 },
  ]
  for (const rule of [null, RULE]) {
    if (rule) {
      const put = await server().send('PUT', `/api/v1/prices/model:${MODEL}`, { json: { rule } })
      expect(put.status).toBe(200)
    }
    for (const [i, input] of inputs.entries()) {
      const user = `payer-${i}-${rule ? 'rule' : 'plain'}`
      const person = server().as({ user })
      await person.post(`/api/v1/users/${user}/tokens`, { amount: 1_000, reason: 'bought' })
      const before = await ask(person, input)
      const made = await person.post('/api/v1/generate', {
        model: MODEL,
        input: { prompt: 'a', ...input },
      })
      const { tokens, balance } = before.json<{ tokens: number; balance: number }>()
      const job = made.json<{ tokens_charged: number; user_balance: number }>()
      expect([made.status, job.tokens_charged]).toEqual([202, tokens])
      expect(job.user_balance).toBe(balance - tokens)
    }
  }
  expectLedgerInOrder(hub.deps)
  const full = await ask(server(), { quality: 'medium', num_outputs: 2 })
  expect(full.json()).toEqual({
    model: MODEL,
    // 5 x 2 x 1.5 x 1.1 = 16.5
    tokens: 17,
    steps: [
      { what: '5 tokens x 2 outputs', tokens: 10 },
      { what: 'x 1.5 quality medium', tokens: 15 },
      { what: 'x 1.1 margin = 16.5', tokens: 17 },
      { what: 'rounded up', tokens: 17 },
    ],
    per_output: 9,
    num_outputs: 2,
    rule_version: 1,
    balance: null,
    sufficient: null,
  })
  await server().delete(`/api/v1/prices/model:${MODEL}`)
})

describe('the balance', () => {
  const balanceOf = async (door: Client, input = {}) => {
    const { balance, sufficient } = (await ask(door, input)).json()
    return [balance, sufficient]
  }
  test('is what the user can spend now, and whether it is enough', async () => {
    const ann = server().as({ user: 'ann' })
    await ann.post('/api/v1/users', { external_id: 'ann' })
    expect(await balanceOf(ann, { num_outputs: 4 })).toEqual([WELCOME, true])
    // The plain price is 5 a picture: 20 are just enough for four.
    const job = { model: MODEL, input: { prompt: 'a' } }
    expect((await ann.post('/api/v1/generate', job)).status).toBe(202)
    expect(await balanceOf(ann, { num_outputs: 3 })).toEqual([WELCOME - 5, true])
    expect(await balanceOf(ann, { num_outputs: 4 })).toEqual([WELCOME - 5, false])
  })
  test('of somebody new is the welcome grant, where generate would give one', async () => {
    expect(await balanceOf(server().as({ user: 'new' }))).toEqual([WELCOME, true])
    const asserted = client.as({ key: shop.keys.test.publishable, user: 'new' })
    expect(await balanceOf(asserted)).toEqual([WELCOME, true])
    const other = await tenant(hub.deps)
    expect(await balanceOf(client.as({ key: other.apiKey, user: 'new' }))).toEqual([0, false])
  })
  test('of somebody who was erased is nothing', async () => {
    const gone = server().as({ user: 'gone' })
    await gone.post('/api/v1/users', { external_id: 'gone' })
    await gone.delete('/api/v1/users/gone')
    expect(await balanceOf(gone)).toEqual([0, false])
  })
  test('is nobody’s without a user', async () => {
    expect(await balanceOf(server())).toEqual([null, null])
  })
})

test('writes nothing, whoever asks and whatever comes of it', async () => {
  const before = everything()
  for (const user of ['ann', 'never-seen', undefined]) {
    const door = user === undefined ? server() : server().as({ user })
    for (const input of [{}, { num_outputs: 4 }, { num_outputs: 5 }, { wrong: 1 }]) {
      await ask(door, input)
    }
    await ask(door, {}, 'no-such-model')
  }
  expect(everything()).toBe(before)
})

describe('refuses what generate would', () => {
  test('with the same words', async () => {
    const ann = server().as({ user: 'ann' })
    const wrong = [
      { prompt: '' },
      { num_outputs: 0 },
      { num_outputs: 1.5 },
      { quality: 'best' },
      { unknown: 1 },
      { images: ['http://example.com/1.jpg'] },
      { provider_params: { sandbox: {} } },
    ]
    for (const input of wrong) {
      const said = await ask(ann, input)
      const done = await ann.post('/api/v1/generate', {
        model: MODEL,
        input: { prompt: 'a', ...input },
      })
      const { request_id: _, ...estimated } = said.json()
      const { request_id: __, ...generated } = done.json()
      expect([input, said.status, estimated]).toEqual([input, 400, generated])
      expect(done.status).toBe(400)
    }
    const none = await ask(ann, {}, 'no-such-model')
    expect([none.status, none.json().code]).toEqual([404, 'model_not_found'])
  })
  test('also what has no price by the rule in force', async () => {
    const { realms } = shop
    const rule = { per_output: 2, factors: [{ of: 'quality', table: { low: 1 }, absent: 1 }] }
    await pricing.setRule(hub.deps, SHELL, { realm: realms.live, subject: `model:${MODEL}`, rule })
    const ann = server().as({ user: 'ann' })
    const input = { quality: 'high' }
    const said = await ask(ann, input)
    const done = await ann.post('/api/v1/generate', {
      model: MODEL,
      input: { prompt: 'a', ...input },
    })
    for (const answer of [said, done]) {
      expect([answer.status, answer.json().details]).toEqual([
        400,
        [{ path: 'input.quality', message: 'has no price with this value' }],
      ])
    }
    // Test jobs have the plain price still.
    const inTest = await ask(client.as({ key: shop.keys.test.secret }), input)
    expect(inTest.json()).toMatchObject({ tokens: 5, rule_version: 0 })
    await server().delete(`/api/v1/prices/model:${MODEL}`)
  })
  test('but not a model that nobody serves: what it would cost is known', async () => {
    expect((await ask(server(), {}, 'flux-schnell')).status).toBe(200)
  })
})
