import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { closeStages, rows, type Stage, stage } from '@test/domain/jobs/stage'
import { AppError } from '@/base/errors'
import {
  everyRouteOf,
  findEveryModel,
  findModel,
  findRoute,
  listEveryModel,
  routeCounts,
  seed,
  setModel,
  setRoute,
  stateOf,
} from '@/domain/catalog'
import { MODELS, type SeedModel } from '@/domain/catalog/seed/models'
import { setEnabled } from '@/domain/providers'
import { VENDORS } from '@/providers/vendors'

const ACTOR = { kind: 'shell' as const, id: 'test' }
const NAME = 'sold-here'
let on: Stage

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
  await seed(on.deps.db, VENDORS, shipped({}))
})
afterEach(closeStages)

/** A model of the shipped form with routes over two vendors. */
function shipped(change: Partial<SeedModel>): SeedModel[] {
  const like = MODELS.find(({ routes }) => routes.length >= 2)
  if (!like) throw new Error('a model with two routes is shipped')
  return [{ ...like, tokenCost: 5, name: NAME, ...change }]
}

const [FIRST = '', SECOND = ''] = shipped({})[0]?.routes.map(({ provider }) => provider) ?? []

const row = () => {
  const [found] = rows<Record<string, unknown>>(on, 'SELECT * FROM models WHERE name = ?', NAME)
  return found
}

const routeRow = (provider: string) => {
  const [found] = rows<Record<string, unknown>>(
    on,
    `SELECT r.* FROM model_routes r JOIN providers p ON p.id = r.provider_id
     JOIN models m ON m.id = r.model_id WHERE m.name = ? AND p.name = ?`,
    NAME,
    provider,
  )
  return found
}

const audits = () =>
  rows<{ action: string; details: string }>(
    on,
    `SELECT action, details FROM audit_log WHERE action LIKE '%.change' ORDER BY id`,
  ).map(({ action, details }) => [action, JSON.parse(details)])

async function problemOf(act: Promise<unknown>): Promise<unknown> {
  const error = await act.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof AppError)) throw new Error(`no AppError: ${error}`)
  const [problem] = (error.detail.details as { path: string }[] | undefined) ?? []
  return problem?.path ?? error.code
}

describe('a model', () => {
  test('is changed in what is said and in nothing else, seen at once, and written down', async () => {
    const before = row()
    expect(findModel(on.deps, NAME)?.tokenCost).toBe(5)
    on.clock.advance(10)
    await setModel(on.deps, ACTOR, NAME, { tokenCost: 9 })
    expect(row()).toEqual({ ...before, token_cost: 9, updated_at: on.clock.now() })
    expect(findModel(on.deps, NAME)?.tokenCost).toBe(9)
    await setModel(on.deps, ACTOR, NAME, { strategy: 'fastest' })
    await setModel(on.deps, ACTOR, NAME, { isEnabled: false })
    expect(row()).toMatchObject({ token_cost: 9, strategy: 'fastest', is_enabled: 0 })
    expect(findModel(on.deps, NAME)).toBeNull()
    expect(findEveryModel(on.deps.db, NAME)).toMatchObject({ strategy: 'fastest', isEnabled: 0 })
    expect(listEveryModel(on.deps.db).map(({ name }) => name)).toContain(NAME)
    await setModel(on.deps, ACTOR, NAME, { strategy: null, isEnabled: true })
    expect(row()).toEqual({ ...before, token_cost: 9, updated_at: on.clock.now() })
    expect(audits()).toEqual([
      ['model.change', { name: NAME, tokenCost: 9 }],
      ['model.change', { name: NAME, strategy: 'fastest' }],
      ['model.change', { name: NAME, isEnabled: false }],
      ['model.change', { name: NAME, strategy: null, isEnabled: true }],
    ])
  })

  test('keeps what an operator said over any later seed', async () => {
    await setModel(on.deps, ACTOR, NAME, { strategy: 'best', isEnabled: false })
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 6 }))
    // Whoever changed no column of the seed still gets its news.
    expect(row()).toMatchObject({ token_cost: 6, strategy: 'best', is_enabled: 0 })
    await setModel(on.deps, ACTOR, NAME, { tokenCost: 40 })
    await seed(on.deps.db, VENDORS, shipped({ tokenCost: 7 }))
    expect(row()).toMatchObject({ token_cost: 40, strategy: 'best', is_enabled: 0 })
  })

  test('that is not there, or a price that is none, is refused', async () => {
    const set = (name: string, tokenCost: number) =>
      problemOf(setModel(on.deps, ACTOR, name, { tokenCost }))
    expect(await set('nothing', 1)).toBe('model_not_found')
    for (const bad of [-1, 0.5, 1_000_001, Number.NaN])
      expect(await set(NAME, bad)).toBe('token_cost')
    expect(row()).toMatchObject({ token_cost: 5 })
    expect(audits()).toEqual([])
  })
})

describe('a route', () => {
  const set = (provider: string, change: Parameters<typeof setRoute>[3], model = NAME) =>
    setRoute(on.deps, ACTOR, { model, provider }, change)

  test('is changed in what is said and in nothing else, and written down', async () => {
    const [before, other] = [routeRow(SECOND), routeRow(FIRST)]
    on.clock.advance(10)
    await set(SECOND, { priority: 0, maxConcurrent: 3, quality: 80 })
    const changed = { ...before, priority: 0, max_concurrent: 3, quality: 80 }
    expect(routeRow(SECOND)).toEqual({ ...changed, updated_at: on.clock.now() })
    await set(SECOND, { maxConcurrent: null, quality: null, isEnabled: false })
    expect(routeRow(SECOND)).toMatchObject({
      priority: 0,
      max_concurrent: null,
      quality: null,
      is_enabled: 0,
    })
    expect(routeRow(FIRST)).toEqual(other)
    expect(audits()).toEqual([
      [
        'route.change',
        { model: NAME, provider: SECOND, priority: 0, maxConcurrent: 3, quality: 80 },
      ],
      [
        'route.change',
        { model: NAME, provider: SECOND, maxConcurrent: null, quality: null, isEnabled: false },
      ],
    ])
  })

  test('keeps what an operator said over any later seed', async () => {
    await set(SECOND, { priority: 0 })
    await set(FIRST, { isEnabled: false })
    const cheaper = shipped({}).map(model => ({
      ...model,
      routes: model.routes.map(route => ({ ...route, providerModel: 'renamed' })),
    }))
    await seed(on.deps.db, VENDORS, cheaper)
    expect(routeRow(SECOND)).toMatchObject({ priority: 0, is_enabled: 1 })
    expect(routeRow(SECOND)?.provider_model).not.toBe('renamed')
    // Switching off is no column of the seed: the rest still follows.
    expect(routeRow(FIRST)).toMatchObject({ provider_model: 'renamed', is_enabled: 0 })
  })

  test('that a seed left out and an operator switched off does not come back with the next', async () => {
    const without = shipped({}).map(model => ({
      ...model,
      routes: model.routes.filter(({ provider }) => provider !== SECOND),
    }))
    await seed(on.deps.db, VENDORS, without)
    expect(routeRow(SECOND)?.is_enabled).toBe(0)
    await seed(on.deps.db, VENDORS, shipped({}))
    expect(routeRow(SECOND)?.is_enabled).toBe(1)
    await seed(on.deps.db, VENDORS, without)
    await set(SECOND, { isEnabled: false })
    await seed(on.deps.db, VENDORS, shipped({}))
    expect(routeRow(SECOND)?.is_enabled).toBe(0)
    // And one that an operator wants in spite of the seed stays.
    await seed(on.deps.db, VENDORS, without)
    await set(SECOND, { isEnabled: true })
    await seed(on.deps.db, VENDORS, without)
    expect(routeRow(SECOND)?.is_enabled).toBe(1)
  })

  test('that is not there, or a number out of bounds, is refused', async () => {
    expect(await problemOf(set(FIRST, { priority: 1 }, 'nothing'))).toBe('model_not_found')
    expect(await problemOf(set('sandbox', { priority: 1 }))).toBe('not_found')
    expect(await problemOf(set('nobody', { priority: 1 }))).toBe('not_found')
    for (const change of [{ priority: -1 }, { priority: 1.5 }, { priority: 1_001 }]) {
      expect(await problemOf(set(FIRST, change))).toBe('priority')
    }
    for (const maxConcurrent of [0, -1, 10_001]) {
      expect(await problemOf(set(FIRST, { maxConcurrent }))).toBe('max_concurrent')
    }
    for (const quality of [-1, 101, 0.5]) {
      expect(await problemOf(set(FIRST, { quality }))).toBe('quality')
    }
    expect(audits()).toEqual([])
  })

  test('counts for its vendor while it is switched on', async () => {
    const id = rows<{ id: number }>(on, 'SELECT id FROM providers WHERE name = ?', FIRST)[0]?.id
    const count = () => routeCounts(on.deps.db).get(id as never) ?? 0
    const before = count()
    await set(FIRST, { isEnabled: false })
    expect(count()).toBe(before - 1)
  })

  test('says why nobody goes there now', async () => {
    const model = findEveryModel(on.deps.db, 'stage-picture')
    if (!model) throw new Error('the stage has a model')
    const state = () => {
      const [route] = everyRouteOf(on.deps.db, model.id)
      if (!route) throw new Error('it has a route')
      return stateOf(on.deps, route).state
    }
    const change = (sql: string, ...params: (string | number)[]) => {
      on.deps.db.sqlite.run(sql, params)
      on.deps.cache.clear()
    }
    expect(state()).toBe('ready')
    change(`UPDATE providers SET health = 'down' WHERE name = 'fake'`)
    expect(state()).toBe('down')
    change(
      `INSERT INTO route_metrics (route_id, samples, success, failures, rests, resting_until, updated_at)
       SELECT id, 5, 0.5, 5, 1, ?, 0 FROM model_routes WHERE model_id = ?`,
      on.clock.now() + 1,
      model.id,
    )
    expect(state()).toBe('resting')
    on.clock.advance(1)
    expect(state()).toBe('down')
    await setEnabled(on.deps, ACTOR, 'fake', false)
    expect(state()).toBe('paused')
    await setRoute(on.deps, ACTOR, { model: model.name, provider: 'fake' }, { isEnabled: false })
    expect(state()).toBe('off')

    const keyless = findEveryModel(on.deps.db, NAME)
    const route = keyless && findRoute(on.deps.db, keyless.id, FIRST)
    if (!route) throw new Error('a shipped model has a route')
    expect(stateOf(on.deps, route)).toEqual({ state: 'no_key', metrics: null })
    expect(stateOf(on.deps, { ...route, provider: 'unheard-of' }).state).toBe('no_adapter')
  })
})
