import { afterAll, beforeAll, expect, test } from 'bun:test'
import { httpDoor, SHELL, type Tenant, tenant } from '@test/support/factory'
import { currentCheck } from '@test/support/openapi-check'
import { expectLedgerInOrder, type TestHub, testHub } from '@test/support/test-hub'
import { createPlan } from '@/domain/plans'
import { OPERATIONS } from '@/http/operations'
import { type GoodRequest, goodRequests, placesIn, withAt } from './good-requests'

/**
 * Good requests with one to three things wrong, by a seeded die: whatever comes, the answer is one that the
 * document knows, it is never a 500, and the accounts add up. `SEED` names the run; a failure prints the
 * request.
 */
const SEED = 20_260_115
const REQUESTS = 3_000
/** It takes half a second by itself, and more beside others. */
const SLOW_MACHINE_MS = 60_000

let hub: TestHub
let app: ReturnType<typeof httpDoor>
let shop: Tenant
let job: string

beforeAll(async () => {
  hub = await testHub({ isRunning: false, config: { addressRateLimit: 1_000_000 } })
  app = httpDoor(hub.deps)
  shop = await tenant(hub.deps, { welcomeGrant: 1_000_000 })
  const made = await app.handle(
    new Request('http://localhost:3000/api/v1/generate', {
      method: 'POST',
      headers: {
        'x-api-key': shop.keys.test.secret,
        'x-user-id': 'ann',
        'content-type': 'application/json',
      },
      body: '{"model":"sdxl","input":{"prompt":"a"}}',
    }),
  )
  job = ((await made.json()) as { job_id: string }).job_id
  const plan = { template: 'enterprise', name: 'basic-leaver' }
  await createPlan(hub.deps, SHELL, shop.realms.test, plan)
})
afterAll(() => hub.close())

type Die = { pick<T>(from: readonly T[]): T; number(below: number): number }

/** Mulberry32: small, and the same everywhere. */
function seededDie(seed: number): Die {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const number = (below: number) => Math.floor(next() * below)
  return { number, pick: <T>(from: readonly T[]) => from[number(from.length)] as T }
}

const ODD_TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  'null',
  'me',
  '..',
  '%',
  '%00',
  '%zz',
  '%f0%9f%a6%8a',
  '\u0000',
  '\ud800',
  '\uffff',
  '\u202e',
  "' OR 1=1 --",
  '"; DROP TABLE jobs; --',
  '<b>',
  '{{7*7}}',
  '$(id)',
  '../../etc/passwd',
  'http://169.254.169.254/',
  'https://[::1]/',
  'data:,x',
  'fil_00000000001',
  'job_zzzzzzzzzzz',
  'usr_00000000001',
  'txn_7zzzzzzzzzz',
  '__proto__',
  'constructor',
  'toString',
  'x'.repeat(300),
  'é'.repeat(40_000),
  '1e309',
  '0x10',
  'true',
  '[]',
  '16:9',
  'queued,running',
  '\r\nSet-Cookie: a=b',
]
const ODD_VALUES: unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e21,
  2 ** 53,
  Number.MAX_VALUE,
  [],
  {},
  [[]],
  [null],
  { a: {} },
  { constructor: { prototype: {} } },
  { length: 1 },
  { toJSON: 1 },
  ...ODD_TEXTS,
]
const HEADERS = [
  'x-user-id',
  'x-user-token',
  'x-api-key',
  'authorization',
  'idempotency-key',
  'content-type',
  'x-request-id',
  'if-none-match',
  'if-range',
  'range',
  'prefer',
  'x-forwarded-for',
  'x-forwarded-proto',
  'host',
  'accept',
  'content-encoding',
  'content-length',
  'expect',
  'cookie',
  'x-http-method-override',
]
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

type Draft = {
  method: string
  path: string
  headers: Headers
  body: string | Uint8Array<ArrayBuffer> | null
}

/** Where a body comes in there is most to get wrong. */
const OPERATIONS_BY_WEIGHT = OPERATIONS.flatMap(operation =>
  Array<typeof operation>(operation.id.startsWith('generate') ? 12 : operation.body ? 3 : 1).fill(
    operation,
  ),
)

function draft(die: Die): Draft {
  const { id } = die.pick(OPERATIONS_BY_WEIGHT)
  // Ann stays, and without limits, or soon nobody could spend a token.
  const isForAnother = id === 'deleteUser' || /Plan|Subscription/.test(id)
  const good = goodRequests(isForAnother ? 'leaver' : 'ann', job)[id] as GoodRequest
  const keys = [
    shop.keys.test.secret,
    shop.keys.test.secret,
    shop.keys.test.publishable,
    shop.keys.live.secret,
  ]
  const headers = new Headers({ 'x-api-key': die.pick(keys) })
  if (die.number(4) > 0) headers.set('x-user-id', 'ann')
  if (good.json) headers.set('content-type', 'application/json')
  const body = good.json ? JSON.stringify(good.json) : null
  return { method: good.method, path: good.path, headers, body }
}

/** One thing goes wrong. */
const SPOILS: ((die: Die, it: Draft) => void)[] = [
  (die, it) =>
    changeJson(die, it, place => die.pick([place, place, [...place, die.pick(ODD_TEXTS)]])),
  (die, it) => changeJson(die, it, place => place),
  (die, it) => changeJson(die, it, () => [die.pick(ODD_TEXTS)]),
  (die, it) => {
    const parts = it.path.split('/')
    it.path = parts.with(1 + die.number(parts.length - 1), asPath(die.pick(ODD_TEXTS))).join('/')
  },
  (die, it) => {
    const name = die.pick([
      'limit',
      'cursor',
      'status',
      'model',
      'user_id',
      'explain',
      'from',
      'to',
      'group',
      'format',
      'exp',
      'sig',
      '__proto__',
      'x',
    ])
    it.path += `${it.path.includes('?') ? '&' : '?'}${name}=${asPath(die.pick(ODD_TEXTS))}`
  },
  (die, it) => {
    const text = Buffer.from(die.pick(ODD_TEXTS).slice(0, 4_000)).toString('latin1')
    // Only what a socket could carry: the rest is refused before it is ours.
    if (!/[\0\r\n]/.test(text)) it.headers.set(die.pick(HEADERS), text)
  },
  (die, it) => it.headers.delete(die.pick(HEADERS)),
  (die, it) => {
    it.method = die.pick(METHODS)
  },
  (die, it) => {
    if (it.body === null) return
    const bytes = new Uint8Array(Buffer.from(it.body as string))
    for (let i = die.number(3); i >= 0; i--) bytes[die.number(bytes.length)] = die.number(256)
    it.body = bytes
  },
  (die, it) => {
    if (typeof it.body === 'string') it.body = it.body.slice(0, die.number(it.body.length))
  },
  (die, it) => {
    if (typeof it.body === 'string') it.body += die.pick(['}', ',', ' ', '\n', 'x', it.body])
  },
]

function changeJson(
  die: Die,
  it: Draft,
  where: (place: (string | number)[]) => (string | number)[],
) {
  if (typeof it.body !== 'string') return
  let json: unknown
  try {
    json = JSON.parse(it.body)
  } catch {
    return
  }
  const places = placesIn(json)
  const place = where(places.length > 0 ? die.pick(places) : [])
  if (place.length > 0) it.body = JSON.stringify(withAt(json, place, die.pick(ODD_VALUES)))
}

function asPath(text: string): string {
  return encodeURIComponent(text.toWellFormed()).slice(0, 2_000).replaceAll('%25', '%')
}

test(
  `${REQUESTS} spoiled requests, none of them a 500`,
  async () => {
    const die = seededDie(SEED)
    const check = currentCheck()
    const seen = new Map<number, number>()
    for (let i = 0; i < REQUESTS; i++) {
      const it = draft(die)
      for (let times = 1 + die.number(3); times > 0; times--) die.pick(SPOILS)(die, it)
      const { method, path, headers } = it
      const body = ['GET', 'HEAD'].includes(method) ? null : it.body
      const request = new Request(`http://localhost:3000${path}`, { method, headers, body })
      const label = `request ${i}: ${method} ${path.slice(0, 200)}\n${JSON.stringify([...headers]).slice(0, 600)}\n${String(it.body).slice(0, 600)}`
      const response = await app.handle(request)
      const { status } = response
      seen.set(status, (seen.get(status) ?? 0) + 1)
      // A socket would leave the body of a HEAD at home.
      const bytes = method === 'HEAD' ? new Uint8Array() : await response.bytes()
      const answer = { method, path, status, headers: response.headers, body: bytes }
      const problems = check(answer)
      const isUnknown = problems.includes('path and method are not in the document')
      const found = isUnknown ? check({ ...answer, isOutside: true }) : problems
      // Bun's Request tidies paths (`/a/../b`), so one that looks unknown may reach a route.
      const isTidied = isUnknown && new URL(request.url).pathname !== path.split('?')[0]
      expect([label, isTidied ? [] : found, status === 500]).toEqual([label, [], false])
    }
    const statuses = Object.fromEntries([...seen].sort(([a], [b]) => a - b))
    console.log(`fuzz: seed ${SEED}, ${REQUESTS} requests, statuses ${JSON.stringify(statuses)}`)
    expect(seen.get(500)).toBeUndefined()
    // The die does not only make nonsense.
    for (const status of [200, 202, 400, 401, 403, 404, 415]) {
      expect([status, (seen.get(status) ?? 0) > 10]).toEqual([status, true])
    }
    expect(hub.log.lines().filter(({ level }) => level === 'error')).toEqual([])
    expect(Object.keys(Object.prototype)).toEqual([])
    expectLedgerInOrder(hub.deps)
  },
  SLOW_MACHINE_MS,
)
