import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Answer, apiClient, type Client, type Send } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute, expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { formatId } from '@/base/ids'
import { sha256Hex } from '@/base/secrets'
import type { Mode, Realm } from '@/deps'
import { openapiDocument } from '@/http/openapi'
import { OPERATIONS } from '@/http/operations'

/**
 * The sweep: every route of the document, with every kind of id of somebody else in every place that takes
 * one, asked by another app, by the same app in its other mode, and for another user of the same app. The
 * answer is the one for an id that nobody ever had, and nothing in the database has moved.
 */
const MODES: Mode[] = ['live', 'test']
const MODEL = 'gpt-image-1.5'
/** A sweep takes a second by itself, and more beside others. */
const SLOW_MACHINE_MS = 60_000

let hub: TestHub
let client: Client
let victim: Tenant
let stranger: Tenant
const targets: Record<Mode, Target> = {} as Record<Mode, Target>

/** One person in one mode of the victim's app, and every kind of id that leads to something of theirs. */
type Target = { realm: Realm; externalId: string; ids: Record<string, Twin>; link: URL }
/** The id of something that exists, and one of the same form that was never given out. */
type Twin = { foreign: string; missing: string }

beforeAll(async () => {
  hub = await testHub({ isRunning: false, providers: [fakeProvider()] })
  await addRoute(hub.deps, { model: MODEL, provider: 'fake' })
  client = apiClient(httpDoor(hub.deps))
  victim = await tenant(hub.deps, { welcomeGrant: 1_000 })
  stranger = await tenant(hub.deps, { welcomeGrant: 1_000 })
  for (const mode of MODES) targets[mode] = { ...targets[mode], ...(await furnish(mode)) }
  // The one job runs to its end; what is made after this stays in the queue.
  await hub.runner.start()
  await hub.runner.settleAll()
  await hub.runner.stop(1_000)
  for (const mode of MODES) await furnishMore(mode)
  for (const mode of MODES) {
    for (const { keys } of [victim, stranger]) {
      await generate(client.as({ key: keys[mode].secret, user: 'mallory' }))
    }
  }
})
afterAll(() => hub.close())

async function generate(person: Client): Promise<string> {
  const made = await person.post('/api/v1/generate', { model: MODEL, input: { prompt: 'mine' } })
  expect(made.status).toBe(202)
  return made.json<{ job_id: string }>().job_id
}

async function furnish(mode: Mode) {
  const externalId = `alice-${mode}`
  const person = client.as({ key: victim.keys[mode].secret, user: externalId })
  const ended = await generate(person)
  return { realm: victim.realms[mode], externalId, ids: { ended: twinOf(ended) } }
}

async function furnishMore(mode: Mode) {
  const target = targets[mode]
  const { externalId, ids } = target
  const person = client.as({ key: victim.keys[mode].secret, user: externalId })
  const job = await person.get(`/api/v1/jobs/${ids.ended?.foreign}`)
  const [output] = job.json<{ outputs: { file_id: string; url: string }[] }>().outputs
  if (!output) throw new Error(`the ${mode} job made nothing: ${job.text}`)
  const entries = await person.get('/api/v1/users/me/tokens')
  const [entry] = entries.json<{ data: { id: string }[] }>().data
  const json = { rule: { base: 1 } }
  await person.send('PUT', `/api/v1/prices/feature:secret-${mode}`, { json })
  const row = (sql: string) => hub.deps.db.sqlite.query(sql).get(target.realm.id) as { id: number }
  target.link = new URL(output.url)
  Object.assign(ids, {
    queued: twinOf(await generate(person)),
    file: twinOf(output.file_id),
    entry: twinOf(entry?.id ?? ''),
    user: twinOf(formatId('user', row('SELECT id FROM users WHERE realm_id = ?').id)),
    key: twinOf(formatId('key', row('SELECT id FROM api_keys WHERE realm_id = ?').id)),
    attempt: twinOf(
      formatId(
        'attempt',
        row('SELECT a.id FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE j.realm_id = ?').id,
      ),
    ),
    app: twinOf(formatId('app', victim.app.id)),
    price: { foreign: `feature:secret-${mode}`, missing: `feature:none-${mode}` },
    subscription: twinOf(await subscribe(victim.keys[mode].secret, externalId)),
    external: { foreign: externalId, missing: `nobody-${mode}` },
  })
}

async function subscribe(key: string, user: string): Promise<string> {
  await client.post('/api/v1/plans', { template: 'enterprise', name: 'gold' }, { key })
  const path = `/api/v1/users/${user}/subscription`
  const made = await client.send('PUT', path, { key, json: { plan: 'gold' } })
  return made.json<{ id: string }>().id
}

/** The same form, and a time at which nothing was made. One id has one twin, however often it is used. */
function twinOf(id: string): Twin {
  const [prefix] = id.split('_')
  const number = twins.get(id) ?? twins.size + 10
  twins.set(id, number)
  return { foreign: id, missing: `${prefix}_000000000${number}` }
}
const twins = new Map<string, number>()

/** Everybody who must see nothing of the target. */
async function strangersTo(mode: Mode): Promise<Record<string, Send>> {
  const other: Mode = mode === 'live' ? 'test' : 'live'
  const tokenOf = async ({ keys }: Tenant, user: string) => {
    const path = `/api/v1/users/${user}/token`
    const made = await client.post(path, undefined, { key: keys.live.secret })
    return made.json<{ user_token: string }>().user_token
  }
  const publicly = async (app: Tenant, in_: Mode, user: string): Promise<Send> =>
    in_ === 'live'
      ? { key: app.keys.live.publishable, token: await tokenOf(app, user) }
      : { key: app.keys.test.publishable, user }
  return {
    'another app': { key: stranger.keys[mode].secret },
    'another app in the other mode': { key: stranger.keys[other].secret },
    'another app, for a user': { key: stranger.keys[mode].secret, user: 'mallory' },
    'another app, for nobody': { key: stranger.keys[mode].secret, user: 'never-seen' },
    'another app, publishable': await publicly(stranger, mode, 'mallory'),
    'another app, for a user of the same name': await publicly(stranger, mode, `alice-${mode}`),
    'the other mode': { key: victim.keys[other].secret },
    'the other mode, for a user': { key: victim.keys[other].secret, user: 'mallory' },
    'the other mode, for the same name': { key: victim.keys[other].secret, user: `alice-${mode}` },
    'the other mode, publishable': await publicly(victim, other, 'mallory'),
    'another user': { key: victim.keys[mode].secret, user: 'mallory' },
    'a user that is not': { key: victim.keys[mode].secret, user: 'never-seen' },
    'another user, publishable': await publicly(victim, mode, 'mallory'),
  }
}

const document = openapiDocument(OPERATIONS, { version: 'test' })
type Route = { id: string; method: string; path: string; queries: string[] }
const ROUTES: Route[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    const { operationId, parameters } = operation as {
      operationId: string
      parameters: { name: string; in: string }[]
    }
    const queries = parameters.filter(({ in: place }) => place === 'query').map(({ name }) => name)
    return { id: operationId, method: method.toUpperCase(), path, queries }
  }),
)

/** Bodies that would do something, with an id of the target wherever a body takes one. */
const BODIES: Record<string, (id: string) => unknown> = {
  generate: id => ({ model: MODEL, input: { prompt: 'a', images: [id] } }),
  generateImage: id => ({ prompt: 'a', references: [id] }),
  estimate: id => ({ model: MODEL, input: { prompt: 'a', images: [id] } }),
  setPrice: () => ({ rule: { base: 1 } }),
  cancelJob: () => ({}),
  createUser: id => ({ external_id: id, metadata: { taken: 'over' } }),
  updateUser: () => ({ metadata: { taken: 'over' }, is_active: false }),
  createUserToken: () => ({}),
  grantTokens: () => ({ amount: 5, reason: 'a gift' }),
  reverseGrant: () => ({ reason: 'refunded' }),
  adjustTokens: () => ({ amount: -1, reason: 'a correction' }),
  grantTokensBatch: id => ({ grants: [{ external_id: id, amount: 5, reason: 'a gift' }] }),
  chargeUser: () => ({ amount: 5, reason: 'a service' }),
  reverseCharge: () => ({ reason: 'no service' }),
  createPlan: id => ({ name: 'taken-over', models: [id] }),
  setDefaultPlan: id => ({ plan: id }),
  updatePlan: () => ({ tokens_per_period: 7 }),
  setSubscription: id => ({ plan: id }),
  cancelSubscription: () => ({}),
  resumeSubscription: () => ({}),
  receiveCallback: () => ({ status: 'succeeded' }),
}

/** A server that names nobody's user makes a user of its own: not a look at anybody else's. */
const MAKES_ITS_OWN = [
  'createUser',
  'grantTokens',
  'grantTokensBatch',
  'createUserToken',
  'setPrice',
  'setSubscription',
]

/** Prices are an app's and no user's: its own server may, whoever it speaks for. */
const OF_THE_APP = ['getPrice', 'setPrice', 'removePrice']

/** Every way to put one id into a route. */
function requestsWith(route: Route, id: string): { path: string; json?: unknown }[] {
  const json = BODIES[route.id]?.(id)
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const base = route.path.replace(/\{\w+\}/g, encodeURIComponent(id))
  const withJson = json === undefined ? {} : { json }
  if (route.id === 'generateImage') {
    const flux = route.path.replace('{family}', 'flux')
    return [
      { path: base, json: { prompt: 'a' } },
      { path: flux, ...withJson },
    ]
  }
  if (route.id === 'reverseGrant') {
    // One's own name with somebody else's grant too.
    return [base, `/api/v1/users/mallory/tokens/${id}/reverse`].map(path => ({ path, json }))
  }
  if (names.length > 0 || json !== undefined) return [{ path: base, ...withJson }]
  const queries = route.queries.filter(name => ['cursor', 'user_id', 'model'].includes(name))
  const asked = queries.map(name => `${name}=${encodeURIComponent(id)}`)
  if (route.queries.includes('limit')) asked.push('limit=100')
  // Of the groups of a report, users alone have ids.
  const more = route.id === 'getUsage' ? '&group=user' : ''
  return asked.map(query => ({ path: `${base}?${query}${more}` }))
}

let requests = 0

/** Asks everything as everybody, and looks at the database after each route. */
async function sweep(mode: Mode, routes: Route[]): Promise<void> {
  const target = targets[mode]
  for (const [who, send] of Object.entries(await strangersTo(mode))) {
    const isOfTheApp = send.key === victim.keys[mode].secret
    for (const route of routes) {
      if (isOfTheApp && OF_THE_APP.includes(route.id)) continue
      const before = { all: digest(), target: digest(target.realm) }
      for (const [kind, twin] of Object.entries(target.ids)) {
        // Somebody of the same name elsewhere may of course ask for himself.
        const isOwnName = kind === 'external' && who.includes('the same name')
        if (!isOwnName) await ask(who, send, route, target, twin)
      }
      const after = { all: digest(), target: digest(target.realm) }
      const isForAnybody = send.user === undefined || OF_THE_APP.includes(route.id)
      const made = MAKES_ITS_OWN.includes(route.id) && isForAnybody
      expect([who, route.id, after.target]).toEqual([who, route.id, before.target])
      if (!made) expect([who, route.id, after.all]).toEqual([who, route.id, before.all])
    }
  }
  expectLedgerInOrder(hub.deps)
}

describe.each(MODES)('what a person has in %s mode', mode => {
  test(
    'is nowhere to be found for anybody else',
    async () => {
      await sweep(
        mode,
        ROUTES.filter(({ id }) => !MAKES_ITS_OWN.includes(id)),
      )
    },
    SLOW_MACHINE_MS,
  )

  test('is still there for its owner', async () => {
    const { ids, externalId } = targets[mode]
    const owner = client.as({ key: victim.keys[mode].secret })
    for (const person of [owner, owner.as({ user: externalId })]) {
      expect((await person.get(`/api/v1/jobs/${ids.ended?.foreign}`)).status).toBe(200)
      const user = await person.get(`/api/v1/users/${externalId}`)
      expect(user.json()).toMatchObject({ total_jobs: 2, tokens_reserved: 5, is_active: true })
    }
  })

  test('does not come with a link to something else', async () => {
    const { link } = targets[mode]
    const own = targets[mode === 'live' ? 'test' : 'live'].link
    expect((await client.get(link.pathname + link.search)).status).toBe(200)
    const missing = await client.get(`/files/fil_0000000002a.png${link.search}`)
    for (const path of [
      link.pathname,
      `${link.pathname}${own.search}`,
      `${link.pathname}?exp=${link.searchParams.get('exp')}&sig=`,
    ]) {
      const answer = await client.get(path)
      expect([path, answer.status, unsigned(answer)]).toEqual([path, 404, unsigned(missing)])
    }
  })
})

describe.each(MODES)('a user of the same name as one in %s mode', mode => {
  test(
    'is somebody else',
    async () => {
      await sweep(
        mode,
        ROUTES.filter(({ id }) => MAKES_ITS_OWN.includes(id)),
      )
    },
    SLOW_MACHINE_MS,
  )
})

async function ask(
  who: string,
  send: Send,
  route: Route,
  target: Target,
  twin: Twin,
): Promise<void> {
  const foreign = requestsWith(route, twin.foreign)
  const missing = requestsWith(route, twin.missing)
  for (const [i, request] of foreign.entries()) {
    const other = missing[i] ?? request
    const first = await call(send, route, request)
    const second = await call(send, route, other)
    const label = `${who}: ${route.method} ${request.path}`
    if (/[?](cursor|limit)=/.test(request.path) && first.status === 200) {
      // A list is one's own; a cursor is a place in it, and any id of its kind is one.
      expect([label, leaks(first, target)]).toEqual([label, []])
      continue
    }
    expect([label, first.status, scrubbed(first, twin)]).toEqual([
      label,
      second.status,
      scrubbed(second, twin),
    ])
    // A family is nobody's, and whoever asks it for a picture must say for whom and of what.
    const isOfSomebody = route.path.includes('{') && route.id !== 'generateImage'
    const isAbout404 = isOfSomebody && !MAKES_ITS_OWN.includes(route.id)
    // A publishable key may not even ask, whoever it asks about.
    if (isAbout404 && first.status !== 403) expect([label, first.status]).toEqual([label, 404])
    if (first.status >= 400) expect([label, leaks(first, target)]).toEqual([label, []])
  }
}

async function call(
  send: Send,
  route: Route,
  request: { path: string; json?: unknown },
): Promise<Answer> {
  requests++
  return await client.send(route.method, request.path, { ...send, json: request.json })
}

/** The ids of a person that an answer to somebody else speaks of. */
const leaks = (answer: Answer, { ids }: Target) =>
  Object.values(ids).filter(({ foreign }) => answer.text.includes(foreign))

/** Without what differs between any two answers: the call's id, the asked-for name, new ids and times. */
function scrubbed(answer: Answer, { foreign, missing }: Twin): string {
  return unsigned(answer)
    .replaceAll(foreign, 'ID')
    .replaceAll(missing, 'ID')
    .replace(/"user_token":"[^"]+"/, '"user_token":"..."')
    .replace(/"transaction_id":"[^"]+"/g, '"transaction_id":"..."')
    .replace(/"(created|expires)_at":"[^"]+"/g, '"$1_at":"..."')
}

function unsigned(answer: Answer): string {
  return answer.text.replace(/"request_id":"[^"]+"/, '"request_id":"..."')
}

/** All rows of the database, or all that hang on one realm. */
function digest(realm?: Realm): string {
  const { sqlite } = hub.deps.db
  const rows = TABLES.flatMap(({ name, columns }) => {
    if (!realm) return [name, sqlite.query(`SELECT * FROM ${name}`).values()]
    if (columns.includes('realm_id')) {
      return [name, sqlite.query(`SELECT * FROM ${name} WHERE realm_id = ?`).values(realm.id)]
    }
    if (!columns.includes('job_id')) return []
    const ofJobs = 'job_id IN (SELECT id FROM jobs WHERE realm_id = ?)'
    return [name, sqlite.query(`SELECT * FROM ${name} WHERE ${ofJobs}`).values(realm.id)]
  })
  return sha256Hex(JSON.stringify(rows))
}

let TABLES: { name: string; columns: string[] }[] = []
beforeAll(() => {
  const { sqlite } = hub.deps.db
  const names = sqlite
    .query<{ name: string }, []>(
      // The hub's own row counts ids, which a refused write uses up too.
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'hub'`,
    )
    .all()
  TABLES = names.map(({ name }) => ({
    name,
    columns: sqlite
      .query<{ name: string }, [string]>('SELECT name FROM pragma_table_info(?)')
      .all(name)
      .map(column => column.name),
  }))
})

test('the newest of a list is one’s own, though others have newer ones', async () => {
  for (const { keys } of [victim, stranger]) {
    for (const mode of MODES) {
      for (const path of ['/api/v1/jobs?limit=1', '/api/v1/users?limit=1']) {
        const list = await client.get(path, { key: keys[mode].secret })
        expect(list.json()).toMatchObject({ data: [{ mode }] })
      }
    }
  }
})

test('a changed row would be seen', () => {
  const { realm } = targets.live
  const before = { all: digest(), target: digest(realm), other: digest(targets.test.realm) }
  const set = (value: string) =>
    hub.deps.db.sqlite.run('UPDATE job_inputs SET input = ? WHERE job_id = ?', [value, jobId])
  const { id: jobId, input } = hub.deps.db.sqlite
    .query('SELECT id, input FROM jobs JOIN job_inputs ON job_id = id WHERE realm_id = ? LIMIT 1')
    .get(realm.id) as { id: number; input: string }
  set('{}')
  expect(digest()).not.toBe(before.all)
  expect(digest(realm)).not.toBe(before.target)
  expect(digest(targets.test.realm)).toBe(before.other)
  set(input)
  expect(digest()).toBe(before.all)
})

describe('an idempotency key means nothing', () => {
  const body = { model: MODEL, input: { prompt: 'mine' }, idempotency_key: 'shared' }
  test('to another app, in another mode or to another user', async () => {
    const seen = new Set<string>()
    for (const { keys } of [victim, stranger]) {
      for (const mode of MODES) {
        for (const user of ['one', 'two']) {
          const person = client.as({ key: keys[mode].secret, user })
          const made = await person.post('/api/v1/generate', body)
          expect(made.headers.get('idempotent-replayed')).toBeNull()
          seen.add(made.json<{ job_id: string }>().job_id)
          const grant = { amount: 1, reason: 'r', idempotency_key: 'shared' }
          const given = await person.post('/api/v1/users/me/tokens', grant)
          expect(given.headers.get('idempotent-replayed')).toBeNull()
          seen.add(given.json<{ transaction_id: string }>().transaction_id)
        }
        const grants = [{ external_id: 'one', amount: 1, reason: 'r' }]
        const batch = { grants, idempotency_key: 'shared' }
        const given = await client.post('/api/v1/users/tokens/batch', batch, {
          key: keys[mode].secret,
        })
        expect([given.status, given.headers.get('idempotent-replayed')]).toEqual([200, null])
      }
    }
    expect(seen.size).toBe(16)
  })
  test('between test and live for users that a server makes', async () => {
    const body = { external_id: 'twice', idempotency_key: 'made-once' }
    for (const { keys } of [victim, stranger]) {
      for (const mode of MODES) {
        const made = await client.post('/api/v1/users', body, { key: keys[mode].secret })
        expect([made.status, made.json().mode]).toEqual([201, mode])
      }
    }
  })
})

afterAll(() => {
  console.log(`tenancy: ${requests} requests about somebody else's things, all in vain`)
})
