import { afterEach, describe, expect, test } from 'bun:test'
import { closeStages, rows, run, runToEnd, stage, submit, viewOf } from '@test/domain/jobs/stage'
import { bytes, doneAt, pending, picture } from '@test/support/fake-provider'
import { type AppChange, changeApp, findKey, realmsOf } from '@/domain/apps'

afterEach(closeStages)

const ACTOR = { kind: 'shell' as const, id: 'test' }

describe('a change of an app', () => {
  test('keeps what it does not name, holds for the very next call, and is written down', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const { slug, id } = on.app.app
    const set = (change: AppChange) => changeApp(on.deps, ACTOR, slug, change)
    const realm = () => findKey(on.deps, on.app.apiKey)?.realm
    expect(realm()).toEqual(on.realm)
    await set({ monthlyBudgetMicroUsd: 5_000_000, lowBalanceThreshold: 10 })
    await set({ timeZone: 'america/new_york', budgetAction: 'warn' })
    const changed = {
      ...on.realm,
      monthlyBudgetMicroUsd: 5_000_000,
      lowBalanceThreshold: 10,
      timeZone: 'America/New_York',
      budgetAction: 'warn' as const,
    }
    expect(realm()).toEqual(changed)
    expect(realmsOf(on.deps.db, id).live).toEqual(changed)
    await set({ monthlyBudgetMicroUsd: null, lowBalanceThreshold: null })
    expect(realm()).toEqual({ ...changed, monthlyBudgetMicroUsd: null, lowBalanceThreshold: null })
    const audit = rows<{ details: string }>(
      on,
      `SELECT details FROM audit_log WHERE action = 'app.change' ORDER BY id`,
    )
    expect(audit.map(({ details }) => JSON.parse(details))).toEqual([
      { slug, monthlyBudgetMicroUsd: 5_000_000, lowBalanceThreshold: 10 },
      { slug, timeZone: 'America/New_York', budgetAction: 'warn' },
      { slug, monthlyBudgetMicroUsd: null, lowBalanceThreshold: null },
    ])
  })

  const wrong: [path: string, change: AppChange][] = [
    ['time_zone', { timeZone: 'Mars/Base' }],
    ['time_zone', { timeZone: '+02:00' }],
    ['time_zone', { timeZone: '' }],
    ['monthly_budget_usd', { monthlyBudgetMicroUsd: -1 }],
    ['monthly_budget_usd', { monthlyBudgetMicroUsd: 0.5 }],
    ['monthly_budget_usd', { monthlyBudgetMicroUsd: Number.NaN }],
    ['monthly_budget_usd', { monthlyBudgetMicroUsd: Number.POSITIVE_INFINITY }],
    ['low_balance', { lowBalanceThreshold: 0 }],
    ['low_balance', { lowBalanceThreshold: 1e15 }],
  ]
  for (const [path, change] of wrong) {
    test(`to ${JSON.stringify(change)} is a 400 that names ${path}`, async () => {
      const on = await stage({ hub: { isRunning: false } })
      const error = await changeApp(on.deps, ACTOR, on.app.app.slug, change).catch(thrown => thrown)
      expect(error.code).toBe('invalid_input')
      expect(error.detail.details[0].path).toBe(path)
      expect(rows(on, `SELECT id FROM audit_log WHERE action = 'app.change'`)).toEqual([])
    })
  }

  test('of one that is not there is a 404', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const error = await changeApp(on.deps, ACTOR, 'nobody', { isEnabled: false }).catch(e => e)
    expect(error.code).toBe('not_found')
  })
})

test('what a disabled app had accepted goes on, and its webhooks too', async () => {
  const on = await stage()
  on.provider.script(pending(1, doneAt(5, bytes(picture()))))
  const id = await submit(on)
  await run(on)
  await changeApp(on.deps, ACTOR, on.app.app.slug, { isEnabled: false })
  expect(findKey(on.deps, on.app.apiKey)?.isEnabled).toBe(0)
  await runToEnd(on, id)
  await run(on)
  expect(viewOf(on, id).status).toBe('succeeded')
  expect(on.web.calls).toHaveLength(1)
})
