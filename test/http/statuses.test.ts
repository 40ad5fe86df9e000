import { afterAll, beforeAll, expect, test } from 'bun:test'
import { apiClient, type Client, type Send } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'
import { ERRORS } from '@/base/errors'
import { codesOf } from '@/http/openapi'
import type { Operation } from '@/http/operation'
import { OPERATIONS } from '@/http/operations'
import { type GoodRequest, goodRequests } from './good-requests'

/**
 * A status that is documented is one that can be had, and one that can be had is documented: every
 * operation with a key is brought to answer each of its own. Files and callbacks have tests of their own.
 */
let hub: TestHub
let client: Client
let shop: Tenant
let poor: Tenant
let narrow: Tenant
let closed: Tenant

beforeAll(async () => {
  hub = await testHub({ isRunning: false, config: { addressRateLimit: 1_000_000 } })
  client = apiClient(httpDoor(hub.deps))
  shop = await tenant(hub.deps, { welcomeGrant: 100 })
  poor = await tenant(hub.deps)
  narrow = await tenant(hub.deps, { rateLimitPerUser: 1, rateLimitPerApp: 1 })
  closed = await tenant(hub.deps)
  hub.deps.db.sqlite.run('UPDATE apps SET is_enabled = 0 WHERE id = ?', [closed.app.id])
})
afterAll(() => hub.close())

const GUARDED = OPERATIONS.filter(({ access }) => access !== 'public') as Operation[]

const STARTS_JOBS = ['generate', 'generateImage']
const HAS_A_PRICE = ['getPrice', 'removePrice']

let people = 0
/** Somebody new with a job in the queue, and a good request of the operation about them. */
async function fresh(id: string) {
  const user = `person-${++people}`
  const ann = client.as({ key: shop.keys.test.secret, user })
  const made = await ann.post('/api/v1/generate', { model: 'sdxl', input: { prompt: 'a' } })
  const { job_id: job } = made.json<{ job_id: string }>()
  const entries = await ann.get(`/api/v1/users/${user}/tokens`)
  const { data } = entries.json<{ data: { id: string; type: string }[] }>()
  const grant = data.find(({ type }) => type === 'GRANT')?.id
  const taken = await ann.post(`/api/v1/users/${user}/charges`, { amount: 1, reason: 'a service' })
  if (HAS_A_PRICE.includes(id)) {
    const { method, path, json } = goodRequests(user, job).setPrice as GoodRequest
    await client.send(method, path, { ...secret(), json })
  }
  await prepare(id, user)
  const { charge_id: charge } = taken.json<{ charge_id: string }>()
  return { user, job, request: goodRequests(user, job, grant, charge)[id] as GoodRequest }
}

const HAS_A_PLAN = 'getSubscription cancelSubscription resumeSubscription deleteSubscription'

/** The plans that a request of this operation is about, and that this person has one. */
async function prepare(id: string, user: string): Promise<void> {
  const make = (name: string) =>
    client.post('/api/v1/plans', { template: 'enterprise', name }, secret())
  const isAboutPlans = ['getPlan', 'updatePlan', 'setSubscription'].includes(id)
  if (isAboutPlans || HAS_A_PLAN.includes(id)) await make(`basic-${user}`)
  if (id === 'deletePlan') await make(`free-${user}`)
  if (HAS_A_PLAN.includes(id)) await give(user, `basic-${user}`)
}

async function give(user: string, plan: string): Promise<void> {
  const made = await client.send('PUT', `/api/v1/users/${user}/subscription`, {
    ...secret(),
    json: { plan },
  })
  expect(made.status).toBe(200)
}

/** A plan cannot be made twice, nor go while somebody has it or nothing else is the default. */
async function planInTheWay(id: string): Promise<number | null> {
  const { user, request } = await fresh(id)
  if (id === 'createPlan') await sendTo(client, request, secret())
  else if (id === 'deletePlan') await give(user, `free-${user}`)
  else if (id === 'updatePlan') return await defaultSwitchedOff(user, request)
  else return null
  return (await sendTo(client, request, secret())).status
}

async function defaultSwitchedOff(user: string, request: GoodRequest): Promise<number> {
  const set = (plan: string | null) =>
    client.send('PUT', '/api/v1/plans/default', { ...secret(), json: { plan } })
  expect((await set(`basic-${user}`)).status).toBe(200)
  const { status } = await sendTo(client, { ...request, json: { is_enabled: false } }, secret())
  await set(null)
  return status
}

const secret = (): Send => ({ key: shop.keys.test.secret })
const forUser = (user: string): Send => ({ ...secret(), user })
const sendTo = (door: Client, { method, path, json }: GoodRequest, send: Send) =>
  door.send(method, path, { ...send, json })

async function tooMuchCharged(): Promise<number> {
  const { user, request } = await fresh('chargeUser')
  const json = { ...request.json, amount: 1_000 }
  return (await sendTo(client, { ...request, json }, forUser(user))).status
}

async function tooMuchTaken(): Promise<number> {
  const { user, request } = await fresh('adjustTokens')
  const json = { ...request.json, amount: -1_000 }
  return (await sendTo(client, { ...request, json }, forUser(user))).status
}

/** How an operation is brought to each status. Null: this way does not exist for it. */
type Way = (operation: Operation) => Promise<number | null>

const WAYS: Record<string, Way> = {
  async 'a good call'({ id }) {
    const { user, request } = await fresh(id)
    return (await sendTo(client, request, forUser(user))).status
  },
  async 'a user who is new'({ id }) {
    const request = goodRequests(`new-${++people}`, 'job_0')[id] as GoodRequest
    return id === 'createUser' ? (await sendTo(client, request, secret())).status : null
  },
  async 'what the caller has already'({ id }) {
    if (!['listModels', 'getModel'].includes(id)) return null
    const headers = { 'if-none-match': '*' }
    const { path } = (await fresh(id)).request
    return (await client.get(path, { ...secret(), headers })).status
  },
  async 'a user id that is none'({ id }) {
    const { request } = await fresh(id)
    return (await sendTo(client, request, forUser('no user'))).status
  },
  async 'no key'({ id }) {
    return (await sendTo(client, (await fresh(id)).request, {})).status
  },
  async 'no tokens'({ id }) {
    if (id === 'adjustTokens') return await tooMuchTaken()
    if (id === 'chargeUser') return await tooMuchCharged()
    if (!STARTS_JOBS.includes(id)) return null
    const { request } = await fresh(id)
    return (await sendTo(client, request, { key: poor.keys.test.secret, user: 'poor' })).status
  },
  async 'an app that is switched off'({ id }) {
    const { user, request } = await fresh(id)
    return (await sendTo(client, request, { key: closed.keys.test.secret, user })).status
  },
  async 'a model that is not'({ id }) {
    const { user, request } = await fresh(id)
    if (id === 'getModel') return (await client.get('/api/v1/models/none', secret())).status
    if ([...HAS_A_PRICE, 'setPrice'].includes(id)) {
      const path = '/api/v1/prices/model:none'
      return (await sendTo(client, { ...request, path }, secret())).status
    }
    if (!STARTS_JOBS.includes(id) && id !== 'estimate') return null
    const json = { ...request.json, model: 'no-such-model' }
    return (await sendTo(client, { ...request, json }, forUser(user))).status
  },
  async 'somebody else'({ id, path, body }) {
    const isAboutSomebody = path.includes(':') || ['createUser', 'grantTokensBatch'].includes(id)
    if (!isAboutSomebody || (STARTS_JOBS.includes(id) && body)) return null
    return (await sendTo(client, (await fresh(id)).request, forUser('mallory'))).status
  },
  async 'a job that has ended'({ id }) {
    const { user, job, request } = await fresh(id)
    if (!['cancelJob', 'deleteJob'].includes(id)) return null
    await client.delete(`/api/v1/jobs/${job}`, forUser(user))
    return (await sendTo(client, request, forUser(user))).status
  },
  async 'a grant or a charge that was taken back'({ id }) {
    if (!['reverseGrant', 'reverseCharge'].includes(id)) return null
    const { request } = await fresh(id)
    await sendTo(client, request, secret())
    return (await sendTo(client, request, secret())).status
  },
  async 'a plan in the way'({ id }) {
    return await planInTheWay(id)
  },
  async 'a plan that is not'({ id }) {
    if (!['getPlan', 'updatePlan', 'deletePlan'].includes(id)) return null
    const { request } = await fresh(id)
    return (await sendTo(client, { ...request, path: '/api/v1/plans/none' }, secret())).status
  },
  async 'a body that is too large'({ id, body }) {
    const { user, request } = await fresh(id)
    const json = { ...request.json, more: 'x'.repeat(1_100_000) }
    return body ? (await sendTo(client, { ...request, json }, forUser(user))).status : null
  },
  async 'a body of another type'({ id, body }) {
    const { user, request } = await fresh(id)
    const headers = { 'content-type': 'text/plain' }
    return body ? (await sendTo(client, request, { ...forUser(user), headers })).status : null
  },
  async 'a key used twice'({ id, isIdempotent }) {
    const { user, request } = await fresh(id)
    if (!isIdempotent || id === 'cancelJob') return null
    const headers = { 'idempotency-key': `key-${people}` }
    await sendTo(client, request, { ...forUser(user), headers })
    const other = JSON.stringify(request.json).replace(
      /futuristic|free|a gift|refunded|a correction|a service|no service/,
      'other',
    )
    const json = JSON.parse(other) as Record<string, unknown>
    return (await sendTo(client, { ...request, json }, { ...forUser(user), headers })).status
  },
  async 'one call too many'({ id }) {
    const request = goodRequests('ann', 'job_00000000001')[id] as GoodRequest
    const door = apiClient(httpDoor(hub.deps))
    const send = { key: narrow.keys.test.secret, user: 'ann' }
    let last = 0
    // Reads have ten times the room.
    for (let i = 0; i < 11; i++) last = (await sendTo(door, request, send)).status
    return last
  },
  async 'a bug of ours'({ id }) {
    const check = () => {
      throw new Error('planted')
    }
    const broken = apiClient(httpDoor(hub.deps, { foreign: { check } }))
    return (await sendTo(broken, goodRequests('ann', 'job_0')[id] as GoodRequest, secret())).status
  },
  async 'a server that stops'({ id }) {
    const stopping = apiClient(httpDoor(hub.deps, { isStopping: () => true }))
    const request = goodRequests('ann', 'job_0')[id] as GoodRequest
    return (await sendTo(stopping, request, secret())).status
  },
}

test.each(GUARDED.map(operation => [operation.id, operation] as const))(
  '%s answers each status that it documents, and no other',
  async (_, operation) => {
    const found = new Set<number>()
    for (const way of Object.values(WAYS)) {
      const status = await way(operation)
      if (status !== null) found.add(status)
    }
    const documented = [
      ...Object.keys(operation.answers).map(Number),
      ...codesOf(operation).map(code => ERRORS[code].status),
    ]
    expect([...found].toSorted()).toEqual([...new Set(documented)].toSorted())
  },
)
