import { afterEach, expect, test } from 'bun:test'
import { setConfig } from '@test/domain/generation/priced'
import { closeStages, MODEL, type Stage, stage } from '@test/domain/jobs/stage'
import { fakeProvider } from '@test/support/fake-provider'
import { write } from '@/db/write'
import { findModel } from '@/domain/catalog'
import { UNKNOWN_COST, worstCostOf } from '@/domain/routing'
import { saveSetting } from '@/domain/settings'

afterEach(closeStages)

async function vendors(...costs: (number | null)[]): Promise<Stage> {
  const providers = costs.map((_, index) => fakeProvider({ name: `vendor-${index}` }))
  const on = await stage({ providers, hub: { isRunning: false } })
  for (const [index, per_output] of costs.entries()) {
    setConfig(on, `vendor-${index}`, per_output === null ? {} : { cost: { per_output } })
  }
  return on
}

function worst(on: Stage, outputs = 1, seconds: number | null = null): number {
  const model = findModel(on.deps, MODEL)
  if (!model) throw new Error('the stage has a model')
  return worstCostOf(on.deps, model.id, { outputs, seconds })
}

test('it is the dearest of those that could serve', async () => {
  const on = await vendors(100, 900, 500)
  expect(worst(on)).toBe(900)
  expect(worst(on, 3)).toBe(2_700)
  on.deps.db.sqlite.run(`UPDATE providers SET is_enabled = 0 WHERE name = 'vendor-1'`)
  on.deps.cache.clear()
  expect(worst(on)).toBe(500)
})

test('a vendor without rates is taken to be as dear as the dearest other one, in use or not', async () => {
  const on = await vendors(100, null, 700)
  on.deps.db.sqlite.run(`UPDATE providers SET is_enabled = 0 WHERE name = 'vendor-2'`)
  on.deps.cache.clear()
  expect(worst(on)).toBe(700)
})

test('where nobody has rates it is what the setting says', async () => {
  const on = await vendors(null, null)
  expect(worst(on)).toBe(100_000)
  await write(on.deps.db, tx => saveSetting(tx, UNKNOWN_COST, 42))
  on.deps.cache.clear()
  expect(worst(on)).toBe(42)
})

test('a rate by the second is unknown without a length', async () => {
  const on = await vendors(null)
  setConfig(on, 'vendor-0', { cost: { per_second: 1_000 } })
  expect(worst(on, 1, 8)).toBe(8_000)
  expect(worst(on)).toBe(100_000)
})

test('what is free costs nothing', async () => {
  const on = await vendors(0)
  expect(worst(on)).toBe(0)
})
