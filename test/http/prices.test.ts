import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, SHELL, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'
import { formatId } from '@/base/ids'
import type { Mode } from '@/deps'
import { findModel } from '@/domain/catalog'
import * as pricing from '@/domain/pricing'

/** An app's own prices, by its secret key. */
let hub: TestHub
let shop: Tenant
let other: Tenant
let client: Client

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  shop = await tenant(hub.deps)
  other = await tenant(hub.deps)
  client = apiClient(httpDoor(hub.deps))
})
afterAll(() => hub.close())

const as = (app: Tenant, mode: Mode = 'live') => client.as({ key: app.keys[mode].secret })
const path = (subject: string) => `/api/v1/prices/${subject}`
const put = (door: Client, subject: string, rule: unknown) =>
  door.send('PUT', path(subject), { json: { rule } })

const RULE = { base: '0.5', per_output: 3, factors: [{ name: 'margin', by: '1.5' }] }

test('a rule is set, shown, listed and removed, each with the usual request’s price', async () => {
  const door = as(shop)
  const shown = {
    subject: 'model:sdxl',
    version: 1,
    rule: RULE,
    created_at: expect.stringMatching(/Z$/),
    // (0.5 + 3) x 1.5 = 5.25
    example_tokens: 6,
    example_steps: [
      { what: '0.5 tokens', tokens: 1 },
      { what: '+ 3 tokens x 1 outputs = 3.5', tokens: 4 },
      { what: 'x 1.5 margin = 5.25', tokens: 6 },
      { what: 'rounded up', tokens: 6 },
    ],
  }
  expect((await door.get('/api/v1/prices')).json()).toEqual({ data: [] })
  const set = await put(door, 'model:sdxl', RULE)
  expect([set.status, set.json()]).toEqual([200, shown as never])
  expect((await put(door, 'model:sdxl', RULE)).json().version).toBe(1)
  expect((await door.get(path('model:sdxl'))).json()).toEqual(shown as never)
  expect((await door.get(path('model%3Asdxl'))).json()).toEqual(shown as never)
  const id = formatId('model', findModel(hub.deps, 'sdxl')?.id ?? 0)
  expect((await door.get(path(`model:${id}`))).json()).toEqual(shown as never)

  const feature = { units: [{ of: 'pages', price: 2, max: 50 }] }
  const made = await put(door, 'feature:a-book', feature)
  // Nobody can say what a book of no known length costs.
  expect(made.json()).toMatchObject({ version: 1, example_tokens: null, example_steps: [] })
  const { data } = (await door.get('/api/v1/prices')).json<{ data: { subject: string }[] }>()
  expect(data.map(({ subject }) => subject)).toEqual(['feature:a-book', 'model:sdxl'])

  const removed = await door.delete(path('model:sdxl'))
  expect([removed.status, removed.json()]).toEqual([200, { subject: 'model:sdxl', deleted: true }])
  for (const answer of [
    await door.get(path('model:sdxl')),
    await door.delete(path('model:sdxl')),
  ]) {
    expect([answer.status, answer.json().code]).toEqual([404, 'not_found'])
  }
  expect((await put(door, 'model:sdxl', { base: 1 })).json().version).toBe(2)
})

test('another app, and the other mode, have their own', async () => {
  await put(as(shop), 'feature:own', { base: 7 })
  for (const door of [as(other), as(shop, 'test')]) {
    expect((await door.get(path('feature:own'))).status).toBe(404)
    expect((await door.delete(path('feature:own'))).status).toBe(404)
    expect((await door.get('/api/v1/prices')).text).not.toContain('feature:own')
    expect((await put(door, 'feature:own', { base: 1 })).json().version).toBe(1)
  }
  expect((await as(shop).get(path('feature:own'))).json()).toMatchObject({ rule: { base: 7 } })
})

test('the hub’s rules are not the app’s to see as its own, to change or to remove', async () => {
  const subject = 'model:flux-schnell'
  await pricing.setRule(hub.deps, SHELL, { realm: null, subject, rule: { base: 42 } })
  const door = as(shop)
  expect((await door.get(path(subject))).status).toBe(404)
  expect((await door.delete(path(subject))).status).toBe(404)
  const estimate = () =>
    door.post('/api/v1/estimate', { model: 'flux-schnell', input: { prompt: 'a' } })
  expect((await estimate()).json()).toMatchObject({ tokens: 42, rule_version: 1 })
  await put(door, subject, { base: 43 })
  expect((await estimate()).json()).toMatchObject({ tokens: 43 })
  await door.delete(path(subject))
  expect((await estimate()).json()).toMatchObject({ tokens: 42 })
  await pricing.removeRule(hub.deps, SHELL, { realm: null, subject })
})

test('every change is in the audit log, with whose key it was', async () => {
  const rows = () =>
    hub.deps.db.sqlite
      .query(
        "SELECT action, actor_kind, realm_id, subject FROM audit_log WHERE subject = 'feature:audited' ORDER BY id",
      )
      .values()
  const door = as(shop, 'test')
  await put(door, 'feature:audited', { base: 1 })
  await put(door, 'feature:audited', { base: 1 })
  await put(door, 'feature:audited', { base: -1 })
  await door.delete(path('feature:audited'))
  await door.delete(path('feature:audited'))
  const { id } = shop.realms.test
  expect(rows()).toEqual([
    ['price.set', 'key', id, 'feature:audited'],
    ['price.remove', 'key', id, 'feature:audited'],
  ])
})

describe('a bad rule', () => {
  test('is a 400 that names each field below `rule`', async () => {
    const answer = await put(as(shop), 'model:sdxl', {
      base: '1e9',
      per_output: 1.5,
      units: [{ of: 'num_outputs', price: -1 }],
      surprise: 1,
    })
    const { code, details } = answer.json<{ code: string; details: { path: string }[] }>()
    expect([answer.status, code]).toEqual([400, 'invalid_input'])
    expect(details.map(detail => detail.path).toSorted()).toEqual([
      'rule.base',
      'rule.per_output',
      'rule.surprise',
      'rule.units.0.price',
    ])
  })
  test('of a parameter that the model does not have says which it has', async () => {
    const units = [{ of: 'duration_seconds', price: 1, max: 5, absent: 0 }]
    const { details } = (await put(as(shop), 'model:sdxl', { units })).json()
    expect(details).toEqual([
      {
        path: 'rule.units.0.of',
        message: expect.stringMatching(/^is not a field of this model, which has aspect_ratio, /),
      },
    ] as never)
  })
  test('changes nothing', async () => {
    await put(as(shop), 'feature:kept', { base: 5 })
    expect((await put(as(shop), 'feature:kept', { base: 'five' })).status).toBe(400)
    expect((await as(shop).get(path('feature:kept'))).json()).toMatchObject({
      version: 1,
      rule: { base: 5 },
    })
  })
})

test.each([
  ['model:none', 'model_not_found'],
  ['feature:', 'not_found'],
  ['feature:A', 'not_found'],
  ['sdxl', 'not_found'],
  ['%', 'not_found'],
  ['feature:a%2Fb', 'not_found'],
])('%s is nothing that could have a price', async (subject, code) => {
  const answer = await put(as(shop), subject, { base: 1 })
  expect([answer.status, answer.json().code]).toEqual([404, code])
  expect((await as(shop).get(path(subject))).status).toBe(404)
})
