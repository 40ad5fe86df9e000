import { afterAll, beforeAll, expect, test } from 'bun:test'
import { setConfig } from '@test/domain/generation/priced'
import { COST, closeStages, MODEL, run, type Stage, stage, USER } from '@test/domain/jobs/stage'
import { givePlan, OUTPUT_MICRO_USD, setApp } from '@test/domain/limits/rig'
import { apiClient, type Client } from '@test/support/client'
import { bytes, doneAt, fails, pendingForEver, picture } from '@test/support/fake-provider'
import { createApp } from '@/app'
import { watchForeignCommits } from '@/db/foreign-commits'
import { createKey } from '@/domain/apps'
import { createRateLimits } from '@/http/rate-limits'

let on: Stage
let secret: Client
let publishable: Client

beforeAll(async () => {
  on = await stage()
  const app = createApp(
    {
      deps: on.deps,
      limits: createRateLimits(on.deps),
      foreign: watchForeignCommits(on.deps.db),
      isStopping: () => false,
    },
    { version: '0', runner: () => 'ok', storage: async () => 'ok' },
  )
  secret = apiClient(app, { key: on.app.apiKey, user: USER })
  const slug = on.app.app.slug
  const key = await createKey(
    on.deps,
    { kind: 'shell', id: 'test' },
    { slug, mode: 'live', kind: 'publishable' },
  )
  const { user_token: token } = (await secret.post(`/api/v1/users/${USER}/token`, {})).json<{
    user_token: string
  }>()
  publishable = apiClient(app, { key: key.text, token })
})
afterAll(closeStages)

const generate = async (client: Client, expected = 202) => {
  const answer = await client.post('/api/v1/generate', { model: MODEL, input: { prompt: 'x' } })
  expect(answer.status).toBe(expected)
  return answer.json()
}
const usage = async (client: Client, who = 'me') =>
  (await client.get(`/api/v1/users/${who}/usage`)).json()

test('nobody is made by asking', async () => {
  expect((await secret.get(`/api/v1/users/${USER}/usage`)).status).toBe(404)
})

test('without a plan nothing is counted, but for what is at work', async () => {
  on.provider.script(doneAt(1, bytes(picture())))
  await generate(secret)
  await run(on)
  expect(await usage(secret, USER)).toEqual({
    plan: null,
    jobs_today: null,
    daily_limit: null,
    remaining_today: null,
    concurrent: 0,
    concurrent_limit: null,
    tokens_today: null,
    tokens_per_day: null,
    tokens_this_month: null,
    tokens_per_month: null,
    cost_today_micro_usd: null,
    cost_per_day_micro_usd: null,
    cost_this_month_micro_usd: null,
    cost_per_month_micro_usd: null,
    resets_at: '2026-01-16T00:00:00Z',
    month_resets_at: '2026-02-01T00:00:00Z',
  })
})

test('with a plan it says what is used and what is left, to servers what it cost too', async () => {
  await setApp(on, { timeZone: 'America/New_York' })
  setConfig(on, on.provider.name, { cost: { per_output: OUTPUT_MICRO_USD } })
  await givePlan(on, {
    jobsPerDay: 4,
    maxConcurrent: 1,
    tokensPerMonth: 100,
    microUsdPerDay: 1_000_000,
  })
  on.provider.script(doneAt(7_000, bytes(picture())), fails('rejected'), pendingForEver())
  for (let i = 0; i < 3; i++) {
    await generate(publishable)
    await run(on)
  }
  const expected = {
    plan: 'limited',
    jobs_today: 2,
    daily_limit: 4,
    remaining_today: 2,
    concurrent: 1,
    concurrent_limit: 1,
    tokens_today: null,
    tokens_per_day: null,
    tokens_this_month: 2 * COST,
    tokens_per_month: 100,
    cost_today_micro_usd: 7_000 + OUTPUT_MICRO_USD,
    cost_per_day_micro_usd: 1_000_000,
    cost_this_month_micro_usd: null,
    cost_per_month_micro_usd: null,
    resets_at: '2026-01-16T05:00:00Z',
    month_resets_at: '2026-02-01T05:00:00Z',
  }
  expect(await usage(secret)).toEqual(expected)
  expect(await usage(publishable)).toEqual({
    ...expected,
    cost_today_micro_usd: null,
    cost_per_day_micro_usd: null,
  })
  const refused = await publishable.post('/api/v1/generate', {
    model: MODEL,
    input: { prompt: 'x' },
  })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
  expect(refused.json()).toMatchObject({
    code: 'concurrency_limit',
    limit: 1,
    limit_name: 'concurrent_jobs',
    retry_after: 5,
  })
})

test('another user’s is not for the user of a call', async () => {
  await secret.as({ user: 'somebody-else' }).post('/api/v1/users', { external_id: 'somebody-else' })
  expect((await publishable.get('/api/v1/users/somebody-else/usage')).status).toBe(404)
})
