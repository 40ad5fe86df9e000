import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { AppError } from '@/base/errors'
import type { RealmId } from '@/base/ids'
import { listModels } from '@/domain/catalog'
import * as plans from '@/domain/plans'
import { ACTOR, type PlanRig, planRig } from './rig'

let on: PlanRig
beforeEach(async () => {
  on = await planRig()
})
afterEach(() => on.close())

/** The code of a refusal, and the fields that it names. */
async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(error instanceof AppError)) throw new Error(`not refused: ${error}`)
  const details = (error.detail.details ?? []) as { path: string }[]
  return [error.code, ...details.map(({ path }) => path)].join(' ')
}

describe('a template', () => {
  test('is copied whole, and the copy is the app’s own', async () => {
    const pro = await on.make('pro')
    expect(pro).toMatchObject({
      name: 'pro',
      displayName: 'Pro',
      tokensPerPeriod: 2_000,
      period: 'month',
      maxConcurrent: 3,
      jobsPerDay: null,
      strategy: null,
      hasWatermark: false,
      isEnabled: true,
    })
    expect(plans.findPlan(on.deps.db, on.realm.id, 'pro')).toEqual(pro)
    await plans.changePlan(on.deps, ACTOR, on.realm, 'pro', { tokensPerPeriod: 3_000 })
    expect(plans.TEMPLATES.pro?.tokensPerPeriod).toBe(2_000)
  })
  test('has the figures that were announced', () => {
    const figures = Object.entries(plans.TEMPLATES).map(([name, it]) => [
      name,
      it.tokensPerPeriod,
      it.maxConcurrent,
      it.jobsPerDay,
      it.strategy,
      it.hasWatermark,
    ])
    expect(figures).toEqual([
      ['free', 0, 1, 5, 'cheapest', true],
      ['basic', 500, 1, null, null, false],
      ['pro', 2_000, 3, null, null, false],
      ['enterprise', 10_000, 10, null, 'best', false],
    ])
  })
  test('gives way to what is said beside it', async () => {
    const model = listModels(on.deps)[0]?.name ?? ''
    const changes = { name: 'pro-daily', period: 'day', models: [model], kinds: ['image'] } as const
    const made = await on.make('pro', { ...changes, models: [model], kinds: ['image'] })
    expect(made).toMatchObject({ ...changes, maxConcurrent: 3, tokensPerPeriod: 2_000 })
  })
  test('is one of those that there are', async () => {
    for (const name of ['gold', 'toString', '__proto__', '']) {
      expect([name, await refusal(on.make(name))]).toEqual([name, 'invalid_input template'])
    }
  })
})

describe('a wrong plan is refused with its field', () => {
  const cases: [string, Partial<plans.NewPlan>][] = [
    ['tokens_per_period', { tokensPerPeriod: -1 }],
    ['tokens_per_period', { tokensPerPeriod: Number.NaN }],
    ['tokens_per_period', { tokensPerPeriod: 1.5 }],
    ['tokens_per_period', { tokensPerPeriod: 1_000_000_001 }],
    ['tokens_per_period', { tokensPerPeriod: null as never }],
    ['max_concurrent', { maxConcurrent: 0 }],
    ['max_concurrent', { maxConcurrent: Number.POSITIVE_INFINITY }],
    ['jobs_per_day', { jobsPerDay: -5 }],
    ['tokens_per_day', { tokensPerDay: 2 ** 53 }],
    ['tokens_per_month', { tokensPerMonth: -1 }],
    ['micro_usd_per_day', { microUsdPerDay: 0.5 }],
    ['micro_usd_per_month', { microUsdPerMonth: 1e21 }],
    ['priority', { priority: 0 }],
    ['priority', { priority: 101 }],
    ['max_upload_bytes', { maxUploadBytes: 0 }],
    ['display_name', { displayName: '' }],
    ['display_name', { displayName: 'x'.repeat(101) }],
    ['period', { period: 'year' as never }],
    ['strategy', { strategy: 'luckiest' as never }],
    ['models.0', { models: ['no-such-model'] }],
    ['models', { models: [] }],
    ['kinds.0', { kinds: ['opera'] }],
    ['kinds.1', { kinds: ['image', 'image'] }],
    ['kinds', { kinds: [] }],
    ['name', { name: 'Pro' }],
    ['name', { name: 'default' }],
    ['name', { name: 'templates' }],
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(65) }],
    ['name', { template: null }],
  ]
  test.each(cases)('%s, case %#', async (field, changes) => {
    expect(await refusal(on.make('basic', changes))).toBe(`invalid_input ${field}`)
    expect(plans.listPlans(on.deps.db, on.realm.id)).toEqual([])
    if ('name' in changes || 'period' in changes || 'template' in changes) return
    await on.make('basic')
    const change = plans.changePlan(on.deps, ACTOR, on.realm, 'basic', changes as plans.PlanChange)
    expect(await refusal(change)).toBe(`invalid_input ${field}`)
  })
  test('and several at once with all of theirs', async () => {
    const wrong = { maxConcurrent: 0, jobsPerDay: -1, kinds: ['opera'] }
    expect(await refusal(on.make('basic', wrong))).toBe(
      'invalid_input max_concurrent jobs_per_day kinds.0',
    )
  })
})

describe('an app', () => {
  test('has one plan of a name, and two hundred at most', async () => {
    await on.make('basic')
    expect(await refusal(on.make('basic'))).toBe('conflict')
    for (let i = 1; i < 200; i++) await on.make('basic', { name: `basic-${i}` })
    expect(await refusal(on.make('basic', { name: 'one-more' }))).toBe('conflict')
    expect(plans.listPlans(on.deps.db, on.realm.id)).toHaveLength(200)
    expect(plans.listPlans(on.deps.db, 0 as RealmId)).toEqual([])
  })
  test('removes what nobody had, and switches the rest off', async () => {
    await on.make('basic')
    await on.make('pro')
    await on.make('free')
    const remove = (name: string) => plans.removePlan(on.deps, ACTOR, on.realm, name)
    await remove('free')
    expect(await refusal(remove('free'))).toBe('not_found')
    await on.set('ann', 'basic')
    expect(await refusal(remove('basic'))).toBe('conflict')
    await on.set('ann', 'pro')
    await on.set('ann', 'basic')
    // Only what comes next, and that counts too.
    expect(await refusal(remove('basic'))).toBe('conflict')
    await on.end('ann')
    expect(await refusal(remove('pro'))).toBe('conflict')
    const off = await plans.changePlan(on.deps, ACTOR, on.realm, 'pro', { isEnabled: false })
    expect(off.isEnabled).toBe(false)
    expect(await refusal(on.set('ben', 'pro'))).toBe('invalid_input plan')
  })
  test('whose plan is switched off goes on with those who have it', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    await plans.changePlan(on.deps, ACTOR, on.realm, 'basic', { isEnabled: false })
    on.at('2026-02-15T10:30:00Z')
    await on.renew()
    expect(on.balance('ann')).toBe(500)
    expect((await on.entitle('ann'))?.planName).toBe('basic')
    expect((await on.set('ann', 'basic')).planName).toBe('basic')
  })
  test('has no default at first, and one that is on', async () => {
    await on.make('free')
    const byDefault = () => plans.defaultPlanOf(on.deps.db, on.realm.id)?.name ?? null
    const set = (name: string | null) => plans.setDefaultPlan(on.deps, ACTOR, on.realm, name)
    const change = (isEnabled: boolean) =>
      plans.changePlan(on.deps, ACTOR, on.realm, 'free', { isEnabled })
    expect(byDefault()).toBeNull()
    expect(await refusal(set('gold'))).toBe('invalid_input plan')
    await change(false)
    expect(await refusal(set('free'))).toBe('invalid_input plan')
    await change(true)
    await set('free')
    expect(byDefault()).toBe('free')
    expect(await refusal(change(false))).toBe('conflict')
    expect(await refusal(plans.removePlan(on.deps, ACTOR, on.realm, 'free'))).toBe('conflict')
    await set(null)
    expect(byDefault()).toBeNull()
    await plans.removePlan(on.deps, ACTOR, on.realm, 'free')
  })
})
