import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { type DoorOptions, httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { type TestHub, testHub } from '@test/support/test-hub'
import { isoSeconds } from '@/base/clock'
import type { Config } from '@/base/config'
import { callerAddress, isListed } from '@/http/address'

/** CONTRACT section 1, rate limits, with numbers small enough to be counted. */
let hub: TestHub
let clock: FakeClock

beforeAll(async () => {
  clock = fakeClock()
  hub = await testHub({ isRunning: false, clock, config: { addressRateLimit: 3 } })
})
afterAll(() => hub.close())

/** A door that has counted nothing yet. */
function freshDoor(config: Partial<Config> = {}, options: DoorOptions = {}): Client {
  return apiClient(httpDoor({ ...hub.deps, config: { ...hub.deps.config, ...config } }, options))
}

const limited = (perUser: number, perApp: number): Promise<Tenant> =>
  tenant(hub.deps, { rateLimitPerUser: perUser, rateLimitPerApp: perApp })

const statuses = async (times: number, call: () => Promise<{ status: number }>) => {
  const seen: number[] = []
  for (let i = 0; i < times; i++) seen.push((await call()).status)
  return seen
}

/** Changes nothing and counts as a change. */
const change = (door: Client) => door.patch('/api/v1/users/nobody', { metadata: {} })
const read = (door: Client) => door.get('/api/v1/jobs')
const readOne = (door: Client) => door.get('/api/v1/jobs/job_00000000000')

describe('calls that change', () => {
  test('are limited per user', async () => {
    const { keys } = await limited(2, 100)
    const door = freshDoor().as({ key: keys.test.secret })
    const nobody = door.as({ user: 'nobody' })
    expect(await statuses(4, () => change(nobody))).toEqual([404, 404, 429, 429])
    const other = door.as({ user: 'somebody' })
    expect((await other.patch('/api/v1/users/somebody', {})).status).toBe(404)
  })
  test('are limited per app, over all its users', async () => {
    const { keys } = await limited(2, 3)
    const door = freshDoor().as({ key: keys.test.secret })
    const asUser = (user: string) => door.as({ user }).patch(`/api/v1/users/${user}`, {})
    expect(await statuses(2, () => asUser('one'))).toEqual([404, 404])
    expect(await statuses(2, () => asUser('two'))).toEqual([404, 429])
    expect(await statuses(1, () => asUser('three'))).toEqual([429])
  })
  test('of one user who is over the limit do not use up the app’s', async () => {
    const { keys } = await limited(2, 5)
    const door = freshDoor().as({ key: keys.test.secret })
    const greedy = await statuses(20, () => change(door.as({ user: 'nobody' })))
    expect(greedy.filter(status => status === 429)).toHaveLength(18)
    const others = ['a', 'b', 'c', 'd'].map(user => door.as({ user }).patch('/api/v1/users/me', {}))
    const answered = (await Promise.all(others)).map(({ status }) => status)
    expect(answered).toEqual([404, 404, 404, 429])
  })
  test('do not count in the other mode or for another app', async () => {
    const [one, two] = [await limited(1, 1), await limited(1, 1)]
    const door = freshDoor()
    for (const key of [one.keys.test.secret, one.keys.live.secret, two.keys.test.secret]) {
      expect(await statuses(2, () => change(door.as({ key })))).toEqual([404, 429])
    }
  })
  test('count by app and not by key', async () => {
    const { keys } = await limited(9, 2)
    const door = freshDoor().as({ user: 'nobody' })
    const calls = [keys.test.secret, keys.test.publishable, keys.test.secret].map(
      key => () => door.delete('/api/v1/jobs/job_00000000000', { key }),
    )
    const seen = []
    for (const call of calls) seen.push((await call()).status)
    expect(seen).toEqual([404, 404, 429])
  })
})

describe('reads', () => {
  test('have ten times as much, apart from changes', async () => {
    const { keys } = await limited(2, 3)
    const user = freshDoor().as({ key: keys.test.secret, user: 'nobody' })
    const many = await statuses(21, () => read(user))
    expect(many.indexOf(429)).toBe(20)
    expect((await change(user)).status).toBe(404)
    const app = freshDoor().as({ key: keys.test.secret })
    expect((await statuses(31, () => read(app))).indexOf(429)).toBe(30)
  })
  test('of one job count for the user only', async () => {
    const { keys } = await limited(1, 1)
    const door = freshDoor().as({ key: keys.test.secret })
    for (const user of ['one', 'two', 'three']) {
      const each = await statuses(11, () => readOne(door.as({ user })))
      expect(each.indexOf(429)).toBe(10)
    }
    // None of these was counted for the app.
    expect((await read(door)).headers.get('ratelimit')).toStartWith('"app";r=9;')
  })
  test('of one job by a server for nobody count for the app: there is nobody else', async () => {
    const { keys } = await limited(1, 1)
    const door = freshDoor().as({ key: keys.test.secret })
    expect((await statuses(11, () => readOne(door))).indexOf(429)).toBe(10)
  })
})

describe('the headers', () => {
  /** A list of strings with integer parameters, as the draft writes both fields. */
  const ITEM = /^"(\w+)";(\w)=(\d+);(\w)=(\d+)$/
  const items = (text: string | null) =>
    (text ?? '').split(', ').map(item => {
      const [, name, first, n, second, m] = ITEM.exec(item) ?? []
      return { name, [first ?? '']: Number(n), [second ?? '']: Number(m) }
    })

  test('name each limit, what is left of it and when it starts anew', async () => {
    const { keys } = await limited(2, 5)
    const door = freshDoor().as({ key: keys.test.secret, user: 'nobody' })
    await change(door)
    const { headers } = await change(door)
    expect(items(headers.get('ratelimit-policy'))).toEqual([
      { name: 'user', q: 2, w: 60 },
      { name: 'app', q: 5, w: 60 },
    ])
    const [user, app] = items(headers.get('ratelimit'))
    expect(user).toMatchObject({ name: 'user', r: 0 })
    expect(app).toMatchObject({ name: 'app', r: 3 })
    expect(user?.t).toBeWithin(1, 61)
  })
  test('come with every answer to a good key, errors and the catalogue too', async () => {
    const { keys } = await limited(50, 50)
    const door = freshDoor().as({ key: keys.test.secret, user: 'ann' })
    const catalogue = await door.get('/api/v1/models')
    const known = { 'if-none-match': catalogue.headers.get('etag') ?? '' }
    const answers = [
      catalogue,
      await door.get('/api/v1/models', { headers: known }),
      await read(door),
      await readOne(door),
      await door.get('/api/v1/jobs?limit=x'),
      await door.post('/api/v1/generate', {}),
      await door.post('/api/v1/users', { external_id: 'ann' }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 304, 200, 404, 400, 400, 201])
    for (const { headers } of answers) {
      expect(items(headers.get('ratelimit'))[0]).toHaveProperty('r')
      expect(items(headers.get('ratelimit-policy'))[0]).toMatchObject({ name: 'user', w: 60 })
    }
  })
  test('of a 429 say how long to wait, and so does the body', async () => {
    const { keys } = await limited(1, 9)
    const door = freshDoor().as({ key: keys.test.secret, user: 'nobody' })
    await change(door)
    const refused = await change(door)
    const body = refused.json<{ retry_after: number; limit: number; resets_at: string }>()
    expect(body).toMatchObject({ code: 'rate_limited', limit: 1 })
    expect(body.retry_after).toBeWithin(1, 61)
    expect(refused.headers.get('retry-after')).toBe(String(body.retry_after))
    expect(body.resets_at).toBe(isoSeconds(clock.wall() + body.retry_after * 1_000))
    const [user] = items(refused.headers.get('ratelimit'))
    expect(user).toEqual({ name: 'user', r: 0, t: body.retry_after })
    expect(items(refused.headers.get('ratelimit-policy'))[0]).toEqual({ name: 'user', q: 1, w: 60 })
  })
})

describe('calls without a valid key', () => {
  test('are limited by address, and valid keys from there never are', async () => {
    const { keys } = await limited(100, 100)
    const door = freshDoor()
    const stranger = () => door.get('/api/v1/jobs', { key: 'nonsense' })
    expect(await statuses(5, stranger)).toEqual([401, 401, 401, 429, 429])
    expect(await statuses(1, () => door.get('/api/v1/jobs'))).toEqual([429])
    const good = await statuses(20, () => read(door.as({ key: keys.test.secret })))
    expect(new Set(good)).toEqual(new Set([200]))
    const refused = await stranger()
    expect(refused.json()).toMatchObject({ code: 'rate_limited', limit: 3 })
    expect(refused.headers.get('ratelimit-policy')).toBe('"address";q=3;w=60')
    expect(refused.headers.get('ratelimit')).toMatch(/^"address";r=0;t=\d+$/)
  })
  test('count whatever is wrong with the key, and nothing else counts', async () => {
    const { keys } = await limited(100, 100)
    const door = freshDoor()
    const good = door.as({ key: keys.live.publishable, user: 'ann' })
    // A good key with a missing or bad user token is not a stranger's.
    expect(new Set(await statuses(9, () => read(good)))).toEqual(new Set([401]))
    expect(new Set(await statuses(9, () => door.get('/health')))).toEqual(new Set([200]))
    const wrong = ['', 'x', `${keys.test.secret.slice(0, -2)}zz`, keys.test.secret.toUpperCase()]
    const seen = []
    for (const key of wrong) seen.push((await door.get('/api/v1/jobs', { key })).status)
    expect(seen).toEqual([401, 401, 401, 429])
  })
  test('are told apart behind a trusted proxy, and nobody can choose his address', async () => {
    const from = (door: Client, forwarded: string) =>
      door.get('/api/v1/jobs', { headers: { 'x-forwarded-for': forwarded } })
    const proxied = freshDoor({ trustedProxies: ['127.0.0.0/8'] })
    for (const address of ['203.0.113.1', '203.0.113.2', '2001:db8::1']) {
      const seen = await statuses(4, () => from(proxied, `198.51.100.9, ${address}`))
      expect(seen).toEqual([401, 401, 401, 429])
    }
    const direct = freshDoor()
    const seen = []
    for (let i = 0; i < 5; i++) seen.push((await from(direct, `203.0.113.${i}`)).status)
    expect(seen).toEqual([401, 401, 401, 429, 429])
  })
})

describe('the address of a caller', () => {
  const PROXIES = ['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48']
  const cases: [string, string, string | null, string][] = [
    ['no header', '10.0.0.1', null, '10.0.0.1'],
    ['an untrusted socket', '203.0.113.5', '198.51.100.1', '203.0.113.5'],
    ['one hop', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['a made-up hop on the left', '10.0.0.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    ['two proxies', '10.0.0.1', '198.51.100.1, 192.0.2.7', '198.51.100.1'],
    ['only proxies', '10.0.0.1', '192.0.2.7, 10.9.9.9', '10.0.0.1'],
    ['no address', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['blanks', '10.0.0.1', '  198.51.100.1  ', '198.51.100.1'],
    ['a mapped socket', '::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['IPv6', '2001:db8:1::9', '2001:db8:2::1', '2001:db8:2::1'],
  ]
  test.each(cases)('%s', (_, socket, header, expected) => {
    expect(callerAddress(socket, header, PROXIES)).toBe(expected)
  })
  test('is in a range or not', () => {
    expect(isListed('10.1.2.3', ['10.0.0.0/8'])).toBe(true)
    expect(isListed('11.1.2.3', ['10.0.0.0/8'])).toBe(false)
    expect(isListed('10.0.0.1', ['10.0.0.1'])).toBe(true)
    expect(isListed('::1', ['127.0.0.1'])).toBe(false)
    expect(isListed('nonsense', ['0.0.0.0/0'])).toBe(false)
  })
})
