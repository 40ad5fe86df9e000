import { afterEach, expect, test } from 'bun:test'
import { closeStages, rows, stage } from '@test/domain/jobs/stage'
import { testApp } from '@test/support/test-hub'
import { setStrategy } from '@/domain/apps'
import { listModels } from '@/domain/catalog'
import { strategyFor } from '@/domain/routing'

afterEach(closeStages)

const ACTOR = { kind: 'shell' as const, id: 'test' }

test('the strategy of an app holds for its own jobs at once, and is written down', async () => {
  const on = await stage({ hub: { isRunning: false } })
  const other = await testApp(on.deps)
  const [model] = listModels(on.deps)
  if (!model) throw new Error('something is sold')
  const strategies = () =>
    [on.realm, other.realms.live].map(realm =>
      strategyFor(on.deps, { modelId: model.id, realmId: realm.id }),
    )
  expect(strategies()).toEqual(['priority', 'priority'])
  await setStrategy(on.deps, ACTOR, on.app.app.slug, 'cheapest')
  expect(strategies()).toEqual(['cheapest', 'priority'])
  await setStrategy(on.deps, ACTOR, on.app.app.slug, null)
  expect(strategies()).toEqual(['priority', 'priority'])
  expect(
    rows<{ details: string }>(
      on,
      `SELECT details FROM audit_log WHERE action = 'app.set_strategy' ORDER BY id`,
    ).map(({ details }) => JSON.parse(details).strategy),
  ).toEqual(['cheapest', null])
  const missing = await setStrategy(on.deps, ACTOR, 'nowhere', 'best').catch(error => error.code)
  expect(missing).toBe('not_found')
})
