import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { closeStages, rows, type Stage, stage } from '@test/domain/jobs/stage'
import { formatId } from '@/base/ids'
import { findModel, listModels, seed } from '@/domain/catalog'
import { MODELS, type SeedModel } from '@/domain/catalog/seed/models'

let on: Stage

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
})
afterEach(closeStages)

const all = () => rows(on, 'SELECT * FROM models ORDER BY id')
const named = (name: string) =>
  rows<{ token_cost: number; description: string; is_enabled: number; updated_at: number }>(
    on,
    'SELECT * FROM models WHERE name = ?',
    name,
  )[0]

const changed = (change: Partial<SeedModel>): SeedModel[] =>
  MODELS.map(model => ({ ...model, ...change, name: model.name }))

describe('seeding', () => {
  test('again and again changes nothing', async () => {
    const before = [all(), rows(on, 'SELECT * FROM providers')]
    for (let times = 0; times < 3; times++) {
      on.clock.advance(1_000)
      await seed(on.deps.db)
    }
    expect([all(), rows(on, 'SELECT * FROM providers')]).toEqual(before)
    expect(all().length).toBe(MODELS.length)
  })

  test('with another price: untouched rows follow, an operator’s row stays', async () => {
    on.deps.db.sqlite.run(`UPDATE models SET token_cost = 99 WHERE name = 'flux-dev'`)
    await seed(on.deps.db, changed({ tokenCost: 50, description: 'new words' }))
    expect(named('flux-dev')).toMatchObject({
      token_cost: 99,
      description: 'Detailed pictures from text.',
    })
    expect(named('sdxl')).toMatchObject({ token_cost: 50, description: 'new words' })
    expect(all().filter(row => row.token_cost === 50).length).toBe(MODELS.length - 1)
  })

  test('with a second other price: rows that followed once follow again', async () => {
    await seed(on.deps.db, changed({ tokenCost: 50 }))
    on.deps.db.sqlite.run(`UPDATE models SET description = 'mine' WHERE name = 'sdxl'`)
    await seed(on.deps.db, changed({ tokenCost: 60 }))
    expect(named('flux-dev')?.token_cost).toBe(60)
    expect(named('sdxl')).toMatchObject({ token_cost: 50, description: 'mine' })
  })

  test.each([
    ['display_name', `'Mine'`],
    ['description', `'mine'`],
    ['token_cost', '77'],
    ['max_input_images', '9'],
    ['supports_prompt', '0'],
    ['aspect_ratios', `'["1:1"]'`],
    ['input_schema', `'{"type":"object","properties":{}}'`],
    ['family', `'mine'`],
  ])('leaves a row alone whose %s an operator changed', async (column, value) => {
    on.deps.db.sqlite.run(`UPDATE models SET ${column} = ${value} WHERE name = 'recraft-v3'`)
    const before = named('recraft-v3')
    await seed(on.deps.db, changed({ tokenCost: 50, description: 'new words' }))
    expect(named('recraft-v3')).toEqual(before as never)
  })

  test('never switches a model on again that an operator switched off, though it follows', async () => {
    on.deps.db.sqlite.run(`UPDATE models SET is_enabled = 0 WHERE name = 'sdxl'`)
    await seed(on.deps.db, changed({ tokenCost: 50 }))
    expect(named('sdxl')).toMatchObject({ is_enabled: 0, token_cost: 50 })
  })

  test('brings new models beside the old ones, and takes none away', async () => {
    const [first] = MODELS
    if (!first) throw new Error('no models')
    await seed(on.deps.db, [{ ...first, name: 'brand-new' }])
    expect(all().length).toBe(MODELS.length + 1)
    expect(findModel(on.deps, 'brand-new')?.tokenCost).toBe(first.tokenCost)
  })

  test('makes a changed row newer, so that what was cached of it is not used', async () => {
    const before = named('sdxl')?.updated_at ?? 0
    on.clock.advance(1_000)
    await seed(on.deps.db, changed({ tokenCost: 50 }))
    expect(named('sdxl')?.updated_at).toBeGreaterThan(before)
  })
})

describe('finding', () => {
  test('works by name and by public id', () => {
    const model = findModel(on.deps, 'flux-dev')
    expect(model?.name).toBe('flux-dev')
    expect(findModel(on.deps, formatId('model', model?.id ?? 0))).toEqual(model)
  })

  test('knows nothing of what is switched off or never was', () => {
    on.deps.db.sqlite.run(`UPDATE models SET is_enabled = 0 WHERE name = 'sdxl'`)
    for (const name of ['sdxl', 'FLUX-DEV', '', 'mdl_00000000000', '__proto__']) {
      expect([name, findModel(on.deps, name)]).toEqual([name, null])
    }
    expect(listModels(on.deps).length).toBe(MODELS.length - 1)
  })
})
