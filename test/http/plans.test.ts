import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { renewAllDue } from '@/domain/plans'

/** Plans and subscriptions as an app's server meets them. */
let hub: TestHub
let clock: FakeClock
let shop: Tenant
let other: Tenant
let server: Client

beforeAll(async () => {
  clock = fakeClock(Date.parse('2026-01-31T10:00:00Z'))
  hub = await testHub({ clock, isRunning: false })
  shop = await tenant(hub.deps)
  other = await tenant(hub.deps)
  server = apiClient(httpDoor(hub.deps), { key: shop.keys.live.secret })
})
afterAll(async () => {
  expectLedgerInOrder(hub.deps)
  await hub.close()
})

const put = (path: string, json: unknown, options = {}) =>
  server.send('PUT', path, { ...options, json })
const subscribe = (user: string, json: object) => put(`/api/v1/users/${user}/subscription`, json)

describe('a plan', () => {
  test('is copied from a template, read, changed and listed', async () => {
    const templates = await server.get('/api/v1/plans/templates')
    const { data } = templates.json<{ data: { name: string }[] }>()
    expect(data.map(({ name }) => name)).toEqual(['free', 'basic', 'pro', 'enterprise'])
    const made = await server.post('/api/v1/plans', { template: 'pro', tokens_per_day: 400 })
    expect([made.status, made.json()]).toEqual([
      201,
      {
        id: expect.stringMatching(/^pln_/),
        name: 'pro',
        display_name: 'Pro',
        tokens_per_period: 2_000,
        period: 'month',
        is_rollover: false,
        max_concurrent: 3,
        jobs_per_day: null,
        tokens_per_day: 400,
        tokens_per_month: null,
        micro_usd_per_day: null,
        micro_usd_per_month: null,
        models: null,
        kinds: null,
        strategy: null,
        priority: null,
        has_watermark: false,
        max_upload_bytes: null,
        is_enabled: true,
        is_default: false,
        created_at: '2026-01-31T10:00:00Z',
      },
    ])
    expect((await server.get('/api/v1/plans/pro')).json()).toEqual(made.json())
    const change = {
      tokens_per_day: null,
      kinds: ['image'],
      strategy: 'best',
      display_name: 'Pro!',
    }
    const changed = await server.patch('/api/v1/plans/pro', change)
    expect(changed.json()).toEqual({ ...made.json(), ...change })
    const nothing = await server.patch('/api/v1/plans/pro', {})
    expect(nothing.json()).toEqual(changed.json())
    const list = await server.get('/api/v1/plans')
    expect(list.json()).toMatchObject({ data: [{ name: 'pro' }], has_more: false })
  })
  test('says which field is wrong, also of those that cannot be changed', async () => {
    const wrong: [string, object][] = [
      ['tokens_per_period', { tokens_per_period: -1 }],
      ['max_concurrent', { max_concurrent: 0 }],
      ['models.0', { models: ['none'] }],
      ['kinds.0', { kinds: ['opera'] }],
      ['strategy', { strategy: 'luck' }],
      ['surprise', { surprise: 1 }],
    ]
    for (const [path, json] of wrong) {
      const made = await server.post('/api/v1/plans', { template: 'free', name: 'x', ...json })
      const changed = await server.patch('/api/v1/plans/pro', json)
      for (const answer of [made, changed]) {
        expect([path, answer.status]).toEqual([path, 400])
        expect(answer.json()).toMatchObject({ details: [{ path }] })
      }
    }
    for (const path of ['name', 'period', 'template']) {
      const changed = await server.patch('/api/v1/plans/pro', { [path]: 'week' })
      expect(changed.json()).toMatchObject({ details: [{ path }] })
    }
    const twice = await server.post('/api/v1/plans', { name: 'pro' })
    expect([twice.status, twice.json().code]).toEqual([409, 'conflict'])
  })
  test('is nothing to another app, nor in the other mode', async () => {
    for (const key of [other.keys.live.secret, other.keys.test.secret, shop.keys.test.secret]) {
      const elsewhere = server.as({ key })
      const none = { data: [], has_more: false, next_cursor: null }
      expect((await elsewhere.get('/api/v1/plans')).json()).toEqual(none)
      const answers = [
        await elsewhere.get('/api/v1/plans/pro'),
        await elsewhere.patch('/api/v1/plans/pro', { max_concurrent: 9 }),
        await elsewhere.delete('/api/v1/plans/pro'),
        await elsewhere.send('PUT', '/api/v1/plans/default', { json: { plan: 'pro' } }),
        await elsewhere.send('PUT', '/api/v1/users/eve/subscription', { json: { plan: 'pro' } }),
      ]
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 400, 400])
      expect((await elsewhere.get('/api/v1/users/eve')).status).toBe(404)
    }
    expect((await server.get('/api/v1/plans/pro')).json()).toMatchObject({ max_concurrent: 3 })
  })
  test('is removed while nobody has it', async () => {
    await server.post('/api/v1/plans', { template: 'free' })
    const gone = await server.delete('/api/v1/plans/free')
    expect([gone.status, gone.json()]).toEqual([200, { name: 'free', deleted: true }])
    expect((await server.delete('/api/v1/plans/free')).status).toBe(404)
    for (const name of ['%20', 'PRO', 'pro%00', 'p%72o%20']) {
      expect([name, (await server.get(`/api/v1/plans/${name}`)).status]).toEqual([name, 404])
    }
  })
})

describe('a subscription', () => {
  test('from the purchase to its end', async () => {
    await server.post('/api/v1/plans', { template: 'basic' })
    const bought = { plan: 'basic', period_start: '2026-01-31T12:00:00.5+02:00', source: 'store' }
    const begun = await subscribe('ann', bought)
    expect([begun.status, begun.json()]).toEqual([
      200,
      {
        id: expect.stringMatching(/^sub_/),
        external_id: 'ann',
        plan: 'basic',
        next_plan: null,
        status: 'active',
        source: 'store',
        period_number: 0,
        period_start: '2026-01-31T10:00:00Z',
        period_end: '2026-02-28T10:00:00Z',
        cancel_at_period_end: false,
        next_replenishment_at: '2026-02-28T10:00:00Z',
        created_at: '2026-01-31T10:00:00Z',
        ended_at: null,
      },
    ])
    const balance = async () =>
      (await server.get('/api/v1/users/ann')).json<{ token_balance: number }>().token_balance
    expect(await balance()).toBe(500)
    clock.advance(Date.parse('2026-02-28T10:00:00Z') - clock.now())
    await renewAllDue(hub.deps, new AbortController().signal)
    expect(await balance()).toBe(500)
    const up = await subscribe('ann', { plan: 'pro' })
    expect(up.json()).toMatchObject({ plan: 'pro', period_end: '2026-03-31T10:00:00Z' })
    expect(await balance()).toBe(2_000)
    const down = await subscribe('ann', { plan: 'basic' })
    expect(down.json()).toMatchObject({ plan: 'pro', next_plan: 'basic' })
    const cancelled = await server.post('/api/v1/users/ann/subscription/cancel')
    expect(cancelled.json()).toMatchObject({
      cancel_at_period_end: true,
      next_replenishment_at: null,
    })
    const resumed = await server.post('/api/v1/users/ann/subscription/resume', {})
    expect(resumed.json()).toMatchObject({ cancel_at_period_end: false, next_plan: 'basic' })
    const ended = await server.delete('/api/v1/users/ann/subscription')
    expect(ended.json()).toMatchObject({ status: 'ended', ended_at: '2026-02-28T10:00:00Z' })
    expect(await balance()).toBe(0)
    expect((await server.get('/api/v1/users/ann/subscription')).status).toBe(404)
  })
  test('is shown to its user, who can change nothing of it', async () => {
    await subscribe('ben', { plan: 'basic' })
    const app = server.as({ key: shop.keys.live.publishable })
    const path = '/api/v1/users/ben/token'
    const { user_token: token } = (await server.post(path)).json<{ user_token: string }>()
    const seen = await app.get('/api/v1/users/me/subscription', { token })
    expect(seen.json()).toMatchObject({ external_id: 'ben', plan: 'basic' })
    for (const [method, rest] of [
      ['PUT', ''],
      ['DELETE', ''],
      ['POST', '/cancel'],
      ['POST', '/resume'],
    ] as const) {
      const json = method === 'PUT' ? { plan: 'pro' } : undefined
      const answer = await app.send(method, `/api/v1/users/me/subscription${rest}`, { token, json })
      expect([method, answer.status]).toEqual([method, 403])
    }
  })
  test('is ordered once with one key, and cancelled once', async () => {
    const headers = { 'idempotency-key': 'order-1' }
    const order = (plan: string) => put('/api/v1/users/cleo/subscription', { plan }, { headers })
    const first = await order('basic')
    await subscribe('cleo', { plan: 'pro' })
    const again = await order('basic')
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.json()).toEqual(first.json())
    expect((await order('pro')).status).toBe(422)
    const cancel = () =>
      server.post('/api/v1/users/cleo/subscription/cancel', { idempotency_key: 'c' })
    await cancel()
    await subscribe('cleo', { plan: 'pro' })
    expect((await cancel()).headers.get('idempotent-replayed')).toBe('true')
    const now = await server.get('/api/v1/users/cleo/subscription')
    expect(now.json()).toMatchObject({ plan: 'pro', cancel_at_period_end: false })
  })
  test('says which field is wrong', async () => {
    const wrong: [string, object][] = [
      ['plan', { plan: 'none' }],
      ['plan', {}],
      ['period_start', { plan: 'pro', period_start: '2027-01-01T00:00:00Z' }],
      ['period_start', { plan: 'pro', period_start: '2020-01-01T00:00:00Z' }],
      ['period_start', { plan: 'pro', period_start: '2026-02-30T00:00:00Z' }],
      ['period_start', { plan: 'pro', period_start: '2026-02-01' }],
      ['period_start', { plan: 'pro', period_start: 1_769_853_600 }],
      ['source', { plan: 'pro', source: 'default' }],
      ['proration', { plan: 'pro', proration: 'half' }],
      ['when', { plan: 'pro', when: 'soon' }],
    ]
    for (const [path, json] of wrong) {
      const answer = await subscribe('nobody', json)
      expect([path, answer.status]).toEqual([path, 400])
      expect(answer.json()).toMatchObject({ details: [{ path }] })
    }
    expect((await server.get('/api/v1/users/nobody')).status).toBe(404)
  })
})

describe('the default plan', () => {
  test('is set, shown and taken away', async () => {
    const set = async (plan: unknown) => {
      const answer = await put('/api/v1/plans/default', { plan })
      return [answer.status, answer.json().default_plan ?? null]
    }
    expect(await set('basic')).toEqual([200, 'basic'])
    expect((await server.get('/api/v1/plans/basic')).json()).toMatchObject({ is_default: true })
    const off = await server.patch('/api/v1/plans/basic', { is_enabled: false })
    expect(off.status).toBe(409)
    expect(await set('none')).toEqual([400, null])
    expect(await set(7)).toEqual([400, null])
    expect(await set(null)).toEqual([200, null])
    expect((await put('/api/v1/plans/default', {})).status).toBe(400)
    expect((await server.get('/api/v1/plans/basic')).json()).toMatchObject({ is_default: false })
  })
})
