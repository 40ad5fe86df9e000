import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { closeStages, MODEL, rows, type Stage, stage } from '@test/domain/jobs/stage'
import { fakeProvider } from '@test/support/fake-provider'
import { addRoute } from '@test/support/test-hub'
import type { AttemptId, JobId, RouteId } from '@/base/ids'
import { write } from '@/db/write'
import { findModel } from '@/domain/catalog'
import {
  canServe,
  choose,
  Decision,
  readMetrics,
  recordOutcome,
  strategyFor,
  type Tried,
  WEIGHTS,
  whyNotServed,
} from '@/domain/routing'
import { saveSetting } from '@/domain/settings'
import type { Provider } from '@/providers/spec'
import { tried } from './candidates'

let on: Stage

beforeEach(async () => {
  const providers = ['first', 'second', 'third'].map(name => fakeProvider({ name }))
  on = await stage({ providers, hub: { isRunning: false } })
})
afterEach(closeStages)

function request(change: { tried?: Tried[]; mode?: 'live' | 'test'; seconds?: number } = {}) {
  const model = findModel(on.deps, MODEL)
  if (!model) throw new Error('no model')
  return {
    id: 1 as JobId,
    realmId: on.realm.id,
    mode: 'live' as const,
    modelId: model.id,
    modelName: model.name,
    seconds: null,
    tried: [],
    ...change,
  }
}

const decided = (change: Parameters<typeof request>[0] = {}) =>
  write(on.deps.db, tx => choose(on.deps, request(change), tx))

async function chosen(change: Parameters<typeof request>[0] = {}) {
  const answer = await decided(change)
  return answer.act === 'serve' ? answer.choice.provider : answer.act
}

function change(sql: string, ...params: (string | number | null)[]) {
  on.deps.db.sqlite.run(sql, params)
  on.deps.cache.clear()
}

/** Of a column of each route in turn, in the order of their priority. */
function eachRoute(column: string, ...values: (string | number)[]) {
  for (const [index, value] of values.entries()) {
    change(`UPDATE model_routes SET ${column} = ? WHERE priority = ?`, value, index + 1)
  }
}

const routeOf = (provider: string) => {
  const [route] = rows<{ id: RouteId }>(
    on,
    `SELECT id FROM model_routes WHERE model_id = ? AND provider_id = (SELECT id FROM providers WHERE name = ?)`,
    request().modelId,
    provider,
  )
  if (!route) throw new Error('no such route')
  return route.id
}

describe('a live job', () => {
  test('goes to the route of the best priority, by the vendor’s own name of the model', async () => {
    expect(await chosen()).toBe('first')
    change(`UPDATE model_routes SET priority = 0, provider_model = 'vendor/flux'
      WHERE provider_id = (SELECT id FROM providers WHERE name = 'third')`)
    expect(await decided()).toMatchObject({
      act: 'serve',
      choice: {
        provider: 'third',
        providerModel: 'vendor/flux',
        routeId: routeOf('third'),
        reason: 'chose third: first by priority',
      },
    })
  })

  test('never runs on the sandbox, whatever the routes say', async () => {
    await addRoute(on.deps, { model: MODEL, provider: 'sandbox', priority: 0 })
    on.deps.cache.clear()
    expect(await chosen()).toBe('first')
    change(`UPDATE providers SET is_enabled = 0 WHERE name <> 'sandbox'`)
    expect(await chosen()).toBe('none')
    expect(canServe(on.deps, request())).toBe(false)
    expect(whyNotServed(on.deps, request().modelId)).toBe(
      'it would be served by first, second, third: set up a key, or switch one on',
    )
  })

  test.each([
    ['route', `UPDATE model_routes SET is_enabled = 0 WHERE priority = 1`],
    ['provider', `UPDATE providers SET is_enabled = 0 WHERE name = 'first'`],
  ])('does not use a %s that is switched off, nor names it', async (_, sql) => {
    change(sql)
    const answer = await decided()
    expect(answer).toMatchObject({ choice: { provider: 'second' } })
    expect(JSON.stringify(answer)).not.toContain('first"')
  })

  test.each(['{"of a later version": 1}', '{"cost":', 'null'])(
    'leaves out one route whose config cannot be read, and says so: %s',
    async config => {
      eachRoute('config', config)
      expect(await chosen()).toBe('second')
      expect(canServe(on.deps, request())).toBe(true)
      expect(on.hub.log.lines().filter(({ level }) => level === 'error')).toMatchObject([
        { message: 'a route cannot be read and is left out', route: routeOf('first') },
      ])
    },
  )

  test('does not use a provider that this process does not have', async () => {
    await addRoute(on.deps, { model: MODEL, provider: 'not-here', priority: 0 })
    on.deps.cache.clear()
    expect(await chosen()).toBe('first')
  })

  test('does not use a vendor without a key, and does once there is one', async () => {
    const first = on.deps.providers.get('first') as Provider
    Reflect.deleteProperty(first, 'isKeyless')
    change(`UPDATE providers SET api_key_env_var = 'FIRST_KEY' WHERE name = 'first'`)
    expect(await chosen()).toBe('second')
    Object.assign(on.deps.config, { providerKeys: { FIRST_KEY: 'key' } })
    expect(await chosen()).toBe('first')
  })

  test('has nobody when its model has no route', async () => {
    change('DELETE FROM model_routes')
    expect(await chosen()).toBe('none')
    expect(canServe(on.deps, request())).toBe(false)
    expect(whyNotServed(on.deps, request().modelId)).toBe('no provider serves this model')
  })

  test('goes on to whoever was tried least', async () => {
    expect(await chosen({ tried: [tried(routeOf('first'))] })).toBe('second')
    const all = ['first', 'second', 'third'].map(name => tried(routeOf(name)))
    expect(await chosen({ tried: all })).toBe('first')
    const done = all.map(each => ({ ...each, isPermanent: true }))
    expect(await chosen({ tried: done })).toBe('none')
  })

  test('asks a vendor last whose checks fail, and knows it the moment they do', async () => {
    change(`UPDATE providers SET health = 'down' WHERE name = 'first'`)
    expect(await chosen()).toBe('second')
    change(`UPDATE providers SET health = 'degraded' WHERE name = 'first'`)
    expect(await chosen()).toBe('first')
    change(`UPDATE providers SET health = 'down'`)
    expect(await chosen()).toBe('first')
  })

  test('is told what was weighed, in a record that reads as what it is', async () => {
    eachRoute('quality', 90, 10)
    eachRoute('config', '{"cost":{"per_output":30}}', '{"cost":{"per_second":7,"per_call":1}}')
    const answer = await decided({ seconds: 5 })
    if (answer.act !== 'serve') throw new Error('nobody')
    const decision = Decision.parse(JSON.parse(JSON.stringify(answer.choice.decision)))
    expect(
      decision.considered.map(({ provider, verdict, quality, costMicroUsd }) => [
        provider,
        verdict,
        quality,
        costMicroUsd,
      ]),
    ).toEqual([
      ['first', 'chosen', 90, 30],
      ['second', 'ready', 10, 36],
      ['third', 'ready', 50, null],
    ])
  })

  test('goes by what was learnt of the routes, which a restart does not forget', async () => {
    eachRoute('config', '{"cost":{"per_output":10}}', '{"cost":{"per_output":20}}')
    change(`UPDATE models SET strategy = 'cheapest' WHERE name = '${MODEL}'`)
    expect(await chosen()).toBe('first')
    const outcome = { kind: 'succeeded' as const, latencyMs: 900, costMicroUsd: 500 }
    await write(on.deps.db, tx => recordOutcome(tx, routeOf('first'), 7 as AttemptId, outcome))
    expect(await chosen()).toBe('second')
    expect(readMetrics(on.deps.db, routeOf('first'))).toMatchObject({
      samples: 1,
      success: 1,
      latencyMs: 900,
      costMicroUsd: 500,
    })
    expect(readMetrics(on.deps.db, routeOf('second'))).toBeNull()
  })
})

describe('the strategy', () => {
  const strategy = () => strategyFor(on.deps, request())

  test('is the model’s own, else the app’s, else by priority', () => {
    expect(strategy()).toBe('priority')
    change(`UPDATE apps SET strategy = 'fastest'`)
    expect(strategy()).toBe('fastest')
    change(`UPDATE models SET strategy = 'best' WHERE name = '${MODEL}'`)
    expect(strategy()).toBe('best')
    change('UPDATE apps SET strategy = NULL')
    expect(strategy()).toBe('best')
    change('UPDATE models SET strategy = NULL')
    expect(strategy()).toBe('priority')
  })

  test('is the model’s own, else that of the user’s plan, else the app’s', () => {
    const withPlan = () => strategyFor(on.deps, { ...request(), planStrategy: 'cheapest' })
    expect(withPlan()).toBe('cheapest')
    change(`UPDATE apps SET strategy = 'fastest'`)
    expect([withPlan(), strategy()]).toEqual(['cheapest', 'fastest'])
    change(`UPDATE models SET strategy = 'best' WHERE name = '${MODEL}'`)
    expect([withPlan(), strategy()]).toEqual(['best', 'best'])
  })

  test('of another app or another model changes nothing here', () => {
    change(`UPDATE models SET strategy = 'best' WHERE name <> '${MODEL}'`)
    change(`UPDATE apps SET strategy = 'best' WHERE slug <> '${on.app.app.slug}'`)
    expect(strategy()).toBe('priority')
  })

  test('that nobody knows is by priority', () => {
    change(`UPDATE models SET strategy = 'of a later version' WHERE name = '${MODEL}'`)
    expect(strategy()).toBe('priority')
  })

  test('decides', async () => {
    eachRoute('config', '{"cost":{"per_output":90}}', '{"cost":{"per_output":20}}')
    expect(await chosen()).toBe('first')
    change(`UPDATE apps SET strategy = 'cheapest'`)
    expect(await decided()).toMatchObject({
      choice: { provider: 'second', reason: 'chose second: first by cheapest' },
    })
    eachRoute('quality', 10, 20, 90)
    change(`UPDATE models SET strategy = 'best'`)
    expect(await chosen()).toBe('third')
  })

  test('weighs by the setting of the operator, and by the usual when that cannot be read', async () => {
    eachRoute('quality', 10, 20, 90)
    eachRoute('config', '{"cost":{"per_output":90}}', '{"cost":{"per_output":1}}')
    change(`UPDATE models SET strategy = 'best'`)
    expect(await chosen()).toBe('third')
    const best = { cost: 9, speed: 0, reliability: 0, quality: 0 }
    await write(on.deps.db, tx => saveSetting(tx, WEIGHTS, { ...WEIGHTS.usual, best }))
    on.deps.cache.clear()
    expect(await chosen()).toBe('second')
    change(`UPDATE settings SET value = '{"best": {"cost": -1}}' WHERE name = 'routing.weights'`)
    expect(await chosen()).toBe('third')
    await write(on.deps.db, tx => saveSetting(tx, WEIGHTS, { ...WEIGHTS.usual, best }))
    await write(on.deps.db, tx => saveSetting(tx, WEIGHTS, null))
    on.deps.cache.clear()
    expect(await chosen()).toBe('third')
  })
})

describe('a test job', () => {
  test('runs on the sandbox, with no route at all', async () => {
    change('DELETE FROM model_routes')
    expect(await decided({ mode: 'test' })).toEqual({
      act: 'serve',
      choice: {
        routeId: null,
        provider: 'sandbox',
        providerModel: MODEL,
        reason: 'test keys run on the sandbox',
        decision: null,
      },
    })
    expect(canServe(on.deps, { ...request(), mode: 'test' })).toBe(true)
  })

  test('runs there again after its pause, and not after a final no', async () => {
    const mode = 'test'
    const now = on.clock.now()
    expect(await chosen({ mode, tried: [tried(null, { retryAt: now })] })).toBe('sandbox')
    expect(await decided({ mode, tried: [tried(null, { retryAt: now + 5 })] })).toMatchObject({
      act: 'wait',
      until: now + 5,
      full: [],
    })
    expect(await chosen({ mode, tried: [tried(null, { isPermanent: true })] })).toBe('none')
  })
})
