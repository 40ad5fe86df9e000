import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type FakeClock, fakeClock, TEST_START_MS } from '@test/support/fake-clock'
import { type TestHub, testHub } from '@test/support/test-hub'
import { DAY } from '@/base/clock'
import type { ModelId } from '@/base/ids'
import { write } from '@/db/write'
import type { Mode } from '@/deps'
import { findModel } from '@/domain/catalog'
import { record } from '@/domain/usage'
import { findByExternalId } from '@/domain/users'

/** GET /api/v1/usage as callers meet it; that the numbers are right is shown in test/domain/usage. */
let hub: TestHub
let clock: FakeClock
let shop: Tenant
let secret: Client

/** All of them may be an app's own ids, and a spreadsheet would compute the first four. */
const PEOPLE = ['=1+1', '+49.30', '-2', '@home', 'ann', 'bob', 'gone']
const TODAY = '2026-01-15'

type Report = {
  from: string
  to: string
  group: string
  data: Record<string, string | number | null>[]
  totals: Record<string, number | null>
  has_more: boolean
  next_cursor: string | null
}

beforeAll(async () => {
  clock = fakeClock(TEST_START_MS - 40 * DAY)
  hub = await testHub({ isRunning: false, clock })
  shop = await tenant(hub.deps)
  secret = apiClient(httpDoor(hub.deps), { key: shop.keys.live.secret })
  for (const external_id of PEOPLE) await secret.post('/api/v1/users', { external_id })
  for (let day = 40; day >= 0; day--) {
    for (const [n, name] of PEOPLE.entries()) {
      if ((day + n) % 3 === 0) await used(name, 1 + (n % 2))
    }
    if (day > 0) clock.advance(DAY)
  }
  await used('ann', 5, 'test')
  await secret.delete('/api/v1/users/gone')
})
afterAll(() => hub.close())

/** One job of a user that has ended now, of every kind in turn. */
async function used(name: string, cost: number, mode: Mode = 'live'): Promise<void> {
  const realm = shop.realms[mode]
  const user = findByExternalId(hub.deps.db, shop.realms.live.id, name)
  if (!user) throw new Error('no such user')
  const model = findModel(hub.deps, cost % 2 ? 'sdxl' : 'flux-schnell')
  await write(hub.deps.db, tx =>
    record(tx, {
      realmId: realm.id,
      userId: user.id,
      modelId: model?.id ?? (0 as ModelId),
      provider: cost % 2 ? 'fal' : '',
      status: cost % 2 ? 'succeeded' : 'cancelled',
      outputs: cost % 2,
      tokens: 10 * (cost % 2),
      costMicroUsd: 1_000 * cost,
      durationMs: 2_500,
    }),
  )
}

async function usage(query = '', client = secret): Promise<Report> {
  const answer = await client.get(`/api/v1/usage${query}`)
  expect([query, answer.status]).toEqual([query, 200])
  return answer.json<Report>()
}

describe('a report', () => {
  test('is of the last 30 days by day, if nothing is said', async () => {
    const report = await usage()
    expect(report).toMatchObject({
      from: '2025-12-17',
      to: TODAY,
      group: 'day',
      has_more: false,
      next_cursor: null,
    })
    expect(report.data.map(({ day }) => day)).toEqual(
      Array.from({ length: 30 }, (_, back) =>
        new Date(Date.parse(TODAY) - back * DAY).toISOString().slice(0, 10),
      ),
    )
    expect(report.totals.jobs).toBe(70)
  })
  test('says of each group what a price is made of', async () => {
    const { data, totals } = await usage(`?from=${TODAY}&to=${TODAY}&group=provider`)
    const both = { average_ms: 2_500, failed: 0 }
    expect(data).toEqual(
      [
        {
          provider: null,
          ...both,
          jobs: 1,
          succeeded: 0,
          cancelled: 1,
          outputs: 0,
          tokens: 0,
          provider_cost_micro_usd: 2_000,
          cost_per_job_micro_usd: 2_000,
          cost_per_output_micro_usd: null,
          success_rate: null,
        },
        {
          provider: 'fal',
          ...both,
          jobs: 2,
          succeeded: 2,
          cancelled: 0,
          outputs: 2,
          tokens: 20,
          provider_cost_micro_usd: 2_000,
          cost_per_job_micro_usd: 1_000,
          cost_per_output_micro_usd: 1_000,
          success_rate: 1,
        },
      ].toSorted((a, b) => b.jobs - a.jobs),
    )
    expect(totals).toMatchObject({ jobs: 3, cost_per_job_micro_usd: 1_333, success_rate: 1 })
  })
  test('names models, and users by the app’s own ids', async () => {
    const models = await usage('?group=model')
    expect(models.data.map(({ model }) => model).toSorted()).toEqual(['flux-schnell', 'sdxl'])
    const users = await usage('?group=user')
    expect(users.data.map(({ user_id }) => user_id)).toEqual([
      null,
      ...PEOPLE.slice(0, -1).reverse(),
    ])
  })
  test('of users comes in pages, with the totals of all of them on each', async () => {
    const whole = await usage('?group=user')
    const found: unknown[] = []
    let query = '?group=user&limit=3'
    for (let pages = 1; ; pages++) {
      const page = await usage(query)
      expect(page.totals).toEqual(whole.totals)
      found.push(...page.data)
      expect(page.has_more).toBe(pages < 3)
      if (!page.has_more) break
      query = `?group=user&limit=3&cursor=${page.next_cursor}`
    }
    expect(found).toEqual(whole.data)
    expect(whole.totals).toEqual((await usage()).totals)
  })
  test('is of the mode of the key', async () => {
    const report = await usage('', secret.as({ key: shop.keys.test.secret }))
    expect(report.totals).toMatchObject({ jobs: 1, provider_cost_micro_usd: 5_000 })
  })
  test('for a user is of that user only, and for a stranger empty', async () => {
    const all = await usage('?group=user')
    const ann = all.data.find(row => row.user_id === 'ann')
    for (const group of ['day', 'model', 'provider', 'user']) {
      const own = await usage(`?group=${group}`, secret.as({ user: 'ann' }))
      expect(own.totals.jobs).toBe(ann?.jobs as number)
      const none = await usage(`?group=${group}`, secret.as({ user: 'never-seen' }))
      expect(none).toMatchObject({ data: [], has_more: false, next_cursor: null })
      expect(none.totals).toMatchObject({ jobs: 0, average_ms: null, success_rate: null })
    }
    const own = await usage('?group=user', secret.as({ user: 'ann' }))
    expect(own.data).toEqual(ann ? [ann] : [])
    const after = await secret.get(`/api/v1/usage?group=user&cursor=usr_00000000001`, {
      user: 'ann',
    })
    expect(after.json<Report>().data).toEqual([])
  })
  test('of other days is of those days', async () => {
    expect((await usage('?from=2025-12-06&to=2025-12-06')).totals.jobs).toBe(2)
    expect((await usage('?to=2025-12-05')).totals.jobs).toBe(0)
    expect(await usage('?to=2025-12-31')).toMatchObject({ from: '2025-12-02', to: '2025-12-31' })
    expect((await usage('?from=2024-12-12')).totals.jobs).toBe(96)
    expect((await usage('?from=2024-02-29&to=2024-02-29')).data).toEqual([])
  })
})

test.each([
  ['from=2026-02-30', 'from'],
  ['from=2025-02-29', 'from'],
  ['from=2026-1-5', 'from'],
  ['from=20260105', 'from'],
  ['from=2026-01-05T00:00:00Z', 'from'],
  ['from=', 'from'],
  ['to=tomorrow', 'to'],
  ['to=2026-00-10', 'to'],
  ['from=2026-01-10&to=2026-01-09', 'from'],
  ['from=2026-01-16', 'from'],
  ['from=2024-12-11', 'from'],
  ['from=0001-01-01&to=9999-12-31', 'from'],
  ['group=week', 'group'],
  ['format=xml', 'format'],
  ['limit=0', 'limit'],
  ['group=user&limit=101', 'limit'],
  ['group=user&cursor=job_00000000001', 'cursor'],
  ['group=user&cursor=x', 'cursor'],
  ['cursor=usr_00000000001', 'cursor'],
  ['user_id=ann', 'user_id'],
])('%s is a 400 that names %s', async (query, path) => {
  for (const format of ['', '&format=csv']) {
    if (format && query.startsWith('format')) continue
    const answer = await secret.get(`/api/v1/usage?${query}${format}`)
    expect(answer.status).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'invalid_input', details: [{ path }] })
  }
})

describe('CSV', () => {
  const csv = async (query: string, headers: Record<string, string> = {}) => {
    const answer = await secret.get(`/api/v1/usage${query}`, { headers })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toStartWith('text/csv')
    expect(answer.text).toEndWith('\r\n')
    const [header = '', ...lines] = answer.text.slice(0, -2).split('\r\n')
    return { answer, columns: header.split(','), rows: lines.map(line => line.split(',')) }
  }
  const unguarded = (cell: string) => cell.replace(/^"'(.*)"$/, '$1')

  test.each(['day', 'model', 'user', 'provider'])('by %s is the same as JSON', async group => {
    const { data } = await usage(`?group=${group}`)
    const { columns, rows } = await csv(`?group=${group}&format=csv`)
    expect(columns).toEqual(Object.keys(data[0] ?? {}))
    expect(rows).toHaveLength(data.length)
    for (const [i, row] of rows.entries()) {
      const expected = columns.map(column => String(data[i]?.[column] ?? ''))
      expect(row.map(unguarded)).toEqual(expected)
    }
  })
  test('comes for who prefers it, and JSON for everybody else', async () => {
    expect((await csv('', { accept: 'text/csv' })).rows).toHaveLength(30)
    expect((await csv('?format=csv', { accept: 'application/json' })).rows).toHaveLength(30)
    for (const accept of ['*/*', 'application/json, text/csv', 'text/html']) {
      const answer = await secret.get('/api/v1/usage', { headers: { accept } })
      expect(answer.headers.get('content-type')).toStartWith('application/json')
    }
    const json = await secret.get('/api/v1/usage?format=json', { headers: { accept: 'text/csv' } })
    expect(json.headers.get('content-type')).toStartWith('application/json')
  })
  test('has a name that says what is in it, and is kept by no cache', async () => {
    const { answer } = await csv('?group=model&from=2026-01-01&format=csv')
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="usage-${shop.app.slug}-live-by-model-2026-01-01-to-2026-01-15.csv"`,
    )
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })
  test('has no formula in it, whatever the users are called', async () => {
    const { rows } = await csv('?group=user&format=csv')
    const names = rows.map(([name = '']) => name)
    for (const name of PEOPLE.slice(0, 4)) expect(names).toContain(`"'${name}"`)
    for (const row of rows) for (const cell of row) expect(cell).not.toMatch(/^[=+\-@]/)
  })
  test('has every user, though JSON comes in pages of at most 100', async () => {
    const many = await tenant(hub.deps)
    const own = secret.as({ key: many.keys.live.secret })
    const grants = Array.from({ length: 250 }, (_, n) => ({
      external_id: `user-${n}`,
      amount: 1,
      reason: 'r',
    }))
    await own.post('/api/v1/users/tokens/batch', { grants })
    const realmId = many.realms.live.id
    for (const { external_id } of grants) {
      const user = findByExternalId(hub.deps.db, realmId, external_id)
      await write(hub.deps.db, tx =>
        record(tx, {
          realmId,
          userId: user?.id as never,
          modelId: 1 as ModelId,
          provider: 'fal',
          status: 'failed',
          outputs: 0,
          tokens: 0,
          costMicroUsd: 1,
          durationMs: 1,
        }),
      )
    }
    const read = async (query: string) => {
      const answer = await own.get(`/api/v1/usage?group=user&format=csv${query}`)
      return answer.text.split('\r\n').slice(1, -1)
    }
    const all = await read('')
    expect(all.map(line => line.split(',')[0])).toEqual(
      grants.map(({ external_id }) => external_id).reverse(),
    )
    expect(await read('&limit=7')).toEqual(all)
    const page = (await own.get('/api/v1/usage?group=user&limit=100')).json<Report>()
    expect(page.data).toHaveLength(100)
    expect(await read(`&cursor=${page.next_cursor}`)).toEqual(all.slice(100))
    const models = (await own.get('/api/v1/usage?group=model')).json<Report>()
    // A model that the catalogue no longer has keeps its id.
    expect(models.data).toMatchObject([{ model: 'mdl_00000000001', jobs: 250, success_rate: 0 }])
  })
})
