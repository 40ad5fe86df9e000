import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, SHELL, type Tenant, tenant } from '@test/support/factory'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { setRule } from '@/domain/pricing'

/** Charges as an app's server meets them; what they do to the ledger is shown in test/domain/charges. */
let hub: TestHub
let shop: Tenant
let secret: Client
let people = 0

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  shop = await tenant(hub.deps, { welcomeGrant: 100 })
  secret = apiClient(httpDoor(hub.deps), { key: shop.keys.live.secret })
  const rule = { base: 2, units: [{ of: 'pages', price: 3, max: 100 }] }
  await setRule(hub.deps, SHELL, { realm: shop.realms.live, subject: 'feature:pdf', rule })
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  await hub.close()
})

async function newPerson(): Promise<string> {
  const external_id = `person ${++people}`.replace(' ', ':')
  expect((await secret.post('/api/v1/users', { external_id })).status).toBe(201)
  return external_id
}
const pathOf = (user: string) => `/api/v1/users/${user}/charges`
type Charge = { charge_id: string; amount: number; balance: number }

test('a charge and its way back, as the ledger shows them', async () => {
  const user = await newPerson()
  const made = await secret.post(pathOf(user), { amount: 30, reason: 'a poster' })
  expect([made.status, made.json()]).toEqual([
    200,
    {
      charge_id: expect.stringMatching(/^txn_/),
      amount: 30,
      balance: 70,
      feature: null,
      steps: null,
    },
  ])
  const { charge_id } = made.json<Charge>()
  const back = await secret.post(`${pathOf(user)}/${charge_id}/reverse`, { reason: 'lost' })
  expect([back.status, back.json()]).toEqual([
    200,
    { charge_id, transaction_id: expect.stringMatching(/^txn_/), amount: 30, balance: 100 },
  ])
  const { data } = (await secret.get(`/api/v1/users/${user}/tokens`)).json<{
    data: Record<string, unknown>[]
  }>()
  expect(data.slice(0, 2)).toMatchObject([
    { type: 'FEATURE_REFUND', amount: 30, description: 'lost', job_id: null },
    { id: charge_id, type: 'FEATURE_DEBIT', amount: -30, description: 'a poster', job_id: null },
  ])
})

test('a feature is charged by its price, with the steps', async () => {
  const user = await newPerson()
  const body = { feature: 'pdf', input: { pages: 4 }, reason: 'export' }
  const made = await secret.post(pathOf(user), body)
  expect(made.json()).toMatchObject({ amount: 14, balance: 86, feature: 'pdf' })
  const { steps } = made.json<{ steps: { what: string; tokens: number }[] }>()
  expect(steps.map(step => step.tokens)).toEqual([2, 14])
})

describe('what is wrong is named:', () => {
  const wrong: [string, object, string][] = [
    ['neither amount nor feature', { reason: 'r' }, 'amount'],
    ['both', { amount: 1, feature: 'pdf', reason: 'r' }, 'feature'],
    ['an input without a feature', { amount: 1, input: {}, reason: 'r' }, 'input'],
    ['no amount at all', { amount: 0, reason: 'r' }, 'amount'],
    ['a negative amount', { amount: -5, reason: 'r' }, 'amount'],
    ['half a token', { amount: 1.5, reason: 'r' }, 'amount'],
    ['too large an amount', { amount: 1_000_000_001, reason: 'r' }, 'amount'],
    ['an amount as text', { amount: '5', reason: 'r' }, 'amount'],
    ['no reason', { amount: 1 }, 'reason'],
    ['an empty reason', { amount: 1, reason: '' }, 'reason'],
    ['a feature without a price', { feature: 'none', reason: 'r' }, 'feature'],
    ['a feature that is a list', { feature: ['pdf'], reason: 'r' }, 'feature'],
    ['an input that is a list', { feature: 'pdf', input: [1], reason: 'r' }, 'input'],
    ['a missing input', { feature: 'pdf', reason: 'r' }, 'input.pages'],
    ['too much of it', { feature: 'pdf', input: { pages: 101 }, reason: 'r' }, 'input.pages'],
    ['an unknown field', { amount: 1, reason: 'r', quantity: 2 }, 'quantity'],
  ]
  test.each(wrong)('%s', async (_, body, path) => {
    const user = await newPerson()
    const answer = await secret.post(pathOf(user), body)
    expect([answer.status, answer.json()]).toMatchObject([
      400,
      { code: 'invalid_input', details: [{ path }] },
    ])
    const { token_balance } = (await secret.get(`/api/v1/users/${user}`)).json()
    expect(token_balance).toBe(100)
  })
})

test('too few tokens are a 402 with both numbers, a deactivated user a 403', async () => {
  const user = await newPerson()
  const poor = await secret.post(pathOf(user), { amount: 101, reason: 'r' })
  expect([poor.status, poor.json()]).toMatchObject([
    402,
    { code: 'insufficient_tokens', balance: 100, required: 101 },
  ])
  await secret.patch(`/api/v1/users/${user}`, { is_active: false })
  const off = await secret.post(pathOf(user), { amount: 1, reason: 'r' })
  expect([off.status, off.json().code]).toEqual([403, 'user_deactivated'])
})

test('fifty at once on a balance for exactly twenty are twenty', async () => {
  const user = await newPerson()
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => secret.post(pathOf(user), { amount: 5, reason: 'r' })),
  )
  const statuses = answers.map(answer => answer.status).toSorted()
  expect(statuses).toEqual([...Array(20).fill(200), ...Array(30).fill(402)])
  const { token_balance } = (await secret.get(`/api/v1/users/${user}`)).json()
  expect(token_balance).toBe(0)
})

test('nobody is created, and nothing of others is given back', async () => {
  const body = { amount: 1, reason: 'r' }
  const [mine, yours] = [await newPerson(), await newPerson()]
  const { charge_id } = (await secret.post(pathOf(mine), body)).json<Charge>()
  const asked: [string, Client, object][] = [
    [pathOf('nobody-here'), secret, body],
    [pathOf('me'), secret.as({ user: 'nobody-here' }), body],
    [pathOf(mine), secret.as({ user: yours }), body],
    [pathOf(mine), secret.as({ key: shop.keys.test.secret }), body],
    [`${pathOf(yours)}/${charge_id}/reverse`, secret, { reason: 'r' }],
    [`${pathOf(mine)}/${charge_id}/reverse`, secret.as({ user: yours }), { reason: 'r' }],
    [`${pathOf(mine)}/${charge_id.replace('txn', 'job')}/reverse`, secret, { reason: 'r' }],
    [`${pathOf(mine)}/${charge_id}x/reverse`, secret, { reason: 'r' }],
    [`${pathOf(mine)}/txn_00000000000/reverse`, secret, { reason: 'r' }],
  ]
  for (const [path, client, json] of asked) {
    const answer = await client.post(path, json)
    expect([path, answer.status, answer.json().code]).toEqual([path, 404, 'not_found'])
  }
  expect((await secret.get('/api/v1/users/nobody-here')).status).toBe(404)
  const own = secret.as({ user: mine })
  expect((await own.post(pathOf('me'), body)).json()).toMatchObject({ balance: 98 })
  const back = await own.post(`${pathOf('me')}/${charge_id}/reverse`, { reason: 'r' })
  expect(back.json()).toMatchObject({ charge_id, balance: 99 })
})

test('a way back is repeated by its key, in the body or the header, and refused by another', async () => {
  const user = await newPerson()
  const made = await secret.post(pathOf(user), { amount: 30, reason: 'a poster' })
  const path = `${pathOf(user)}/${made.json<Charge>().charge_id}/reverse`
  const first = await secret.post(path, { reason: 'lost', idempotency_key: 'one' })
  expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([200, null])
  const headers = { 'idempotency-key': 'one' }
  for (const again of [
    await secret.post(path, { reason: 'lost', idempotency_key: 'one' }),
    await secret.post(path, { reason: 'lost' }, { headers }),
  ]) {
    expect([again.status, again.text]).toEqual([200, first.text])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
  }
  const other = await secret.post(path, { reason: 'stolen', idempotency_key: 'one' })
  expect([other.status, other.json().code]).toEqual([422, 'idempotency_mismatch'])
  for (const body of [{ reason: 'lost', idempotency_key: 'two' }, { reason: 'lost' }]) {
    const second = await secret.post(path, body)
    expect([second.status, second.json().code]).toEqual([409, 'conflict'])
  }
})
