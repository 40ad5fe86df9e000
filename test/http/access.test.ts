import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client, type Send } from '@test/support/client'
import { httpDoor, SHELL, type Tenant, tenant } from '@test/support/factory'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute, type TestHub, testHub } from '@test/support/test-hub'
import { MINUTE } from '@/base/clock'
import type { Mode } from '@/deps'
import * as apps from '@/domain/apps'
import { makeKeyText } from '@/domain/apps/key-text'
import * as plans from '@/domain/plans'
import * as pricing from '@/domain/pricing'
import { mayHaveWelcomeGrant } from '@/http/caller'
import { OPERATIONS } from '@/http/operations'

/** Who may do what: every operation for every kind of caller, written out. */
const MODEL = 'flux-schnell'
const WELCOME = 100

let hub: TestHub
let clock: FakeClock
let shop: Tenant
let client: Client
let dead: { revoked: string; expired: string; unknown: string }

beforeAll(async () => {
  clock = fakeClock()
  // Nothing runs: a job stays as it was made, so that it can be cancelled.
  hub = await testHub({
    isRunning: false,
    clock,
    providers: [fakeProvider()],
    config: { addressRateLimit: 1_000_000 },
  })
  await addRoute(hub.deps, { model: MODEL, provider: 'fake' })
  shop = await tenant(hub.deps, { welcomeGrant: WELCOME })
  client = apiClient(httpDoor(hub.deps))
  const { slug } = shop.app
  const key = () => apps.createKey(hub.deps, SHELL, { slug, mode: 'live', kind: 'secret' })
  const [revoked, expired] = [await key(), await key()]
  await apps.revokeKey(hub.deps, SHELL, { id: revoked.id })
  hub.deps.db.sqlite.run('UPDATE api_keys SET expires_at = ? WHERE id = ?', [
    clock.now() - 1,
    expired.id,
  ])
  const unknown = makeKeyText('pm', 'live', 'secret', new Uint8Array(64).fill(7)).text
  for (const realm of Object.values(shop.realms)) {
    const subjects = Object.keys(CALLERS).map((_, i) => `feature:gone-${i + 1}`)
    for (const subject of ['feature:pack', ...subjects]) {
      await pricing.setRule(hub.deps, SHELL, { realm, subject, rule: { base: 1 } })
    }
    const gone = Object.keys(CALLERS).map((_, i) => `gone-${i + 1}`)
    for (const name of ['basic', ...gone]) {
      await plans.createPlan(hub.deps, SHELL, realm, { template: 'basic', name })
    }
  }
  dead = { revoked: revoked.text, expired: expired.text, unknown }
})
afterAll(() => hub.close())

/** A person who exists in both modes, with a queued job and a welcome grant in each. */
type Person = {
  name: string
  jobs: Record<Mode, string>
  grants: Record<Mode, string>
  charges?: Record<Mode, string>
}
let people = 0

async function newPerson(): Promise<Person> {
  const name = `person-${++people}`
  const jobOf = async (mode: Mode) => {
    const server = client.as({ key: shop.keys[mode].secret, user: name })
    const made = await server.post('/api/v1/generate', { model: MODEL, input: { prompt: 'a' } })
    expect(made.status).toBe(202)
    return made.json<{ job_id: string }>().job_id
  }
  const grantOf = async (mode: Mode) => {
    const list = await client.get(`/api/v1/users/${name}/tokens`, { key: shop.keys[mode].secret })
    const { data } = list.json<{ data: { id: string; type: string }[] }>()
    return data.find(({ type }) => type === 'GRANT')?.id ?? ''
  }
  const jobs = { live: await jobOf('live'), test: await jobOf('test') }
  return { name, jobs, grants: { live: await grantOf('live'), test: await grantOf('test') } }
}

/** What the app took of them for something of its own, in both modes. */
async function chargesOf({ name }: Person): Promise<Record<Mode, string>> {
  const chargeOf = async (mode: Mode) => {
    const json = { amount: 1, reason: 'r' }
    const made = await client.post(`/api/v1/users/${name}/charges`, json, {
      key: shop.keys[mode].secret,
    })
    return made.json<{ charge_id: string }>().charge_id
  }
  return { live: await chargeOf('live'), test: await chargeOf('test') }
}

async function tokenFor(name: string): Promise<string> {
  const server = client.as({ key: shop.keys.live.secret })
  const made = await server.post(`/api/v1/users/${name}/token`)
  expect(made.status).toBe(200)
  return made.json<{ user_token: string }>().user_token
}

/** How each kind of caller presents itself when it is about `person`. */
const CALLERS: Record<string, (person: Person) => Promise<Send> | Send> = {
  noKey: ({ name }) => ({ user: name }),
  mistyped: ({ name }) => ({ key: `${shop.keys.live.secret.slice(0, -1)}!`, user: name }),
  unknown: ({ name }) => ({ key: dead.unknown, user: name }),
  revoked: ({ name }) => ({ key: dead.revoked, user: name }),
  expired: ({ name }) => ({ key: dead.expired, user: name }),
  testSecret: ({ name }) => ({ key: shop.keys.test.secret, user: name }),
  testSecretAlone: () => ({ key: shop.keys.test.secret }),
  testPublic: ({ name }) => ({ key: shop.keys.test.publishable, user: name }),
  testPublicAlone: () => ({ key: shop.keys.test.publishable }),
  liveSecret: ({ name }) => ({ key: shop.keys.live.secret, user: name }),
  liveSecretAlone: () => ({ key: shop.keys.live.secret }),
  livePublic: ({ name }) => ({ key: shop.keys.live.publishable, user: name }),
  livePublicAlone: () => ({ key: shop.keys.live.publishable }),
  withToken: async ({ name }) => ({
    key: shop.keys.live.publishable,
    token: await tokenFor(name),
  }),
  withTokenAndName: async ({ name }) => ({
    key: shop.keys.live.publishable,
    token: await tokenFor(name),
    user: name,
  }),
  // Proven to be somebody else, and asking for this person's things.
  asAnother: async () => ({
    key: shop.keys.live.publishable,
    token: await tokenFor('somebody-else'),
  }),
  // Says this person, and proves another.
  contradicting: async ({ name }) => ({
    key: shop.keys.live.publishable,
    token: await tokenFor('somebody-else'),
    user: name,
  }),
  tooLate: async ({ name }) => {
    const token = await tokenFor(name)
    clock.advance(15 * MINUTE)
    return { key: shop.keys.live.publishable, token }
  },
  forged: ({ name }) => ({ key: shop.keys.live.publishable, token: 'x.y.z', user: name }),
}

/** They have a plan, in both modes. */
async function subscribe({ name }: Person): Promise<void> {
  for (const { secret } of Object.values(shop.keys)) {
    const path = `/api/v1/users/${name}/subscription`
    const made = await client.send('PUT', path, { key: secret, json: { plan: 'basic' } })
    expect(made.status).toBe(200)
  }
}
const HAS_A_PLAN = 'getSubscription cancelSubscription resumeSubscription deleteSubscription'

/** Each has a rule of its own to remove, and a plan; and a name for a new one. */
let removals = 0
let removedPlans = 0
let madePlans = 0

/** A request that would succeed for whoever may make it. */
const REQUESTS: Record<string, (person: Person, mode: Mode) => [string, string, unknown?]> = {
  generate: () => ['POST', '/api/v1/generate', { model: MODEL, input: { prompt: 'a' } }],
  generateImage: () => ['POST', '/api/v1/image/flux', { model: MODEL, prompt: 'a' }],
  estimate: () => ['POST', '/api/v1/estimate', { model: MODEL, input: { prompt: 'a' } }],
  getJob: ({ jobs }, mode) => ['GET', `/api/v1/jobs/${jobs[mode]}`],
  listJobs: () => ['GET', '/api/v1/jobs'],
  cancelJob: ({ jobs }, mode) => ['POST', `/api/v1/jobs/${jobs[mode]}/cancel`],
  deleteJob: ({ jobs }, mode) => ['DELETE', `/api/v1/jobs/${jobs[mode]}`],
  getUser: ({ name }) => ['GET', `/api/v1/users/${name}`],
  listUsers: () => ['GET', '/api/v1/users'],
  createUser: ({ name }) => ['POST', '/api/v1/users', { external_id: name }],
  updateUser: ({ name }) => ['PATCH', `/api/v1/users/${name}`, { metadata: { a: 'b' } }],
  deleteUser: ({ name }) => ['DELETE', `/api/v1/users/${name}`],
  createUserToken: ({ name }) => ['POST', `/api/v1/users/${name}/token`],
  grantTokens: ({ name }) => ['POST', `/api/v1/users/${name}/tokens`, { amount: 1, reason: 'r' }],
  grantTokensBatch: ({ name }) => [
    'POST',
    '/api/v1/users/tokens/batch',
    { grants: [{ external_id: name, amount: 1, reason: 'r' }] },
  ],
  listTokenEntries: ({ name }) => ['GET', `/api/v1/users/${name}/tokens`],
  getUserUsage: ({ name }) => ['GET', `/api/v1/users/${name}/usage`],
  getBalance: ({ name }) => ['GET', `/api/v1/users/${name}/balance`],
  reverseGrant: ({ name, grants }, mode) => [
    'POST',
    `/api/v1/users/${name}/tokens/${grants[mode]}/reverse`,
    { reason: 'r' },
  ],
  adjustTokens: ({ name }) => [
    'POST',
    `/api/v1/users/${name}/tokens/adjust`,
    { amount: -1, reason: 'r' },
  ],
  chargeUser: ({ name }) => ['POST', `/api/v1/users/${name}/charges`, { amount: 1, reason: 'r' }],
  reverseCharge: ({ name, charges }, mode) => [
    'POST',
    `/api/v1/users/${name}/charges/${charges?.[mode]}/reverse`,
    { reason: 'r' },
  ],
  getUsage: () => ['GET', '/api/v1/usage'],
  listPlans: () => ['GET', '/api/v1/plans'],
  listPlanTemplates: () => ['GET', '/api/v1/plans/templates'],
  createPlan: () => ['POST', '/api/v1/plans', { template: 'pro', name: `made-${++madePlans}` }],
  setDefaultPlan: () => ['PUT', '/api/v1/plans/default', { plan: null }],
  getPlan: () => ['GET', '/api/v1/plans/basic'],
  updatePlan: () => ['PATCH', '/api/v1/plans/basic', { max_concurrent: 5 }],
  deletePlan: () => ['DELETE', `/api/v1/plans/gone-${++removedPlans}`],
  setSubscription: ({ name }) => [
    'PUT',
    `/api/v1/users/${name}/subscription`,
    { plan: 'basic', source: 'shop' },
  ],
  getSubscription: ({ name }) => ['GET', `/api/v1/users/${name}/subscription`],
  cancelSubscription: ({ name }) => ['POST', `/api/v1/users/${name}/subscription/cancel`],
  resumeSubscription: ({ name }) => ['POST', `/api/v1/users/${name}/subscription/resume`],
  deleteSubscription: ({ name }) => ['DELETE', `/api/v1/users/${name}/subscription`],
  listModels: () => ['GET', '/api/v1/models'],
  getModel: () => ['GET', `/api/v1/models/${MODEL}`],
  listPrices: () => ['GET', '/api/v1/prices'],
  getPrice: () => ['GET', '/api/v1/prices/feature:pack'],
  setPrice: () => ['PUT', '/api/v1/prices/feature:pack', { rule: { base: 2 } }],
  removePrice: () => ['DELETE', `/api/v1/prices/feature:gone-${++removals}`],
  getHealth: () => ['GET', '/api/health'],
  getShortHealth: () => ['GET', '/health'],
  getFile: () => ['GET', '/files/fil_00000000000.png'],
  receiveCallback: () => ['POST', '/callbacks/sandbox/att_00000000000/token', {}],
}

/** What a cell of the table stands for beside a plain status. */
const REFUSALS: Record<string, { status: number; code: string; required_scope?: string }> = {
  K: { status: 401, code: 'missing_api_key' },
  I: { status: 401, code: 'invalid_api_key' },
  U: { status: 401, code: 'missing_user' },
  T: { status: 401, code: 'missing_user_token' },
  X: { status: 401, code: 'invalid_user_token' },
  F: { status: 403, code: 'forbidden', required_scope: 'secret' },
  N: { status: 404, code: 'not_found' },
}

// The columns in the order of CALLERS: no good key | test: secret, secret without a user, publishable,
// publishable without a user | live: the same | token, token and name, another's token, a token that
// contradicts the name, a late token, a forged one.
const TABLE: Record<string, string> = {
  generate: 'K I I I I  202   U 202   U  202   U   T   T  202 202 202   X   X   X',
  generateImage: 'K I I I I  202   U 202   U  202   U   T   T  202 202 202   X   X   X',
  estimate: 'K I I I I  200 200 200   U  200 200   T   T  200 200 200   X   X   X',
  getJob: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  listJobs: 'K I I I I  200 200 200   U  200 200   T   T  200 200 200   X   X   X',
  cancelJob: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  deleteJob: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  getUser: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  listTokenEntries: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  getUserUsage: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  getBalance: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  reverseGrant: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  adjustTokens: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  listModels: 'K I I I I  200 200 200 200  200 200   T 200  200 200 200   X   X   X',
  getModel: 'K I I I I  200 200 200 200  200 200   T 200  200 200 200   X   X   X',
  listUsers: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  createUser: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  updateUser: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  deleteUser: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  createUserToken: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  grantTokens: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  grantTokensBatch: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  chargeUser: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  reverseCharge: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  getUsage: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  listPrices: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  getPrice: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  setPrice: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  removePrice: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  listPlans: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  listPlanTemplates: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  setDefaultPlan: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  getPlan: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  updatePlan: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  deletePlan: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  setSubscription: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  cancelSubscription: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  resumeSubscription: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  deleteSubscription: 'K I I I I  200 200   F   F  200 200   T   F    F   F   F   X   X   X',
  createPlan: 'K I I I I  201 201   F   F  201 201   T   F    F   F   F   X   X   X',
  getSubscription: 'K I I I I  200 200 200   U  200 200   T   T  200 200   N   X   X   X',
  getHealth: '200 200 200 200 200  200 200 200 200  200 200 200 200  200 200 200 200 200 200',
  getShortHealth: '200 200 200 200 200  200 200 200 200  200 200 200 200  200 200 200 200 200 200',
  getFile: 'N N N N N  N N N N  N N N N  N N N N N N',
  receiveCallback: 'N N N N N  N N N N  N N N N  N N N N N N',
}

test('the table has every operation', () => {
  const ids = OPERATIONS.map(({ id }) => id).toSorted()
  expect(Object.keys(TABLE).toSorted()).toEqual(ids)
  expect(Object.keys(REQUESTS).toSorted()).toEqual(ids)
})

describe.each(Object.keys(TABLE))('%s', id => {
  const cells = (TABLE[id] ?? '').split(/ +/)
  test.each(Object.keys(CALLERS).map((caller, i) => [caller, cells[i] ?? ''] as const))(
    'for %s: %s',
    async (caller, cell) => {
      const person = await newPerson()
      if (id === 'reverseCharge') person.charges = await chargesOf(person)
      if (HAS_A_PLAN.includes(id)) await subscribe(person)
      const mode = caller.startsWith('test') ? 'test' : 'live'
      const [method, path, json] = REQUESTS[id]?.(person, mode) ?? ['', '']
      const sent = (await CALLERS[caller]?.(person)) ?? {}
      const before = rowCounts()
      const answer = await client.send(method, path, { ...sent, json })
      const refusal = REFUSALS[cell]
      if (!refusal) {
        expect(answer.status).toBe(Number(cell))
        if (method === 'GET') expect(rowCounts()).toEqual(before)
        return
      }
      const body = answer.json<{ code: string; required_scope?: string }>()
      const { required_scope } = body
      expect({
        status: answer.status,
        code: body.code,
        ...(required_scope ? { required_scope } : {}),
      }).toEqual(refusal)
      expect(rowCounts()).toEqual(before)
    },
  )
})

function rowCounts() {
  const count = (table: string) =>
    hub.deps.db.sqlite.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }
  return ['users', 'jobs', 'holds', 'token_entries', 'tasks', 'audit_log'].map(t => [t, count(t).n])
}

describe('a user nobody has seen', () => {
  const GETS = [
    'getUser',
    'getUserUsage',
    'getBalance',
    'getSubscription',
    'listJobs',
    'listTokenEntries',
    'getJob',
    'listModels',
  ] as const
  const stranger = {
    name: 'never-seen',
    jobs: { live: 'job_00000000000', test: 'job_00000000000' },
    grants: { live: 'txn_00000000000', test: 'txn_00000000000' },
  }
  test.each(GETS)('is not made by %s', async id => {
    for (const caller of ['testSecret', 'testPublic', 'liveSecret', 'withToken']) {
      const sent = (await CALLERS[caller]?.(stranger)) ?? {}
      const before = rowCounts()
      const [method, path] = REQUESTS[id]?.(stranger, 'live') ?? ['', '']
      const answer = await client.send(method, path, sent)
      expect(answer.status).toBe(id === 'listJobs' || id === 'listModels' ? 200 : 404)
      expect(rowCounts()).toEqual(before)
    }
  })
  test.each(['testSecret', 'testPublic', 'liveSecret', 'withToken'])(
    'is made by generate of %s, with the welcome grant',
    async caller => {
      const person = { ...stranger, name: `new-by-${caller}` }
      const sent = (await CALLERS[caller]?.(person)) ?? {}
      const [, path, json] = REQUESTS.generate?.(person, 'live') ?? ['', '']
      const made = await client.post(path, json, sent)
      expect(made.status).toBe(202)
      expect(made.json<{ user_balance: number }>().user_balance).toBe(WELCOME - 1)
    },
  )
  test('gets a welcome grant only when somebody vouches for it', () => {
    const caller = (kind: 'secret' | 'publishable', mode: Mode, proof: 'asserted' | 'signed') =>
      mayHaveWelcomeGrant({
        realm: shop.realms[mode],
        key: { id: 1 as never, kind },
        limits: { perUser: 1, perApp: 1 },
        user: { externalId: 'a', proof },
      })
    expect(caller('secret', 'live', 'asserted')).toBe(true)
    expect(caller('publishable', 'live', 'signed')).toBe(true)
    expect(caller('publishable', 'test', 'asserted')).toBe(true)
    expect(caller('publishable', 'live', 'asserted')).toBe(false)
  })
})

describe('a publishable key', () => {
  const refused: [string, Record<string, unknown>][] = [
    ['a priority', { priority: 1 }],
    ['a low priority', { priority: 100 }],
    ['a webhook', { webhook_url: 'https://hook.example.com/x' }],
    ['a bad webhook', { webhook_url: 'http://10.0.0.1/' }],
  ]
  for (const caller of ['testPublic', 'withToken']) {
    test.each(refused)(`may not send %s (${caller})`, async (_, extra) => {
      const person = await newPerson()
      const sent = (await CALLERS[caller]?.(person)) ?? {}
      const before = rowCounts()
      const json = { model: MODEL, input: { prompt: 'a' }, ...extra }
      const answer = await client.post('/api/v1/generate', json, sent)
      expect(answer.status).toBe(403)
      expect(answer.json()).toMatchObject({ code: 'forbidden', required_scope: 'secret' })
      expect(rowCounts()).toEqual(before)
    })
  }
  test('sees its own user as `me`', async () => {
    const person = await newPerson()
    const sent = (await CALLERS.withToken?.(person)) ?? {}
    const me = await client.get('/api/v1/users/me', sent)
    expect(me.json()).toMatchObject({ external_id: person.name, mode: 'live' })
    expect((await client.get('/api/v1/users/me/tokens', sent)).json()).toMatchObject({
      data: [{ type: 'GENERATION_DEBIT' }, { type: 'GRANT' }],
    })
  })
  test('sees only its own jobs in a list, whoever it asks for', async () => {
    const [one, other] = [await newPerson(), await newPerson()]
    const sent = (await CALLERS.withToken?.(one)) ?? {}
    const ids = async (query: string) => {
      const list = await client.get(`/api/v1/jobs${query}`, sent)
      return list.json<{ data: { job_id: string }[] }>().data.map(job => job.job_id)
    }
    expect(await ids('')).toEqual([one.jobs.live])
    expect(await ids(`?user_id=${one.name}`)).toEqual([one.jobs.live])
    expect(await ids(`?user_id=${other.name}`)).toEqual([])
  })
})

describe('a key', () => {
  const models = (headers: Record<string, string>) => client.get('/api/v1/models', { headers })
  test('may come as a bearer', async () => {
    const key = shop.keys.test.secret
    expect((await models({ authorization: `Bearer ${key}` })).status).toBe(200)
    expect((await models({ authorization: `bearer  ${key}` })).status).toBe(200)
    expect((await models({ authorization: `Bearer ${key}`, 'x-api-key': key })).status).toBe(200)
  })
  test.each([
    ['another scheme', () => ({ authorization: `Basic ${shop.keys.test.secret}` })],
    ['nothing after the scheme', () => ({ authorization: 'Bearer' })],
    ['two words', () => ({ authorization: `Bearer ${shop.keys.test.secret} x` })],
    ['an empty key', () => ({ 'x-api-key': '' })],
    [
      'two keys that differ',
      () => ({
        authorization: `Bearer ${shop.keys.test.secret}`,
        'x-api-key': shop.keys.live.secret,
      }),
    ],
  ])('is refused with %s', async (_, headers) => {
    const answer = await models(headers())
    expect(answer.status).toBe(401)
    expect(answer.json().code).toBe('invalid_api_key')
  })
  test('of a switched off app is refused', async () => {
    const closed = await tenant(hub.deps)
    hub.deps.db.sqlite.run('UPDATE apps SET is_enabled = 0 WHERE id = ?', [closed.app.id])
    for (const { secret, publishable } of Object.values(closed.keys)) {
      for (const key of [secret, publishable]) {
        const answer = await client.get('/api/v1/models', { key })
        expect(answer.status).toBe(403)
        expect(answer.json().code).toBe('app_disabled')
      }
    }
  })
  test('stops at the moment it is revoked', async () => {
    const { slug } = shop.app
    const made = await apps.createKey(hub.deps, SHELL, { slug, mode: 'test', kind: 'secret' })
    const ask = () => client.get('/api/v1/models', { key: made.text })
    expect((await ask()).status).toBe(200)
    await apps.revokeKey(hub.deps, SHELL, { text: made.text })
    expect((await ask()).status).toBe(401)
  })
})

describe('a user token', () => {
  test('says when it ends, is good until then and not after', async () => {
    const server = client.as({ key: shop.keys.live.secret })
    const made = await server.post('/api/v1/users/punctual/token')
    const { user_token: token, expires_at } = made.json<{
      user_token: string
      expires_at: string
    }>()
    expect(Date.parse(expires_at)).toBe(clock.now() + 15 * MINUTE)
    const ask = () => client.get('/api/v1/jobs', { key: shop.keys.live.publishable, token })
    clock.advance(15 * MINUTE - 1_000)
    expect((await ask()).status).toBe(200)
    clock.advance(1_000)
    expect((await ask()).json().code).toBe('invalid_user_token')
  })
  test('is worth nothing with another app’s key, in another mode, or unsigned', async () => {
    const other = await tenant(hub.deps)
    const token = await tokenFor('anybody')
    const [head = '', body = ''] = token.split('.')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    const cases: [string, string][] = [
      [other.keys.live.publishable, token],
      [shop.keys.test.publishable, token],
      [shop.keys.live.publishable, `${none}.${body}.`],
      [shop.keys.live.publishable, `${head}.${body}.`],
      [shop.keys.live.publishable, `${token}A`],
      [shop.keys.live.publishable, ''],
    ]
    for (const [key, given] of cases) {
      const answer = await client.get('/api/v1/jobs', { key, token: given })
      expect(answer.json().code).toBe('invalid_user_token')
    }
    const good = await client.get('/api/v1/jobs', { key: shop.keys.live.publishable, token })
    expect(good.status).toBe(200)
  })
})

describe('a call for a user', () => {
  test('sees no other user, with a secret key too', async () => {
    const [one, other] = [await newPerson(), await newPerson()]
    const server = client.as({ key: shop.keys.live.secret, user: one.name })
    const listed = await server.get('/api/v1/users')
    const { data } = listed.json<{ data: { external_id: string }[] }>()
    expect(data.map(user => user.external_id)).toEqual([one.name])
    const none = { data: [], has_more: false, next_cursor: null }
    expect((await server.get('/api/v1/users?cursor=usr_00000000001')).json()).toEqual(none)
    const gone = await server.as({ user: 'never-seen' }).get('/api/v1/users')
    expect(gone.json()).toEqual(none)
    const before = rowCounts()
    const grant = (external_id: string) => ({ external_id, amount: 1, reason: 'r' })
    const batch = { grants: [grant(one.name), grant(other.name)] }
    for (const [path, json] of [
      ['/api/v1/users', { external_id: other.name }],
      ['/api/v1/users', { external_id: 'never-seen' }],
      ['/api/v1/users/tokens/batch', batch],
    ] as const) {
      const answer = await server.post(path, json)
      expect(answer.status).toBe(404)
      expect(answer.json().code).toBe('not_found')
    }
    expect(rowCounts()).toEqual(before)
  })
  test.each(['me', 'tokens', '.', '..', 'a b', 'a/b', 'é', '', 'x'.repeat(129)])(
    'refuses the user id %p',
    async user => {
      const headers = { 'x-user-id': Buffer.from(user).toString('latin1') }
      const answer = await client.get('/api/v1/jobs', { key: shop.keys.test.secret, headers })
      expect(answer.status).toBe(400)
      expect(answer.json()).toMatchObject({ details: [{ path: 'X-User-ID' }] })
    },
  )
  test('takes every character that a user id may have, encoded in the path', async () => {
    const name = 'A-z_0.:@|+=~9'
    const server = client.as({ key: shop.keys.test.secret, user: name })
    expect((await server.post('/api/v1/users', { external_id: name })).status).toBe(201)
    for (const text of [name, encodeURIComponent(name)]) {
      const answer = await server.get(`/api/v1/users/${text}`)
      expect(answer.json()).toMatchObject({ external_id: name })
    }
  })
})
