import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'

/** CONTRACT section 1, lists: newest first, stable under inserts, a cursor that is an id. */
let hub: TestHub
let shop: Tenant
let secret: Client
let ann: Client

type Page = { data: Record<string, unknown>[]; has_more: boolean; next_cursor: string | null }
type List = { path: string; field: string; make: (name: string) => Promise<string> }

const MODEL = 'flux-schnell'

beforeAll(async () => {
  // Nothing runs: jobs stay queued but for those that are cancelled.
  hub = await testHub({ isRunning: false })
  shop = await tenant(hub.deps)
  secret = apiClient(httpDoor(hub.deps), { key: shop.keys.test.secret })
  ann = secret.as({ user: 'ann' })
  await secret.post('/api/v1/users/ann/tokens', { amount: 100_000, reason: 'to begin with' })
})
afterAll(() => hub.close())

async function job(model = MODEL): Promise<string> {
  const made = await ann.post('/api/v1/generate', { model, input: { prompt: 'a' } })
  expect(made.status).toBe(202)
  return made.json<{ job_id: string }>().job_id
}

const LISTS: Record<string, List> = {
  jobs: { path: '/api/v1/jobs', field: 'job_id', make: () => job() },
  users: {
    path: '/api/v1/users',
    field: 'external_id',
    async make(name) {
      const made = await secret.post('/api/v1/users', { external_id: name })
      return made.json<{ external_id: string }>().external_id
    },
  },
  plans: {
    path: '/api/v1/plans',
    field: 'name',
    async make(name) {
      const made = await secret.post('/api/v1/plans', { template: 'pro', name })
      return made.json<{ name: string }>().name
    },
  },
  entries: {
    path: '/api/v1/users/ben/tokens',
    field: 'id',
    async make() {
      const made = await secret.post('/api/v1/users/ben/tokens', { amount: 1, reason: 'one more' })
      return made.json<{ transaction_id: string }>().transaction_id
    },
  },
}

async function page(list: List, query = ''): Promise<Page> {
  const answer = await secret.get(`${list.path}${query}`)
  expect(answer.status).toBe(200)
  return answer.json<Page>()
}

const names = (list: List, { data }: Page) => data.map(item => String(item[list.field]))

describe.each(Object.keys(LISTS))('the list of %s', name => {
  const list = LISTS[name] as List

  test('is newest first, page by page, and nothing is missed or told twice', async () => {
    const made: string[] = []
    for (let i = 0; i < 7; i++) made.unshift(await list.make(`${name}-${i}`))
    const seen: string[] = []
    let at = ''
    for (let i = 0; i < 3; i++) {
      const next = await page(list, `?limit=3${at}`)
      seen.push(...names(list, next))
      // What is made meanwhile comes before the first page and moves nothing.
      await list.make(`${name}-meanwhile-${i}`)
      expect(next.next_cursor !== null).toBe(next.has_more)
      at = `&cursor=${next.next_cursor}`
    }
    expect(seen.slice(0, 7)).toEqual(made)
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('ends with has_more false and no cursor', async () => {
    const all = await page(list, '?limit=100')
    expect([all.has_more, all.next_cursor]).toEqual([false, null])
    const exactly = await page(list, `?limit=${all.data.length}`)
    expect([exactly.has_more, exactly.next_cursor]).toEqual([false, null])
    const oneLess = await page(list, `?limit=${all.data.length - 1}`)
    expect(oneLess.has_more).toBe(true)
    const last = await page(list, `?limit=1&cursor=${oneLess.next_cursor}`)
    expect(names(list, last)).toEqual(names(list, all).slice(-1))
    expect([last.has_more, last.next_cursor]).toEqual([false, null])
  })

  test('has 20 when nobody says how many, and 100 at most', async () => {
    for (let i = 0; i < 25; i++) await list.make(`${name}-many-${i}`)
    expect((await page(list)).data).toHaveLength(20)
    expect((await page(list, '?limit=1')).data).toHaveLength(1)
    for (let i = 0; i < 80; i++) await list.make(`${name}-more-${i}`)
    const most = await page(list, '?limit=100')
    expect([most.data.length, most.has_more]).toEqual([100, true])
  })

  test.each(['0', '101', '-1', '1.5', 'ten', '', '1e9', 'NaN', '99999999999999999999', '1,2'])(
    'refuses limit=%s',
    async limit => {
      const answer = await secret.get(`${list.path}?limit=${limit}`)
      expect(answer.status).toBe(400)
      expect(answer.json<{ details: unknown[] }>().details[0]).toMatchObject({ path: 'limit' })
    },
  )

  test('refuses a cursor that is none of its own', async () => {
    const others = {
      jobs: 'job_00000000001',
      users: 'usr_00000000001',
      plans: 'pln_00000000001',
      entries: 'txn_00000000001',
      file: 'fil_00000000001',
      model: 'mdl_00000000001',
    }
    const { [name]: own, ...foreign } = others as Record<string, string>
    const garbage = [
      '',
      'x',
      '0',
      own?.slice(4),
      `${own}0`,
      own?.slice(0, -1),
      own?.toUpperCase(),
      `${own}%00`,
      `%20${own}`,
      own?.replace('_', '-'),
      `${own?.slice(0, 4)}zzzzzzzzzzz`,
      `${own?.slice(0, 4)}uuuuuuuuuuu`,
      "' OR 1=1 --",
      'null',
      '%F0%9F%92%A9',
    ]
    for (const cursor of [...garbage, ...Object.values(foreign)]) {
      const answer = await secret.get(`${list.path}?cursor=${cursor}`)
      expect([cursor, answer.status]).toEqual([cursor, 400])
      expect(answer.json()).toMatchObject({ details: [{ path: 'cursor' }] })
    }
    // Before everything: a good cursor with nothing behind it.
    expect(await page(list, `?cursor=${own}`)).toEqual({
      data: [],
      has_more: false,
      next_cursor: null,
    })
  })

  test('refuses a filter it does not have', async () => {
    for (const query of ['?page=2', '?Limit=1', '?limit=1&__proto__=1', '?constructor=x']) {
      expect([query, (await secret.get(list.path + query)).status]).toEqual([query, 400])
    }
  })
})

describe('jobs', () => {
  const ids = async (query: string, door = secret) =>
    (await door.get(`/api/v1/jobs${query}`))
      .json<{ data: { job_id: string }[] }>()
      .data.map(({ job_id }) => job_id)

  test('can be filtered by state, model and user', async () => {
    const [queued, cancelled, other] = [await job(), await job(), await job('sdxl')]
    await ann.delete(`/api/v1/jobs/${cancelled}`)
    expect(await ids('?status=cancelled')).toEqual([cancelled])
    expect(await ids('?status=failed,cancelled')).toEqual([cancelled])
    expect(await ids('?status=cancelled,cancelled')).toEqual([cancelled])
    expect(await ids('?status=succeeded')).toEqual([])
    expect(await ids('?status=queued,running&limit=2')).toEqual([other, queued])
    expect(await ids('?status=queued%2Ccancelled&limit=3')).toEqual([other, cancelled, queued])
    expect(await ids('?model=sdxl')).toEqual([other])
    expect(await ids('?model=sdxl&status=cancelled')).toEqual([])
    expect(await ids('?model=no-such-model')).toEqual([])
    expect(await ids('?user_id=ann&limit=1')).toEqual([other])
    expect(await ids('?user_id=nobody')).toEqual([])
    expect(await ids('', secret.as({ user: 'nobody' }))).toEqual([])
  })

  test.each(['', 'done', 'queued,', ',', 'QUEUED', 'queued,done', 'queued, running', '__proto__'])(
    'cannot be asked for status=%s',
    async status => {
      const answer = await secret.get(`/api/v1/jobs?status=${encodeURIComponent(status)}`)
      expect(answer.status).toBe(400)
      expect(answer.json()).toMatchObject({ details: [{ path: 'status' }] })
    },
  )
  test.each(['', 'me', 'a b', 'é', 'tokens'])('cannot be asked for user_id=%s', async user => {
    const answer = await secret.get(`/api/v1/jobs?user_id=${encodeURIComponent(user)}`)
    expect(answer.status).toBe(400)
  })
})

test('an erased user is in no list', async () => {
  await secret.post('/api/v1/users', { external_id: 'leaving' })
  await secret.delete('/api/v1/users/leaving')
  const users = await page(LISTS.users as List, '?limit=100')
  expect(names(LISTS.users as List, users)).not.toContain('leaving')
  expect(users.data.every(({ external_id }) => external_id !== null)).toBe(true)
})
