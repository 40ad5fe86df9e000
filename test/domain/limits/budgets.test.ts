import { afterEach, describe, expect, test } from 'bun:test'
import { closeStages, rows, run, runOut, type Stage, stage, submit } from '@test/domain/jobs/stage'
import { bytes, doneAt, fails, picture } from '@test/support/fake-provider'
import { Webhook } from 'standardwebhooks'
import { DAY } from '@/base/clock'
import { write } from '@/db/write'
import { realmsOf } from '@/domain/apps'
import { budgetStateOf, HUB_ACTION, watchBudgets } from '@/domain/limits'
import { saveSetting } from '@/domain/settings'
import { TRY_AFTER_MS } from '@/domain/webhooks'
import { OUTPUT_MICRO_USD, refusal, setApp, setCost, used } from './rig'

afterEach(closeStages)

const OPERATOR = {
  url: 'https://ops.example.com/hook',
  secret: Buffer.alloc(32, 5).toString('base64'),
}
const NEXT_MONTH = '2026-02-01T00:00:00Z'

/** A budget of ten pictures: of the hub, or of the app. */
async function budgeted(of: 'app' | 'hub', operatorWebhook: typeof OPERATOR | null = OPERATOR) {
  const ten = 10 * OUTPUT_MICRO_USD
  const on = await stage({
    webhookUrl: null,
    hub: { config: { monthlyBudgetMicroUsd: of === 'hub' ? ten : null, operatorWebhook } },
  })
  on.web.serve(OPERATOR.url, 200)
  on.provider.script(doneAt(OUTPUT_MICRO_USD, bytes(picture())))
  setCost(on)
  if (of === 'app') await setApp(on, { monthlyBudgetMicroUsd: ten })
  return on
}

async function make(on: Stage, count: number) {
  for (let i = 0; i < count; i++) {
    await submit(on)
    await run(on)
  }
}

type Said = Record<string, unknown> & { percent: number }
const said = (on: Stage): Said[] =>
  on.web.to(OPERATOR.url).map(call => JSON.parse(String(call.init.body)))
const percents = (on: Stage) => said(on).map(({ percent }) => percent)
const spent = (on: Stage) =>
  rows<{ data: string }>(on, `SELECT data FROM events WHERE type = 'budget.alert' ORDER BY id`)

describe.each(['app', 'hub'] as const)('a budget of the %s', of => {
  test('stands safe, in warning, critical and exceeded', async () => {
    const on = await budgeted(of)
    const state = () => budgetStateOf(on.deps, on.realm)[of]
    expect(state()).toEqual({
      of,
      app: of === 'app' ? on.realm.appSlug : null,
      state: 'safe',
      spentMicroUsd: 0,
      budgetMicroUsd: 200_000,
      percent: 0,
      action: 'refuse',
      month: '2026-01',
      resetsAt: Date.parse(NEXT_MONTH),
    })
    const states = [
      'safe',
      'safe',
      'safe',
      'safe',
      'safe',
      'safe',
      'warning',
      'warning',
      'critical',
      'exceeded',
    ]
    for (const [index, expected] of states.entries()) {
      await make(on, 1)
      expect([state()?.percent, state()?.state]).toEqual([(index + 1) * 10, expected as never])
    }
    expect(await refusal(submit(on))).toEqual({ code: 'budget_exceeded', resets_at: NEXT_MONTH })
    expect(budgetStateOf(on.deps, on.app.realms.test)).toEqual({ app: null, hub: null })
  })

  test('is told of at 50, 80, 95 and 100 percent, once each: webhook, event and log', async () => {
    const on = await budgeted(of)
    await make(on, 4)
    expect(percents(on)).toEqual([])
    await make(on, 1)
    expect(percents(on)).toEqual([50])
    await make(on, 3)
    expect(percents(on)).toEqual([50, 80])
    await make(on, 2)
    await watchBudgets(on.deps)
    await runOut(on)
    expect(percents(on)).toEqual([50, 80, 95, 100])
    expect(said(on)[1]).toEqual({
      id: expect.stringMatching(/^evt_/),
      event: 'budget.alert',
      created_at: '2026-01-15T10:30:00Z',
      budget: of,
      app: of === 'app' ? on.realm.appSlug : null,
      percent: 80,
      state: 'warning',
      spent_micro_usd: 160_000,
      budget_micro_usd: 200_000,
      action: 'refuse',
      month: '2026-01',
      resets_at: NEXT_MONTH,
    })
    expect(spent(on).map(({ data }) => JSON.parse(data).percent)).toEqual([50, 80, 95, 100])
    expect(on.hub.log.text().match(/budget alert/g)).toHaveLength(4)
    for (const { init } of on.web.to(OPERATOR.url)) {
      const headers = new Headers(init.headers)
      const at = new Date(Number(headers.get('webhook-timestamp')) * 1_000)
      const id = headers.get('webhook-id') ?? ''
      const signature = new Webhook(OPERATOR.secret).sign(id, at, String(init.body))
      expect(headers.get('webhook-signature')).toBe(signature)
      expect(id).toBe(JSON.parse(String(init.body)).id)
      expect(headers.get('x-webhook-signature')).toMatch(/^sha256=[0-9a-f]{64}$/)
    }
  })

  test('is told of again in the next month, and begins there at nothing', async () => {
    const on = await budgeted(of)
    await make(on, 5)
    on.clock.advance(20 * DAY)
    expect(budgetStateOf(on.deps, on.realm)[of]?.spentMicroUsd).toBe(0)
    await make(on, 5)
    expect(said(on).map(({ month, percent }) => [month, percent])).toEqual([
      ['2026-01', 50],
      ['2026-02', 50],
    ])
  })

  test('whose rest is too little for a job is at its end, and the operator hears of it once', async () => {
    const on = await budgeted(of)
    await make(on, 9)
    const asked = { input: { num_outputs: 2 } }
    expect(await refusal(submit(on, asked))).toMatchObject({ code: 'budget_exceeded' })
    expect(await refusal(submit(on, asked))).toMatchObject({ code: 'budget_exceeded' })
    await run(on)
    expect(percents(on)).toEqual([50, 80, 95, 100])
    expect(said(on)[3]).toMatchObject({ state: 'critical', spent_micro_usd: 180_000 })
    // The last picture still fits.
    await make(on, 1)
    await runOut(on)
    expect(percents(on)).toHaveLength(4)
  })

  test('that only warns lets jobs go on', async () => {
    const on = await budgeted(of)
    if (of === 'app') await setApp(on, { budgetAction: 'warn' })
    else {
      await write(on.deps.db, tx => saveSetting(tx, HUB_ACTION, 'warn'))
      on.deps.cache.clear()
    }
    await make(on, 12)
    expect(percents(on)).toEqual([50, 80, 95, 100])
    expect(budgetStateOf(on.deps, on.realm)[of]).toMatchObject({
      state: 'exceeded',
      percent: 120,
      action: 'warn',
    })
  })

  test('does not stop jobs of test keys', async () => {
    const on = await budgeted(of)
    await make(on, 10)
    await submit(on, { realm: on.app.realms.test })
  })

  test('counts what failures cost, and what was learnt later', async () => {
    const on = await budgeted(of)
    on.provider.script(fails('rejected', { costMicroUsd: 150_000 }))
    await make(on, 1)
    // No job asks now: the look of each minute tells.
    await watchBudgets(on.deps)
    await run(on)
    expect(percents(on)).toEqual([50])
  })
})

describe('a budget that is set in the middle of a month', () => {
  test('knows what was spent before it', async () => {
    const on = await budgeted('app')
    await setApp(on, { monthlyBudgetMicroUsd: null })
    await make(on, 9)
    await setApp(on, { monthlyBudgetMicroUsd: 200_000 })
    expect(budgetStateOf(on.deps, on.realm).app).toMatchObject({ state: 'critical', percent: 90 })
    await make(on, 1)
    expect(await refusal(submit(on))).toMatchObject({ code: 'budget_exceeded' })
  })

  test('and one that is raised is told of anew, where it is reached anew', async () => {
    const on = await budgeted('app')
    await make(on, 10)
    expect(percents(on)).toEqual([50, 80, 95, 100])
    await setApp(on, { monthlyBudgetMicroUsd: 400_000 })
    await watchBudgets(on.deps)
    await run(on)
    // Half of the new one: what was said of half of the old one is no news of this.
    expect(percents(on)).toHaveLength(5)
    await make(on, 10)
    expect(percents(on)).toEqual([50, 80, 95, 100, 50, 80, 95, 100])
    await watchBudgets(on.deps)
    await runOut(on)
    expect(percents(on)).toHaveLength(8)
  })

  test('of nothing refuses every job that costs something', async () => {
    const on = await budgeted('app')
    await setApp(on, { monthlyBudgetMicroUsd: 0 })
    expect(await refusal(submit(on))).toMatchObject({ code: 'budget_exceeded' })
    expect(budgetStateOf(on.deps, on.realm).app).toMatchObject({ state: 'exceeded', percent: 100 })
  })
})

test('two apps have a budget each, and the hub has one over both', async () => {
  const on = await budgeted('hub')
  const { testApp } = await import('@test/support/test-hub')
  const other = await testApp(on.deps, { welcomeGrant: 1_000 })
  await setApp(on, { monthlyBudgetMicroUsd: 3 * OUTPUT_MICRO_USD })
  await make(on, 3)
  expect(await refusal(submit(on))).toMatchObject({ code: 'budget_exceeded' })
  const realm = realmsOf(on.deps.db, other.app.id).live
  for (let i = 0; i < 7; i++) await submit(on, { realm })
  expect(await refusal(submit(on, { realm }))).toMatchObject({ code: 'budget_exceeded' })
  expect(used(on)['hub_budget 2026-01']).toBe(200_000)
})

describe('what the operator is told', () => {
  test('is sent eight times by the schedule of webhooks, the same bytes each time', async () => {
    const on = await budgeted('app')
    on.web.serve(OPERATOR.url, 503)
    await make(on, 5)
    const startedAt = on.clock.now()
    await runOut(on)
    const calls = on.web.to(OPERATOR.url)
    expect(calls).toHaveLength(8)
    expect(new Set(calls.map(call => String(call.init.body))).size).toBe(1)
    expect(rows(on, 'SELECT tries, last_status, delivered_at FROM operator_events')).toEqual([
      { tries: 8, last_status: 503, delivered_at: null },
    ])
    const waited = on.clock.now() - startedAt
    const planned = TRY_AFTER_MS.reduce((sum, ms) => sum + ms, 0)
    expect(Math.abs(waited - planned)).toBeLessThan(planned * 0.11)
    expect(on.hub.log.text()).toContain('the operator could not be told')
  })

  test('is sent until it is taken', async () => {
    const on = await budgeted('app')
    on.web.serve(OPERATOR.url, 500)
    await make(on, 5)
    on.web.serve(OPERATOR.url, 204)
    await runOut(on)
    expect(on.web.to(OPERATOR.url)).toHaveLength(2)
    expect(
      rows(on, 'SELECT tries, last_status FROM operator_events WHERE delivered_at IS NOT NULL'),
    ).toEqual([{ tries: 2, last_status: 204 }])
  })

  test('is in the log and the events alone where there is no address', async () => {
    const on = await budgeted('app', null)
    await make(on, 5)
    expect(said(on)).toEqual([])
    expect(rows(on, 'SELECT * FROM operator_events')).toEqual([])
    expect(spent(on)).toHaveLength(1)
    expect(on.hub.log.text()).toContain('budget alert')
  })
})
