import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute, type TestHub, testHub } from '@test/support/test-hub'
import { isoSeconds } from '@/base/clock'
import { type JobId, parseId } from '@/base/ids'
import { ATTEMPT_STATES } from '@/db/schema'
import type { Mode } from '@/deps'
import { VERDICTS } from '@/domain/routing/decision'
import { STRATEGIES } from '@/domain/routing/strategy'

/** `GET /api/v1/jobs/:id?explain=1`: why a job went where it went, for whoever runs the app. */
const MODEL = 'gpt-image-1.5'
/** What a vendor says is no matter of ours to repeat: it may hold a prompt or a key. */
const HOSTILE = 'sk-live-secret <script>alert(1)</script>'

let hub: TestHub
let shop: Tenant
let client: Client

beforeAll(async () => {
  hub = await testHub({ isRunning: false, providers: [fakeProvider()] })
  await addRoute(hub.deps, { model: MODEL, provider: 'fake' })
  shop = await tenant(hub.deps, { welcomeGrant: 1_000 })
  client = apiClient(httpDoor(hub.deps))
})
afterAll(() => hub.close())

const server = (mode: Mode, user?: string) =>
  client.as({ key: shop.keys[mode].secret, ...(user === undefined ? {} : { user }) })

async function newJob(mode: Mode, user = 'ann'): Promise<string> {
  const made = await server(mode, user).post('/api/v1/generate', {
    model: MODEL,
    input: { prompt: 'a heron' },
  })
  expect(made.status).toBe(202)
  return made.json<{ job_id: string }>().job_id
}

const AT = Date.UTC(2026, 0, 15, 12, 0, 0, 250)
const DECISION = {
  strategy: 'balanced',
  considered: [
    {
      provider: 'replicate',
      providerModel: 'openai/gpt-image-1.5',
      priority: 1,
      verdict: 'resting',
      until: AT + 180_999,
      score: null,
      success: 0.125,
      latencyMs: 4_012.6,
      costMicroUsd: 50_000.4,
      quality: 50,
      isDown: false,
    },
    {
      provider: 'fal',
      providerModel: 'fal-ai/gpt-image-1.5',
      priority: 2,
      verdict: 'chosen',
      until: null,
      score: 0.75,
      success: null,
      latencyMs: null,
      costMicroUsd: null,
      quality: 80,
      isDown: false,
    },
  ],
}

type Kept = {
  number: number
  provider: string
  state: string
  decision?: unknown
  kind?: string
  isPermanent?: 0 | 1
  cost?: number
  finishedAt?: number
}

let ids = 1
/** As routing and the executor leave it behind. */
function keepAttempt(job: string, attempt: Kept): void {
  hub.deps.db.sqlite.run(
    `INSERT INTO attempts (id, job_id, number, provider, provider_model, reason, state, first_file_id,
       error_kind, error_message, cost_micro_usd, started_at, deadline_at, finished_at, decision, is_permanent)
     VALUES (?, ?, ?, ?, ?, 'chose it: replicate resting', ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      ids++,
      parseId('job', job) as JobId,
      attempt.number,
      attempt.provider,
      `${attempt.provider}-model`,
      attempt.state,
      attempt.kind ?? null,
      HOSTILE,
      attempt.cost ?? null,
      AT,
      AT + 1,
      attempt.finishedAt ?? null,
      attempt.decision === undefined ? null : JSON.stringify(attempt.decision),
      attempt.isPermanent ?? 0,
    ],
  )
}

test('shows each try in order, with what was weighed before it', async () => {
  const job = await newJob('live')
  // The second first: the order is that of the tries.
  keepAttempt(job, { number: 2, provider: 'fal', state: 'waiting', decision: DECISION })
  keepAttempt(job, {
    number: 1,
    provider: 'replicate',
    state: 'refused',
    kind: 'rejected',
    isPermanent: 1,
    cost: 1_500,
    finishedAt: AT + 2_999,
  })
  for (const word of ['1', 'true']) {
    const answer = await server('live', 'ann').get(`/api/v1/jobs/${job}?explain=${word}`)
    expect(answer.status).toBe(200)
    const { routing, ...rest } = answer.json()
    expect(routing).toEqual([
      {
        number: 1,
        provider: 'replicate',
        provider_model: 'replicate-model',
        state: 'refused',
        reason: 'chose it: replicate resting',
        strategy: null,
        considered: [],
        error_kind: 'rejected',
        is_permanent: true,
        cost_micro_usd: 1_500,
        started_at: '2026-01-15T12:00:00Z',
        finished_at: '2026-01-15T12:00:03Z',
      },
      {
        number: 2,
        provider: 'fal',
        provider_model: 'fal-model',
        state: 'waiting',
        reason: 'chose it: replicate resting',
        strategy: 'balanced',
        considered: [
          {
            provider: 'replicate',
            provider_model: 'openai/gpt-image-1.5',
            priority: 1,
            verdict: 'resting',
            until: isoSeconds(AT + 180_999),
            score: null,
            success: 0.125,
            latency_ms: 4_013,
            cost_micro_usd: 50_000,
            quality: 50,
            is_down: false,
          },
          {
            provider: 'fal',
            provider_model: 'fal-ai/gpt-image-1.5',
            priority: 2,
            verdict: 'chosen',
            until: null,
            score: 0.75,
            success: null,
            latency_ms: null,
            cost_micro_usd: null,
            quality: 80,
            is_down: false,
          },
        ],
        error_kind: null,
        is_permanent: false,
        cost_micro_usd: null,
        started_at: '2026-01-15T12:00:00Z',
        finished_at: null,
      },
    ])
    expect(answer.text).not.toContain('sk-live')
    expect(rest).toEqual((await server('live', 'ann').get(`/api/v1/jobs/${job}`)).json())
  }
})

test('is empty for a job that nobody has tried, and absent where nobody asked', async () => {
  const job = await newJob('test')
  const get = (query: string) => server('test').get(`/api/v1/jobs/${job}${query}`)
  expect((await get('?explain=1')).json().routing).toEqual([])
  for (const query of ['', '?explain=0', '?explain=false', '?other=1&explain=0']) {
    const answer = await get(query)
    expect([query, answer.status, 'routing' in answer.json()]).toEqual([query, 200, false])
  }
})

test.each(['', 'yes', '2', 'TRUE', '1,1', '%00'])('explain=%s is a 400', async word => {
  const job = await newJob('test')
  const answer = await server('test').get(`/api/v1/jobs/${job}?explain=${word}`)
  expect([answer.status, answer.json()]).toEqual([
    400,
    expect.objectContaining({
      code: 'invalid_input',
      details: [{ path: 'explain', message: expect.any(String) }],
    }),
  ])
})

describe('nobody else', () => {
  test.each(['live', 'test'] as const)('with a publishable %s key: 403', async mode => {
    const job = await newJob(mode)
    const token = async () => {
      const made = await server('live').post('/api/v1/users/ann/token')
      return made.json<{ user_token: string }>().user_token
    }
    const key = shop.keys[mode].publishable
    const app = client.as(mode === 'live' ? { key, token: await token() } : { key, user: 'ann' })
    for (const id of [job, 'job_00000000000']) {
      const answer = await app.get(`/api/v1/jobs/${id}?explain=1`)
      expect([answer.status, answer.json()]).toEqual([
        403,
        expect.objectContaining({ code: 'forbidden', required_scope: 'secret' }),
      ])
    }
    expect((await app.get(`/api/v1/jobs/${job}?explain=0`)).status).toBe(200)
  })
  test('of another app, another mode or another user: 404', async () => {
    const job = await newJob('live')
    const other = await tenant(hub.deps)
    const strangers = [
      client.as({ key: other.keys.live.secret }),
      client.as({ key: other.keys.live.secret, user: 'ann' }),
      server('test'),
      server('test', 'ann'),
      server('live', 'bob'),
    ]
    for (const stranger of strangers) {
      expect((await stranger.get(`/api/v1/jobs/${job}?explain=1`)).status).toBe(404)
    }
    expect((await server('live').get(`/api/v1/jobs/${job}?explain=1`)).status).toBe(200)
  })
})

test('the document has every word of a try', async () => {
  const { components } = (await client.get('/docs/json')).json<{
    components: { schemas: Record<string, { properties: Record<string, unknown> }> }
  }>()
  const words = (schema: string, field: string) => components.schemas[schema]?.properties[field]
  const open = (known: readonly string[], type: unknown) => ({
    anyOf: [{ type: 'string', enum: known }, { type }],
  })
  expect(words('JobAttempt', 'state')).toEqual(open(ATTEMPT_STATES, 'string'))
  expect(words('JobAttempt', 'strategy')).toEqual(open(STRATEGIES, ['string', 'null']))
  expect(words('ConsideredRoute', 'verdict')).toEqual(open(VERDICTS, 'string'))
})

test('a job that ran says who made it', async () => {
  const jobs = { live: await newJob('live', 'runner'), test: await newJob('test', 'runner') }
  await hub.runner.start()
  await hub.runner.settleAll()
  for (const [mode, provider] of [['live', 'fake'] as const, ['test', 'sandbox'] as const]) {
    const answer = await server(mode).get(`/api/v1/jobs/${jobs[mode]}?explain=1`)
    expect(answer.json()).toMatchObject({
      status: 'succeeded',
      routing: [{ number: 1, provider, state: 'succeeded', error_kind: null }],
    })
  }
})
