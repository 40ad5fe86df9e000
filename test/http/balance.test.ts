import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { DAY, isoSeconds, MINUTE } from '@/base/clock'
import { taskKinds } from '@/workers/kinds'
import { SCHEDULE } from '@/workers/schedule'

let hub: TestHub
let clock: FakeClock
let shop: Tenant
let server: Client

beforeAll(async () => {
  clock = fakeClock()
  hub = await testHub({ isRunning: false, clock, config: { addressRateLimit: 1_000_000 } })
  shop = await tenant(hub.deps, { welcomeGrant: 5 })
  server = apiClient(httpDoor(hub.deps)).as({ key: shop.keys.live.secret })
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  await hub.close()
})

const soon = (ms: number) => isoSeconds(clock.now() + ms)
const SOME_DAY = '2099-01-01T00:00:00Z'
let people = 0
const newName = () => `person-${++people}`

async function given(user: string, body: Record<string, unknown>): Promise<string> {
  const answer = await server.post(`/api/v1/users/${user}/tokens`, { reason: 'r', ...body })
  expect(answer.status).toBe(200)
  return answer.json<{ transaction_id: string }>().transaction_id
}

const balance = async (user: string) => (await server.get(`/api/v1/users/${user}/balance`)).json()
const adjust = (user: string, body: Record<string, unknown>) =>
  server.post(`/api/v1/users/${user}/tokens/adjust`, { reason: 'r', ...body })
const reverse = (user: string, id: string, body: Record<string, unknown> = {}) =>
  server.post(`/api/v1/users/${user}/tokens/${id}/reverse`, { reason: 'r', ...body })

describe('a balance', () => {
  test('says where the tokens come from and what goes first', async () => {
    const user = newName()
    await given(user, { amount: 100 })
    await given(user, { amount: 10, type: 'bonus', expires_at: soon(2 * DAY) })
    await given(user, { amount: 20, origin: 'subscription', expires_at: soon(DAY) })
    expect(await balance(user)).toEqual({
      available: 135,
      reserved: 0,
      bonus: 15,
      purchased: 100,
      subscription: 20,
      total_allocated: 135,
      owed: 0,
      next_expiry: { amount: 20, at: soon(DAY) },
      next_replenishment_at: null,
    })
  })

  test('leaves out what has expired at that very moment, as the user does, and writes nothing', async () => {
    const user = newName()
    await given(user, { amount: 10, origin: 'bonus', expires_at: soon(DAY) })
    clock.advance(DAY - 1)
    expect(await balance(user)).toMatchObject({ available: 15 })
    clock.advance(1)
    const entries = () => hub.deps.db.sqlite.query('SELECT count(*) AS n FROM token_entries').get()
    const before = entries()
    expect(await balance(user)).toMatchObject({ available: 5, next_expiry: null })
    const shown = await server.get(`/api/v1/users/${user}`)
    expect(shown.json()).toMatchObject({ token_balance: 5 })
    const list = await server.get('/api/v1/users?limit=1')
    expect(list.json()).toMatchObject({ data: [{ external_id: user, token_balance: 5 }] })
    expect(entries()).toEqual(before)
  })

  test('of nobody is a 404', async () => {
    expect((await server.get('/api/v1/users/nobody/balance')).status).toBe(404)
  })
})

describe('a grant', () => {
  test.each([
    [{ expires_at: SOME_DAY }, 'expires_at', /bought tokens never expire/],
    [{ origin: 'purchase', expires_at: SOME_DAY }, 'expires_at', /bought tokens never expire/],
    [{ type: 'bonus', origin: 'purchase' }, 'origin', /bonus/],
    [{ origin: 'bonus', expires_at: '2026-01-15T10:30:00Z' }, 'expires_at', /future/],
    [{ origin: 'bonus', expires_at: '2027-02-30T10:30:00Z' }, 'expires_at', /a time like/],
    [{ origin: 'bonus', expires_at: 'tomorrow' }, 'expires_at', /a time like/],
    [{ origin: 'stolen' }, 'origin', /./],
  ])('with %j is a 400 of %s, and so in a batch', async (extra, path, message) => {
    const user = newName()
    const one = { amount: 5, reason: 'r', ...extra }
    const single = await server.post(`/api/v1/users/${user}/tokens`, one)
    expect(single.status).toBe(400)
    expect(single.json()).toMatchObject({
      details: [{ path, message: expect.stringMatching(message) }],
    })
    if ('type' in extra) return
    const good = { external_id: user, amount: 1, reason: 'r' }
    const batch = await server.post('/api/v1/users/tokens/batch', {
      grants: [good, { external_id: user, ...one }],
    })
    expect(batch.status).toBe(400)
    expect(batch.json()).toMatchObject({ details: [{ path: `grants.1.${path}` }] })
    expect((await server.get(`/api/v1/users/${user}`)).status).toBe(404)
  })

  test('repeated with its key after its tokens have expired is the same grant', async () => {
    const user = newName()
    const body = {
      amount: 5,
      reason: 'r',
      origin: 'bonus',
      expires_at: soon(DAY),
      idempotency_key: 'k',
    }
    const first = await server.post(`/api/v1/users/${user}/tokens`, body)
    clock.advance(2 * DAY)
    const again = await server.post(`/api/v1/users/${user}/tokens`, body)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect(again.text).toBe(first.text)
  })

  test('takes a time with an offset and a fraction', async () => {
    const user = newName()
    await given(user, { amount: 5, origin: 'admin', expires_at: '2099-01-15T10:30:00.250+02:00' })
    expect(await balance(user)).toMatchObject({
      next_expiry: { amount: 5, at: '2099-01-15T08:30:00Z' },
    })
  })

  test('in a batch fills the bucket that it names', async () => {
    const user = newName()
    const grants = [
      { external_id: user, amount: 1, reason: 'r', origin: 'subscription', expires_at: soon(DAY) },
      { external_id: user, amount: 2, reason: 'r', origin: 'bonus' },
      { external_id: user, amount: 4, reason: 'r' },
    ]
    expect((await server.post('/api/v1/users/tokens/batch', { grants })).status).toBe(200)
    expect(await balance(user)).toMatchObject({ subscription: 1, bonus: 7, purchased: 4 })
  })
})

describe('a reversal', () => {
  test('takes what is left, and what was spent is owed and paid by the next grants', async () => {
    const user = newName()
    const id = await given(user, { amount: 100 })
    await adjust(user, { amount: -65 })
    const answer = await reverse(user, id)
    expect(answer.json()).toEqual({
      external_id: user,
      transaction_id: expect.stringMatching(/^txn_[0-9a-z]{11}$/),
      tokens_taken: 40,
      tokens_owed: 60,
      new_balance: 0,
    })
    expect(await balance(user)).toMatchObject({ available: 0, owed: 60 })
    const body = { amount: 100, reason: 'r', idempotency_key: 'pay' }
    const next = await server.post(`/api/v1/users/${user}/tokens`, body)
    expect(next.json()).toMatchObject({
      previous_balance: 0,
      amount_added: 100,
      debt_paid: 60,
      new_balance: 40,
    })
    expect((await server.post(`/api/v1/users/${user}/tokens`, body)).text).toBe(next.text)
    const grants = [{ external_id: user, amount: 1, reason: 'r' }]
    const batch = await server.post('/api/v1/users/tokens/batch', { grants })
    expect(batch.json()).toMatchObject({ results: [{ debt_paid: 0, new_balance: 41 }] })
  })

  test('happens once: with its key the same answer, without it a 409, with another body a 422', async () => {
    const user = newName()
    const id = await given(user, { amount: 100 })
    const body = { reason: 'refunded', idempotency_key: 'k' }
    const first = await reverse(user, id, body)
    await given(user, { amount: 7 })
    const again = await reverse(user, id, body)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect(again.text).toBe(first.text)
    const other = await reverse(user, id, { ...body, reason: 'other' })
    expect([other.status, other.json().code]).toEqual([422, 'idempotency_mismatch'])
    const bare = await reverse(user, id)
    expect([bare.status, bare.json().code]).toEqual([409, 'conflict'])
    expect(await balance(user)).toMatchObject({ available: 12, owed: 0 })
  })

  test('is of a grant of this user', async () => {
    const [user, other] = [newName(), newName()]
    const id = await given(user, { amount: 100 })
    await given(other, { amount: 100 })
    const lowered = await adjust(user, { amount: -1 })
    const { transaction_id } = lowered.json<{ transaction_id: string }>()
    expect((await reverse(other, id)).status).toBe(404)
    expect((await reverse('nobody', id)).status).toBe(404)
    expect((await reverse(user, 'txn_00000000001')).status).toBe(404)
    expect((await reverse(user, 'nonsense')).status).toBe(404)
    const noGrant = await reverse(user, transaction_id)
    expect(noGrant.json()).toMatchObject({ details: [{ path: 'transaction_id' }] })
  })
})

describe('an adjustment', () => {
  test('goes up and down, and never below what there is', async () => {
    const user = newName()
    await given(user, { amount: 10 })
    const up = await adjust(user, { amount: 5 })
    expect(up.json()).toEqual({
      external_id: user,
      previous_balance: 15,
      amount: 5,
      debt_paid: 0,
      new_balance: 20,
      transaction_id: expect.stringMatching(/^txn_/),
    })
    const down = await adjust(user, { amount: -12, idempotency_key: 'k' })
    expect(down.json()).toMatchObject({ previous_balance: 20, amount: -12, new_balance: 8 })
    const again = await adjust(user, { amount: -12, idempotency_key: 'k' })
    expect(again.text).toBe(down.text)
    const refused = await adjust(user, { amount: -9 })
    expect([refused.status, refused.json()]).toMatchObject([402, { balance: 8, required: 9 }])
    const entries = await server.get(`/api/v1/users/${user}/tokens?limit=1`)
    expect(entries.json()).toMatchObject({ data: [{ type: 'ADMIN_ADJUSTMENT', amount: -12 }] })
  })
  test('of nothing is a 400, and of nobody a 404', async () => {
    expect((await adjust(newName(), { amount: 1 })).status).toBe(404)
    expect((await adjust(newName(), { amount: 0 })).json()).toMatchObject({
      details: [{ path: 'amount' }],
    })
  })
})

test('what has expired is swept up by time, also after months', async () => {
  const user = newName()
  for (let i = 1; i <= 450; i++) {
    await given(user, { amount: 1, origin: 'bonus', expires_at: soon(i * 1_000) })
  }
  clock.advance(200 * DAY)
  const count = () =>
    hub.deps.db.sqlite
      .query(
        "SELECT count(*) AS n FROM token_entries e JOIN users u ON u.id = e.user_id WHERE type = 'EXPIRY' AND u.external_id = ?",
      )
      .get(user) as { n: number }
  expect(count().n).toBe(0)
  const { 'tokens.expire': kind } = taskKinds(hub.deps)
  const claim = { task: { kind: 'tokens.expire', payload: '{}' } } as never
  expect(await kind?.handle(claim, null as never, new AbortController().signal)).toEqual({
    outcome: 'done',
  })
  expect(count().n).toBe(450)
  expect(SCHEDULE).toContainEqual({ kind: 'tokens.expire', everyMs: MINUTE })
})
