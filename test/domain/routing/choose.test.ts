import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { closeStages, MODEL, type Stage, stage } from '@test/domain/jobs/stage'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute } from '@test/support/test-hub'
import { findModel } from '@/domain/catalog'
import { canServe, choose, type Tried } from '@/domain/routing'
import type { ProviderErrorKind } from '@/providers/errors'

let on: Stage

beforeEach(async () => {
  const providers = ['first', 'second', 'third'].map(name => fakeProvider({ name }))
  on = await stage({ providers, hub: { isRunning: false } })
})
afterEach(closeStages)

function request(tried: Tried[] = [], mode: 'live' | 'test' = 'live') {
  const model = findModel(on.deps, MODEL)
  if (!model) throw new Error('no model')
  return { mode, modelId: model.id, modelName: model.name, tried }
}

const chosen = (tried: Tried[] = [], mode: 'live' | 'test' = 'live') =>
  choose(on.deps, request(tried, mode))?.provider ?? null

const tries = (...list: [string, ProviderErrorKind | null][]): Tried[] =>
  list.map(([provider, errorKind]) => ({ provider, errorKind }))

describe('a live job', () => {
  test('goes to the route of the best priority', () => {
    expect(chosen()).toBe('first')
    on.deps.db.sqlite.run(`UPDATE model_routes SET priority = 0 WHERE provider_id =
      (SELECT id FROM providers WHERE name = 'third')`)
    expect(chosen()).toBe('third')
  })

  test('goes on to whoever was tried least, and then by priority', () => {
    expect(chosen(tries(['first', 'unavailable']))).toBe('second')
    expect(chosen(tries(['first', 'unavailable'], ['second', 'rate_limited']))).toBe('third')
    const all = tries(['first', 'unavailable'], ['second', 'unavailable'], ['third', 'unavailable'])
    expect(chosen(all)).toBe('first')
    expect(chosen([...all, ...tries(['first', 'unavailable'])])).toBe('second')
  })

  test('never goes back to a vendor that gave its final no', () => {
    expect(chosen(tries(['first', 'rejected']))).toBe('second')
    const all = tries(['first', 'rejected'], ['second', 'rejected'], ['third', 'rejected'])
    expect(chosen(all)).toBeNull()
  })

  test('never runs on the sandbox, whatever the routes say', async () => {
    await addRoute(on.deps, { model: MODEL, provider: 'sandbox', priority: 0 })
    expect(chosen()).toBe('first')
    on.deps.db.sqlite.run(`UPDATE providers SET is_enabled = 0 WHERE name <> 'sandbox'`)
    expect(chosen()).toBeNull()
    expect(canServe(on.deps, request())).toBe(false)
  })

  test.each([
    ['route', `UPDATE model_routes SET is_enabled = 0 WHERE priority = 1`],
    ['provider', `UPDATE providers SET is_enabled = 0 WHERE name = 'first'`],
  ])('does not use a %s that is switched off', (_, sql) => {
    on.deps.db.sqlite.run(sql)
    expect(chosen()).toBe('second')
  })

  test('does not use a provider that this process does not have', async () => {
    await addRoute(on.deps, { model: MODEL, provider: 'not-configured', priority: 0 })
    expect(chosen()).toBe('first')
  })

  test('has nobody when its model has no route', () => {
    on.deps.db.sqlite.run('DELETE FROM model_routes')
    expect(chosen()).toBeNull()
    expect(canServe(on.deps, request())).toBe(false)
  })

  test('asks for the model by the vendor’s own name', () => {
    on.deps.db.sqlite.run(
      `UPDATE model_routes SET provider_model = 'vendor/flux' WHERE priority = 1`,
    )
    expect(choose(on.deps, request())?.providerModel).toBe('vendor/flux')
  })

  test('says why, and what was tried before', () => {
    expect(choose(on.deps, request())?.reason).toBe('priority 1 of the routes that can serve it')
    const after = choose(
      on.deps,
      request(tries(['first', 'unavailable'], ['first', 'unavailable'])),
    )
    expect(after?.reason).toBe(
      'priority 2 of the routes that can serve it; before: first unavailable',
    )
  })
})

describe('a test job', () => {
  test('runs on the sandbox, with no route at all', () => {
    on.deps.db.sqlite.run('DELETE FROM model_routes')
    expect(chosen([], 'test')).toBe('sandbox')
    expect(canServe(on.deps, request([], 'test'))).toBe(true)
  })

  test('runs there again after it was unavailable, and not after a final no', () => {
    expect(chosen(tries(['sandbox', 'unavailable']), 'test')).toBe('sandbox')
    expect(chosen(tries(['sandbox', 'rejected']), 'test')).toBeNull()
  })
})
