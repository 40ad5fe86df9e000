import { afterEach, describe, expect, test } from 'bun:test'
import {
  COST,
  closeStages,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  TEXT_MODEL,
  userId,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  doneAt,
  fails,
  failure,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { expectLedgerInOrder } from '@test/support/test-hub'
import type { JobId } from '@/base/ids'
import { cancel } from '@/domain/jobs'
import {
  ACTOR,
  expectCountersInOrder,
  givePlan,
  OUTPUT_MICRO_USD,
  refusal,
  setApp,
  setCost,
  used,
} from './rig'

afterEach(closeStages)

const DAY = '2026-01-15'
const MONTH = '2026-01'
const TOMORROW = '2026-01-16T00:00:00Z'
const NEXT_MONTH = '2026-02-01T00:00:00Z'

const cancelled = (on: Stage, id: JobId) =>
  cancel(on.deps, ACTOR, { realmId: on.realm.id, userId: null }, id, null)

describe('without a plan and without a budget', () => {
  test('nothing is taken and nothing is counted', async () => {
    const on = await stage({ hub: { isRunning: false } })
    setCost(on)
    await submit(on)
    expect(rows(on, 'SELECT taken FROM jobs')).toEqual([{ taken: null }])
    expect(used(on)).toEqual({})
  })

  test('what a job did cost is counted at its end, so that a budget of tomorrow knows it', async () => {
    const on = await stage()
    on.provider.script(doneAt(12_345, bytes(picture())))
    await submit(on)
    await run(on)
    expect(used(on)).toEqual({ [`app_budget ${MONTH}`]: 12_345, [`hub_budget ${MONTH}`]: 12_345 })
    expectCountersInOrder(on)
  })

  test('a job of a test key costs nobody anything', async () => {
    const on = await stage({ hub: { config: { monthlyBudgetMicroUsd: 0 } } })
    setCost(on)
    on.realm = on.app.realms.test
    await givePlan(on, { microUsdPerDay: 0 })
    await submit(on)
    await run(on)
    expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1 })
  })
})

describe('a limit says which it is, how much and until when', () => {
  const limits = [
    [
      { maxConcurrent: 1 },
      { code: 'concurrency_limit', limit: 1, limit_name: 'concurrent_jobs', retry_after: 5 },
    ],
    [
      { jobsPerDay: 1 },
      {
        code: 'daily_limit',
        limit: 1,
        limit_name: 'jobs_per_day',
        resets_at: TOMORROW,
        retry_after: 48_600,
      },
    ],
    [
      { tokensPerDay: COST },
      {
        code: 'spend_limit',
        limit: COST,
        limit_name: 'tokens_per_day',
        resets_at: TOMORROW,
        retry_after: 48_600,
      },
    ],
    [
      { tokensPerMonth: COST },
      {
        code: 'spend_limit',
        limit: COST,
        limit_name: 'tokens_per_month',
        resets_at: NEXT_MONTH,
        retry_after: 1_431_000,
      },
    ],
    [
      { microUsdPerDay: OUTPUT_MICRO_USD },
      {
        code: 'spend_limit',
        limit: OUTPUT_MICRO_USD,
        limit_name: 'micro_usd_per_day',
        resets_at: TOMORROW,
        retry_after: 48_600,
      },
    ],
    [
      { microUsdPerMonth: OUTPUT_MICRO_USD },
      {
        code: 'spend_limit',
        limit: OUTPUT_MICRO_USD,
        limit_name: 'micro_usd_per_month',
        resets_at: NEXT_MONTH,
        retry_after: 1_431_000,
      },
    ],
  ] as const
  for (const [plan, expected] of limits) {
    test(`${Object.keys(plan)}`, async () => {
      const on = await stage({ hub: { isRunning: false } })
      setCost(on)
      await givePlan(on, plan)
      await submit(on)
      const before = rows(on, 'SELECT * FROM counters')
      expect(await refusal(submit(on))).toEqual(expected)
      // Undone as a whole: what was counted before the limit that refused, too.
      expect(rows(on, 'SELECT * FROM counters')).toEqual(before)
      expect(rows(on, 'SELECT id FROM jobs')).toHaveLength(1)
      expectCountersInOrder(on)
      expectLedgerInOrder(on.deps)
    })
  }

  test('a budget', async () => {
    for (const of of ['app', 'hub'] as const) {
      const on = await stage({
        hub: {
          isRunning: false,
          config: { monthlyBudgetMicroUsd: of === 'hub' ? OUTPUT_MICRO_USD : null },
        },
      })
      setCost(on)
      if (of === 'app') await setApp(on, { monthlyBudgetMicroUsd: OUTPUT_MICRO_USD })
      await submit(on)
      expect(await refusal(submit(on))).toEqual({ code: 'budget_exceeded', resets_at: NEXT_MONTH })
      expect(used(on)).toEqual({ [`${of}_budget ${MONTH}`]: OUTPUT_MICRO_USD })
      expectCountersInOrder(on)
    }
  })

  test('one more than fits is refused at once, also as the first of its day', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await givePlan(on, { tokensPerDay: COST * 2 - 1 })
    const asked = refusal(submit(on, { input: { num_outputs: 2 } }))
    expect(await asked).toMatchObject({ code: 'spend_limit', limit_name: 'tokens_per_day' })
    await submit(on)
    // There is some left, and not enough.
    expect(await refusal(submit(on))).toMatchObject({ limit_name: 'tokens_per_day' })
    expect(used(on)).toMatchObject({ [`tokens_day ${DAY}`]: COST })
  })

  test('none may be nothing at all', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await givePlan(on, { jobsPerDay: 0 })
    expect(await refusal(submit(on))).toMatchObject({ code: 'daily_limit', limit: 0 })
  })
})

describe('a plan', () => {
  test('leaves out models and kinds, and says so without the words of the caller', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await givePlan(on, { models: [TEXT_MODEL] })
    const refused = await refusal(submit(on))
    expect(refused).toEqual({ code: 'forbidden', reason: expect.stringContaining('this model') })
    await submit(on, { model: TEXT_MODEL })
    await givePlan(on, { kinds: ['image'] }, 'pictures')
    expect(await refusal(submit(on, { model: TEXT_MODEL, externalId: 'another' }))).toEqual({
      code: 'forbidden',
      reason: expect.stringContaining('this kind'),
    })
    await submit(on, { externalId: 'another' })
  })

  test('gives its priority to jobs that ask for none', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await givePlan(on, { priority: 3 })
    await submit(on, { priority: null })
    await submit(on, { priority: 42 })
    const other = on.app.realms.test
    await submit(on, { priority: null, realm: other, model: 'flux-schnell' })
    const found = rows<{ priority: number }>(on, 'SELECT priority FROM jobs ORDER BY id')
    expect(found.map(job => job.priority)).toEqual([3, 42, 10])
    const tasks = rows<{ priority: number }>(
      on,
      `SELECT priority FROM tasks WHERE kind = 'job.execute' ORDER BY id`,
    )
    expect(tasks.map(task => task.priority)).toEqual([3, 42, 10])
  })
})

describe('what was taken comes back', () => {
  const ALL = {
    jobsPerDay: 100,
    tokensPerDay: 1_000,
    tokensPerMonth: 1_000,
    microUsdPerDay: 1_000_000,
    microUsdPerMonth: 1_000_000,
  }
  async function onStage(isRunning = true) {
    const on = await stage({ hub: { isRunning, config: { monthlyBudgetMicroUsd: 10_000_000 } } })
    setCost(on)
    await givePlan(on, ALL)
    await setApp(on, { monthlyBudgetMicroUsd: 10_000_000 })
    return on
  }
  const money = (microUsd: number) => ({
    [`cost_day ${DAY}`]: microUsd,
    [`cost_month ${MONTH}`]: microUsd,
    [`app_budget ${MONTH}`]: microUsd,
    [`hub_budget ${MONTH}`]: microUsd,
  })
  const tokens = (amount: number) => ({
    [`tokens_day ${DAY}`]: amount,
    [`tokens_month ${MONTH}`]: amount,
  })

  test('as what a job did cost, when it succeeded', async () => {
    const on = await onStage()
    on.provider.script(doneAt(7_000, bytes(picture()), bytes(picture(1))))
    await submit(on, { input: { num_outputs: 2 } })
    expect(used(on)).toEqual({
      [`jobs_day ${DAY}`]: 1,
      ...tokens(2 * COST),
      ...money(2 * OUTPUT_MICRO_USD),
    })
    await run(on)
    expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1, ...tokens(2 * COST), ...money(7_000) })
    expectCountersInOrder(on)
  })

  test('also when it cost more than was reserved: a fact has no cap', async () => {
    const on = await onStage()
    on.provider.script(doneAt(1_500_000, bytes(picture())))
    await submit(on)
    await run(on)
    expect(used(on)).toMatchObject(money(1_500_000))
    expect(await refusal(submit(on))).toMatchObject({ limit_name: 'micro_usd_per_day' })
    expectCountersInOrder(on)
  })

  test('in part, when less was made than asked for', async () => {
    const on = await onStage()
    on.provider.script(doneAt(7_000, bytes(picture())))
    await submit(on, { input: { num_outputs: 2 } })
    await run(on)
    expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1, ...tokens(COST), ...money(7_000) })
    expectCountersInOrder(on)
  })

  test('whole, the job of the day too, when it failed', async () => {
    const on = await onStage()
    on.provider.script(fails('rejected'))
    await submit(on)
    await run(on)
    expect(used(on)).toEqual({})
    expectCountersInOrder(on)
  })

  test('but for what a failure cost', async () => {
    const on = await onStage()
    on.provider.script({ start: 'fails', error: failure('rejected', { costMicroUsd: 900 }) })
    await submit(on)
    await run(on)
    expect(used(on)).toEqual(money(900))
    expectCountersInOrder(on)
  })

  test('but for the job of the day when it was cancelled, and dollars once the vendor was told', async () => {
    const on = await onStage(false)
    const id = await submit(on)
    await cancelled(on, id)
    expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1, ...money(OUTPUT_MICRO_USD) })
    expectCountersInOrder(on)
  })

  test('cancelled before it began, it cost nothing; cancelled at work, its worst', async () => {
    for (const hasBegun of [false, true]) {
      const on = await onStage()
      on.provider.script(pendingForEver())
      const id = await submit(on)
      if (hasBegun) await run(on)
      await cancelled(on, id)
      await runOut(on)
      const cost = hasBegun ? money(OUTPUT_MICRO_USD) : {}
      expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1, ...cost })
      expectCountersInOrder(on)
      await on.close()
    }
  })

  test('stays as it was reserved where nobody says what a success cost', async () => {
    const on = await stage({ hub: { config: { monthlyBudgetMicroUsd: 10_000_000 } } })
    on.provider.script(done(bytes(picture())))
    await submit(on)
    await run(on)
    // No route of the model has a rate: ten cents by the setting.
    expect(used(on)).toEqual({ [`hub_budget ${MONTH}`]: 100_000 })
    expectCountersInOrder(on)
  })

  test('to the day and month from which it was taken', async () => {
    const on = await onStage(false)
    on.clock.setWall(Date.parse('2026-01-31T23:59:00Z'))
    on.provider.script(doneAt(7_000, bytes(picture())))
    await submit(on)
    on.clock.setWall(Date.parse('2026-02-01T00:01:00Z'))
    await on.runner.start()
    await run(on)
    const last = used(on)
    expect(Object.keys(last).every(key => /2026-01(-31)?$/.test(key))).toBe(true)
    expect(last['hub_budget 2026-01']).toBe(7_000)
    await submit(on)
    await run(on)
    expect(used(on)).toMatchObject({ 'jobs_day 2026-02-01': 1, 'hub_budget 2026-02': 7_000 })
    expectCountersInOrder(on)
  })
})

describe('days and months', () => {
  test('are those of the app', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await setApp(on, { timeZone: 'Pacific/Auckland' })
    await givePlan(on, { jobsPerDay: 1, tokensPerMonth: COST })
    // 23:30 on the 15th there.
    await submit(on)
    expect(await refusal(submit(on))).toMatchObject({ resets_at: '2026-01-15T11:00:00Z' })
    on.clock.advance(30 * 60_000)
    expect(used(on)).toEqual({ [`jobs_day ${DAY}`]: 1, [`tokens_month ${MONTH}`]: COST })
    expect(await refusal(submit(on))).toMatchObject({
      limit_name: 'tokens_per_month',
      resets_at: '2026-01-31T11:00:00Z',
    })
  })

  test('begin anew, and old ones are forgotten', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await givePlan(on, { jobsPerDay: 1 })
    for (let day = 0; day < 20; day++) {
      await submit(on)
      expect(await refusal(submit(on))).toMatchObject({ code: 'daily_limit' })
      on.clock.advance(24 * 3_600_000)
    }
    const days = rows<{ period: string }>(on, 'SELECT period FROM counters ORDER BY period')
    expect(days).toHaveLength(9)
    expect(days[0]).toEqual({ period: '2026-01-26' })
    expect(userId(on)).toBeGreaterThan(0)
  })
})
