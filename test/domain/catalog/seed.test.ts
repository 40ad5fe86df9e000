import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { closeStages, rows, type Stage, stage } from '@test/domain/jobs/stage'
import { formatId } from '@/base/ids'
import { findModel, listModels, seed } from '@/domain/catalog'
import { MODELS, type SeedModel } from '@/domain/catalog/seed/models'
import { VENDORS } from '@/providers/vendors'

let on: Stage

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
  await seed(on.deps.db, VENDORS, OURS)
})
afterEach(closeStages)

const ONE = 'seeded-one'
const TWO = 'seeded-two'
const NAMES = [ONE, TWO, 'seeded-three', 'seeded-four']

/** Models like a shipped one, under names and prices of our own. */
function shipped(change: Partial<SeedModel>): SeedModel[] {
  const [like] = MODELS
  if (!like) throw new Error('something is shipped')
  return NAMES.map(name => ({ ...like, ...change, name }))
}

const OURS = shipped({ tokenCost: 10, description: 'old words' })

type Row = {
  name: string
  token_cost: number
  description: string
  is_enabled: number
  updated_at: number
}

const all = () => rows<Row>(on, `SELECT * FROM models WHERE name LIKE 'seeded-%' ORDER BY id`)
const named = (name: string) => all().find(row => row.name === name)
const everything = () =>
  ['models', 'providers', 'model_routes'].map(table => rows(on, `SELECT * FROM ${table}`))

describe('seeding', () => {
  test('again and again changes nothing', async () => {
    const before = everything()
    for (let times = 0; times < 3; times++) {
      on.clock.advance(1_000)
      await seed(on.deps.db, VENDORS)
      await seed(on.deps.db, VENDORS, OURS)
    }
    expect(everything()).toEqual(before)
    expect(all().map(row => row.name)).toEqual(NAMES)
  })

  test('with another price: untouched rows follow, an operator’s row stays', async () => {
    on.deps.db.sqlite.run('UPDATE models SET token_cost = 99 WHERE name = ?', [ONE])
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 50, description: 'new words' }))
    expect(named(ONE)).toMatchObject({ token_cost: 99, description: 'old words' })
    expect(named(TWO)).toMatchObject({ token_cost: 50, description: 'new words' })
    expect(all().filter(row => row.token_cost === 50).length).toBe(NAMES.length - 1)
  })

  test('with a second other price: rows that followed once follow again', async () => {
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 50 }))
    on.deps.db.sqlite.run(`UPDATE models SET description = 'mine' WHERE name = ?`, [TWO])
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 60 }))
    expect(named(ONE)?.token_cost).toBe(60)
    expect(named(TWO)).toMatchObject({ token_cost: 50, description: 'mine' })
  })

  test.each([
    ['display_name', `'Mine'`],
    ['description', `'mine'`],
    ['token_cost', '77'],
    ['max_input_images', '9'],
    ['supports_prompt', '1 - supports_prompt'],
    ['aspect_ratios', `'["7:5"]'`],
    ['input_schema', `'{"type":"object","properties":{}}'`],
    ['family', `'mine'`],
  ])('leaves a row alone whose %s an operator changed', async (column, value) => {
    on.deps.db.sqlite.run(`UPDATE models SET ${column} = ${value} WHERE name = ?`, [ONE])
    const before = named(ONE)
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 50, description: 'new words' }))
    expect<unknown>(named(ONE)).toEqual(before)
  })

  test('never switches a model on again that an operator switched off, though it follows', async () => {
    on.deps.db.sqlite.run('UPDATE models SET is_enabled = 0 WHERE name = ?', [TWO])
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 50 }))
    expect(named(TWO)).toMatchObject({ is_enabled: 0, token_cost: 50 })
  })

  test('brings new models beside the old ones, and takes none away', async () => {
    const [like] = OURS
    if (!like) throw new Error('no model')
    const before = everything()[0]?.length ?? 0
    await seed(on.deps.db, VENDORS, [{ ...like, name: 'brand-new' }])
    expect(everything()[0]?.length).toBe(before + 1)
    expect(findModel(on.deps, 'brand-new')?.tokenCost).toBe(10)
  })

  test('makes a changed row newer, so that what was cached of it is not used', async () => {
    const before = named(TWO)?.updated_at ?? 0
    on.clock.advance(1_000)
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 50 }))
    expect(named(TWO)?.updated_at).toBeGreaterThan(before)
  })
})

describe('finding', () => {
  test('works by name and by public id', () => {
    const model = findModel(on.deps, ONE)
    expect(model?.name).toBe(ONE)
    expect(findModel(on.deps, formatId('model', model?.id ?? 0))).toEqual(model)
  })

  test('knows nothing of what is switched off or never was', () => {
    const before = listModels(on.deps).length
    on.deps.db.sqlite.run('UPDATE models SET is_enabled = 0 WHERE name = ?', [TWO])
    on.deps.cache.clear()
    for (const name of [TWO, ONE.toUpperCase(), '', 'mdl_00000000000', '__proto__']) {
      expect([name, findModel(on.deps, name)]).toEqual([name, null])
    }
    expect(listModels(on.deps).length).toBe(before - 1)
  })
})
