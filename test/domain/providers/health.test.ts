import { afterEach, describe, expect, test } from 'bun:test'
import { databaseBytes } from '@test/domain/jobs/stage'
import { fakeClock } from '@test/support/fake-clock'
import { fakeProvider } from '@test/support/fake-provider'
import type { TestHub } from '@test/support/test-hub'
import { MINUTE } from '@/base/clock'
import { write } from '@/db/write'
import {
  type CheckOutcome,
  checkEach,
  checkProvider,
  findProvider,
  healthOf,
  recordCheck,
  setEnabled,
  setKey,
  watch,
} from '@/domain/providers'
import { ProviderError } from '@/providers/errors'
import { enqueue } from '@/queue/enqueue'
import { closeHubs, healthRow, hubWith, vendorNamed } from './vendors'

afterEach(closeHubs)

const ACTOR = { kind: 'shell' as const, id: 'test' }
const KEY = 'words/that+nobody=would~guess'
const never = () => new AbortController().signal

async function found(hub: TestHub, name: string, outcome: CheckOutcome) {
  const ofUpdate = findProvider(hub.deps, name)?.updatedAt ?? 0
  const check = { name, outcome, message: outcome, durationMs: 1, ofUpdate }
  return await write(hub.deps.db, tx => recordCheck(tx, check))
}

describe('the health of a provider', () => {
  const WAYS: [CheckOutcome[], string, number][] = [
    [['ok'], 'healthy', 0],
    [['unreachable'], 'degraded', 1],
    [['unreachable', 'failing'], 'down', 2],
    [['failing', 'failing', 'failing'], 'down', 3],
    [['unreachable', 'ok', 'unreachable'], 'degraded', 1],
    [['unreachable', 'unreachable', 'ok'], 'healthy', 0],
    [['refused'], 'down', 1],
    [['ok', 'refused'], 'down', 1],
    [['refused', 'ok'], 'healthy', 0],
    [['unreadable_key'], 'down', 1],
    [['limited', 'limited', 'limited'], 'degraded', 0],
    [['failing', 'limited', 'failing'], 'down', 2],
    [['refused', 'limited'], 'degraded', 1],
    [['no_key'], 'unknown', 0],
    [['refused', 'no_key'], 'unknown', 0],
    [['ok', 'no_adapter'], 'unknown', 0],
    [['ok', 'no_check'], 'unknown', 0],
    [['failing', 'no_key', 'failing'], 'degraded', 1],
  ]
  for (const [outcomes, health, failures] of WAYS) {
    test(`after ${outcomes.join(', ')} is ${health}`, async () => {
      const hub = await hubWith([vendorNamed('fal')])
      for (const outcome of outcomes) await found(hub, 'fal', outcome)
      const last = outcomes.at(-1) ?? ''
      const wasAsked = !last.startsWith('no_')
      expect(healthRow(hub, 'fal')).toEqual({
        health,
        check_failures: failures,
        health_message: wasAsked ? last : null,
        checked_at: wasAsked ? expect.any(Number) : null,
      } as never)
      expect(healthRow(hub, 'openai').health).toBe('unknown')
    })
  }

  test('is not told by a check of the key before, however it ended', async () => {
    const clock = fakeClock()
    const gate = Promise.withResolvers<void>()
    const hub = await hubWith([vendorNamed('fal', () => gate.promise)], { clock })
    await setKey(hub.deps, ACTOR, 'fal', KEY)
    const old = checkEach(hub.deps, ['fal'], never())
    clock.advance(1)
    await setKey(hub.deps, ACTOR, 'fal', `${KEY}2`)
    gate.reject(new ProviderError('unavailable', '401', { isPermanent: true }))
    expect(await old).toMatchObject([{ outcome: 'refused', health: null, change: null }])
    expect(healthRow(hub, 'fal')).toMatchObject({ health: 'unknown', checked_at: null })
  })

  test('is shown of those that jobs may go to, and the sandbox is always well', async () => {
    const vendors = ['fal', 'openai', 'luma', 'runway'].map(name => vendorNamed(name))
    const hub = await hubWith([...vendors, fakeProvider({ name: 'replicate' })], {
      config: { providerKeys: { OPENAI_API_KEY: KEY, RUNWAYML_API_SECRET: KEY } },
    })
    const { deps } = hub
    await setKey(deps, ACTOR, 'fal', KEY)
    await setEnabled(deps, ACTOR, 'runway', false)
    await found(hub, 'fal', 'refused')
    await found(hub, 'sandbox', 'failing')
    deps.cache.clear()
    expect(healthOf(deps)).toEqual({
      sandbox: 'healthy',
      fal: 'down',
      openai: 'unknown',
      replicate: 'unknown',
    })
    expect(JSON.stringify(healthOf(deps))).not.toContain(KEY)
  })
})

describe('the check that time orders', () => {
  test('asks all side by side, and one that breaks spoils nothing for the others', async () => {
    const asked: string[] = []
    const all = Promise.withResolvers<void>()
    const meet = (name: string, end: () => void) =>
      vendorNamed(name, async () => {
        asked.push(name)
        if (asked.length === 3) all.resolve()
        await all.promise
        end()
      })
    const hub = await hubWith(
      [
        meet('fal', () => {}),
        meet('openai', () => {
          throw new Error(`a bug that quotes ${KEY}`)
        }),
        meet('luma', () => {
          throw new ProviderError('unavailable', '401', { isPermanent: true })
        }),
        vendorNamed('runway', async () => void asked.push('runway')),
        vendorNamed('gemini', async () => void asked.push('gemini')),
      ],
      {
        config: {
          providerKeys: {
            FAL_KEY: KEY,
            OPENAI_API_KEY: KEY,
            LUMAAI_API_KEY: KEY,
            GOOGLE_AI_API_KEY: KEY,
          },
        },
      },
    )
    // Nobody is asked who is paused, or has no key.
    await setEnabled(hub.deps, ACTOR, 'gemini', false)
    await watch(hub.deps, null, never())
    expect(asked.toSorted()).toEqual(['fal', 'luma', 'openai'])
    const names = ['fal', 'openai', 'luma', 'runway', 'gemini', 'sandbox']
    expect(names.map(name => healthRow(hub, name).health)).toEqual([
      'healthy',
      'degraded',
      'down',
      'unknown',
      'unknown',
      'healthy',
    ])
    expect(healthRow(hub, 'openai').health_message).toBe('Error: a bug that quotes ***')
    expect(hub.log.text()).not.toContain(KEY)
    expect(databaseBytes(hub).includes(KEY)).toBe(false)
  })

  test('says in the log who changed, once', async () => {
    let isDead = true
    const hub = await hubWith(
      [
        vendorNamed('fal', async () => {
          if (isDead) throw new ProviderError('unavailable', '503: busy')
        }),
      ],
      { config: { providerKeys: { FAL_KEY: KEY } } },
    )
    const told = () =>
      hub.log
        .lines()
        .filter(({ provider }) => provider === 'fal')
        .map(({ level, health, reason }) => [level, health, reason])
    for (let times = 0; times < 4; times++) await watch(hub.deps, null, never())
    isDead = false
    for (let times = 0; times < 2; times++) await watch(hub.deps, null, never())
    expect(told()).toEqual([
      ['warn', 'degraded', '503: busy'],
      ['warn', 'down', '503: busy'],
      ['info', 'healthy', null],
    ])
  })

  test('leaves a row alone of which nothing new is known', async () => {
    const hub = await hubWith([vendorNamed('fal')])
    const { sqlite } = hub.deps.db
    sqlite.run('CREATE TEMP TABLE touched (name TEXT)')
    sqlite.run(`CREATE TEMP TRIGGER touching AFTER UPDATE ON providers BEGIN
      INSERT INTO touched VALUES (new.name); END`)
    for (let times = 0; times < 2; times++) await watch(hub.deps, null, never())
    const touched = sqlite.query('SELECT DISTINCT name FROM touched').all()
    expect(touched).toEqual([{ name: 'sandbox' }])
  })

  test('is a task: soon after a key was stored for that vendor, and for all of them by the clock', async () => {
    const asked: string[] = []
    const vendor = (name: string) => vendorNamed(name, async () => void asked.push(name))
    const clock = fakeClock()
    const hub = await hubWith([vendor('fal'), vendor('openai')], {
      clock,
      config: { providerKeys: { OPENAI_API_KEY: KEY } },
    })
    await setKey(hub.deps, ACTOR, 'fal', KEY)
    await hub.runner.start()
    await hub.runner.settleAll()
    expect(asked).toEqual(['fal'])
    expect(healthRow(hub, 'fal')).toMatchObject({ health: 'healthy', checked_at: clock.now() })

    clock.advance(5 * MINUTE)
    await write(hub.deps.db, tx =>
      enqueue(tx, { kind: 'providers.check', pool: 'chores', payload: {} }),
    )
    await hub.runner.settleAll()
    expect(asked.toSorted()).toEqual(['fal', 'fal', 'openai'])
    expect(healthRow(hub, 'openai')).toMatchObject({ health: 'healthy', checked_at: clock.now() })
    expect(hub.deps.db.sqlite.query('SELECT kind FROM tasks').all()).toEqual([])
  })

  test('of a vendor that is gone does nothing', async () => {
    const hub = await hubWith([vendorNamed('fal')])
    await watch(hub.deps, 'gone', never())
    expect(await checkProvider(hub.deps, 'gone', never()).catch(() => 'refused')).toBe('refused')
  })
})
