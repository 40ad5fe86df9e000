import { afterEach, expect, test } from 'bun:test'
import { attemptRows, closeStages, run, stage, submit, USER } from '@test/domain/jobs/stage'
import { setStrategy } from '@/domain/apps'
import { createPlan, setDefaultPlan, subscribe } from '@/domain/plans'
import { ACTOR } from './rig'

afterEach(closeStages)

test('the plan of the user decides how a job is routed, before the app does', async () => {
  const on = await stage()
  const strategyOf = async () => {
    const id = await submit(on)
    await run(on)
    const [attempt] = attemptRows(on, id) as { decision?: string | null }[]
    return JSON.parse(attempt?.decision ?? '{}').strategy
  }
  const make = (template: string) => createPlan(on.deps, ACTOR, on.realm, { template, name: null })
  await make('free')
  await make('enterprise')
  await setStrategy(on.deps, ACTOR, on.app.app.slug, 'fastest')
  expect(await strategyOf()).toBe('fastest')
  await setDefaultPlan(on.deps, ACTOR, on.realm, 'free')
  expect(await strategyOf()).toBe('cheapest')
  const order = { periodStart: null, source: 'api', proration: null, when: null }
  await subscribe(on.deps, ACTOR, on.realm, USER, { plan: 'enterprise', ...order })
  expect(await strategyOf()).toBe('best')
})
