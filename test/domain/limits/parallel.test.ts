import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient } from '@test/support/client'
import {
  bytes,
  doneAt,
  type FakeProvider,
  fails,
  fakeProvider,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { addRoute, expectLedgerInOrder, type TestApp, testApp } from '@test/support/test-hub'
import { type TestServer, testServer } from '@test/support/test-server'
import { changeApp, realmsOf } from '@/domain/apps'
import type { NewPlan } from '@/domain/plans'
import { ACTOR, expectCountersInOrder, givePlan, OUTPUT_MICRO_USD, used } from './rig'

/** Over real HTTP, with a runner that ends jobs while others are still being refused. */
const CALLS = 200
const CAP = 7
const MODEL = 'flux-schnell'

let server: TestServer
let vendor: FakeProvider

async function start(monthlyBudgetMicroUsd: number | null): Promise<void> {
  vendor = fakeProvider({ name: 'fake' })
  server = await testServer({ config: { monthlyBudgetMicroUsd }, hub: { providers: [vendor] } })
  await addRoute(server.deps, { model: MODEL, provider: 'fake' })
  const config = JSON.stringify({ cost: { per_output: OUTPUT_MICRO_USD } })
  server.deps.db.sqlite.run(
    `UPDATE model_routes SET config = ? WHERE provider_id = (SELECT id FROM providers WHERE name = 'fake')`,
    [config],
  )
  server.deps.cache.clear()
}

/** The price of one job is what it is in the catalogue. */
const price = () =>
  (
    server.deps.db.sqlite
      .query('SELECT token_cost AS cost FROM models WHERE name = ?')
      .get(MODEL) as { cost: number }
  ).cost

const unlimited = {
  welcomeGrant: 1_000_000,
  rateLimitPerUser: 1_000_000,
  rateLimitPerApp: 1_000_000,
}

type Call = { app: TestApp; user: string }

async function storm(calls: Call[]): Promise<Record<string, number>> {
  const answers = await Promise.all(
    calls.map(({ app, user }) =>
      apiClient({ url: server.url }, { key: app.apiKey, user }).post('/api/v1/generate', {
        model: MODEL,
        input: { prompt: 'a storm' },
      }),
    ),
  )
  const counts: Record<string, number> = {}
  for (const answer of answers) {
    const { code = 'accepted', limit_name: name } = answer.json<{
      code?: string
      limit_name?: string
    }>()
    const word = name ? `${code} ${name}` : code
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

const jobsOf = (app: TestApp) =>
  server.deps.db.sqlite
    .query('SELECT count(*) AS n FROM jobs WHERE realm_id = ?')
    .get(app.realms.live.id)

describe('200 calls at once', () => {
  beforeAll(() => start(null))
  afterAll(() => server.stop())

  const plans: [string, string, () => Partial<NewPlan>][] = [
    ['jobs a day', 'daily_limit jobs_per_day', () => ({ jobsPerDay: CAP })],
    ['tokens a day', 'spend_limit tokens_per_day', () => ({ tokensPerDay: CAP * price() })],
    ['tokens a month', 'spend_limit tokens_per_month', () => ({ tokensPerMonth: CAP * price() })],
    [
      'micro-USD a day',
      'spend_limit micro_usd_per_day',
      () => ({ microUsdPerDay: CAP * OUTPUT_MICRO_USD }),
    ],
    [
      'micro-USD a month',
      'spend_limit micro_usd_per_month',
      () => ({ microUsdPerMonth: CAP * OUTPUT_MICRO_USD }),
    ],
  ]
  for (const [name, refusal, plan] of plans) {
    test(`against 7 ${name}: 7, while jobs end`, async () => {
      vendor.script(doneAt(OUTPUT_MICRO_USD, bytes(picture())))
      const app = await testApp(server.deps, unlimited)
      await givePlan({ deps: server.deps, realm: app.realms.live }, plan())
      const calls = Array.from({ length: CALLS }, () => ({ app, user: 'one' }))
      expect(await storm(calls)).toEqual({ accepted: CAP, [refusal]: CALLS - CAP })
      expect(jobsOf(app)).toEqual({ n: CAP })
      await server.runner.settleAll()
      expectCountersInOrder(server)
      expectLedgerInOrder(server.deps)
    })
  }

  test('against 7 at once: 7', async () => {
    vendor.script(pendingForEver(60_000))
    const app = await testApp(server.deps, unlimited)
    await givePlan({ deps: server.deps, realm: app.realms.live }, { maxConcurrent: CAP })
    const calls = Array.from({ length: CALLS }, () => ({ app, user: 'one' }))
    expect(await storm(calls)).toEqual({
      accepted: CAP,
      'concurrency_limit concurrent_jobs': CALLS - CAP,
    })
    expect(jobsOf(app)).toEqual({ n: CAP })
  })

  test('of 200 users against an app’s budget for 7: 7', async () => {
    vendor.script(doneAt(OUTPUT_MICRO_USD, bytes(picture())))
    const made = await testApp(server.deps, unlimited)
    await changeApp(server.deps, ACTOR, made.app.slug, {
      monthlyBudgetMicroUsd: CAP * OUTPUT_MICRO_USD,
    })
    const app = { ...made, realms: realmsOf(server.deps.db, made.app.id) }
    const calls = Array.from({ length: CALLS }, (_, i) => ({ app, user: `user-${i}` }))
    expect(await storm(calls)).toEqual({ accepted: CAP, budget_exceeded: CALLS - CAP })
    expect(jobsOf(app)).toEqual({ n: CAP })
    await server.runner.settleAll()
    expectCountersInOrder(server)
  })

  test('each of 20 users has 7 of their own', async () => {
    vendor.script(doneAt(OUTPUT_MICRO_USD, bytes(picture())))
    const app = await testApp(server.deps, unlimited)
    await givePlan({ deps: server.deps, realm: app.realms.live }, { jobsPerDay: CAP })
    const calls = Array.from({ length: 200 }, (_, i) => ({ app, user: `user-${i % 20}` }))
    expect(await storm(calls)).toEqual({ accepted: 140, 'daily_limit jobs_per_day': 60 })
  })

  test('that all fail never pass a cap, and leave nothing behind', async () => {
    vendor.script(fails('rejected'))
    const app = await testApp(server.deps, unlimited)
    const limits = {
      jobsPerDay: CAP,
      tokensPerDay: CAP * price(),
      microUsdPerDay: CAP * OUTPUT_MICRO_USD,
    }
    await givePlan({ deps: server.deps, realm: app.realms.live }, limits)
    const calls = Array.from({ length: CALLS }, () => ({ app, user: 'one' }))
    const { accepted = 0 } = await storm(calls)
    expect(accepted).toBeGreaterThanOrEqual(CAP)
    await server.runner.settleAll()
    expectCountersInOrder(server)
    const rows = server.deps.db.sqlite
      .query('SELECT used FROM counters WHERE realm_id = ? AND used <> 0')
      .all(app.realms.live.id)
    expect(rows).toEqual([])
    expectLedgerInOrder(server.deps)
  })
})

describe('200 calls at once for two apps', () => {
  beforeAll(() => start(CAP * OUTPUT_MICRO_USD))
  afterAll(() => server.stop())

  test('against a budget of the hub for 7: 7 together', async () => {
    vendor.script(doneAt(OUTPUT_MICRO_USD, bytes(picture())))
    const apps = [await testApp(server.deps, unlimited), await testApp(server.deps, unlimited)]
    const calls = Array.from({ length: CALLS }, (_, i) => {
      const app = apps[i % 2]
      if (!app) throw new Error('there are two')
      return { app, user: `user-${i}` }
    })
    expect(await storm(calls)).toEqual({ accepted: CAP, budget_exceeded: CALLS - CAP })
    await server.runner.settleAll()
    const ofHub = Object.entries(used(server)).filter(([key]) => key.startsWith('hub_budget'))
    expect(ofHub.map(([, amount]) => amount)).toEqual([CAP * OUTPUT_MICRO_USD])
    expectCountersInOrder(server)
    expectLedgerInOrder(server.deps)
  })
})
