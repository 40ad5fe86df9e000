import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { InvariantError } from '@/base/invariant'
import { write } from '@/db/write'
import { grant } from '@/domain/ledger'
import {
  entitlementFor,
  nextReplenishmentAt,
  readEntitlement,
  renewAllDue,
  setDefaultPlan,
} from '@/domain/plans'
import { activeOf } from '@/domain/plans/subscription'
import { erasePerson } from '@/domain/privacy'
import { erase } from '@/domain/users'
import { ACTOR, type PlanRig, planRig } from './rig'

let on: PlanRig
beforeEach(async () => {
  on = await planRig('2026-01-31T10:00:00Z')
})
afterEach(() => on.close())

const grants = (user: string) => on.entries(user).filter(({ type }) => type === 'GRANT')
const amounts = (user: string) => on.entries(user).map(({ amount }) => amount)
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)

describe('a period', () => {
  test('brings its tokens once, and takes with it what is left of them', async () => {
    await on.make('basic')
    const begun = await on.set('ann', 'basic')
    expect([day(begun.periodStart), day(begun.periodEnd)]).toEqual(['2026-01-31', '2026-02-28'])
    expect(on.balance('ann')).toBe(500)
    on.at('2026-02-28T09:59:59Z')
    await on.renew()
    expect(amounts('ann')).toEqual([500])
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    await on.renew()
    await on.entitle('ann')
    expect(amounts('ann')).toEqual([500, -500, 500])
    const now = on.look('ann')
    expect(now && [day(now.periodStart), day(now.periodEnd)]).toEqual(['2026-02-28', '2026-03-31'])
  })
  test('that rolls over leaves everything', async () => {
    await on.make('basic', { isRollover: true })
    await on.set('ann', 'basic')
    on.at('2026-03-31T10:00:00Z')
    await on.renew()
    expect(amounts('ann')).toEqual([500, 500, 500])
  })
  test('of a plan without tokens writes nothing', async () => {
    await on.make('free')
    await on.set('ann', 'free')
    on.at('2026-06-01T00:00:00Z')
    await on.renew()
    expect(amounts('ann')).toEqual([])
    expect(on.look('ann')).toMatchObject({ periodNumber: 4, nextReplenishmentAt: null })
  })
  test('has what the plan brings when it begins', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    on.deps.db.sqlite.run('UPDATE plans SET tokens_per_period = 700')
    expect(on.balance('ann')).toBe(500)
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    expect(on.balance('ann')).toBe(700)
  })
})

describe('it happens once', () => {
  test('when fifty sweeps and fifty jobs meet', async () => {
    await on.make('basic')
    const people = ['ann', 'ben', 'cleo', 'dan']
    for (const user of people) await on.set(user, 'basic')
    on.at('2026-02-28T10:00:00Z')
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => [on.renew(), on.entitle(people[i % 4] ?? '')]).flat(),
    )
    for (const user of people) expect([user, amounts(user)]).toEqual([user, [500, -500, 500]])
  })
  test('by the job itself, before any sweep', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    on.at('2026-02-28T10:00:00Z')
    const answers = await Promise.all(Array.from({ length: 50 }, () => on.entitle('ann')))
    expect(new Set(answers.map(answer => answer?.planName))).toEqual(new Set(['basic']))
    expect(amounts('ann')).toEqual([500, -500, 500])
  })
  test('also when a change of the row were lost: the ledger knows the period', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    const { sqlite } = on.deps.db
    const before = sqlite.query('SELECT * FROM subscriptions').get() as Record<string, number>
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    // As if the row had gone back to what it was.
    sqlite.run('UPDATE subscriptions SET period_number = 0, period_start = ?, period_end = ?', [
      before.period_start ?? 0,
      before.period_end ?? 0,
    ])
    const failure = await on.renew().catch(error => error)
    expect(String(failure.cause)).toContain('UNIQUE')
    expect(amounts('ann')).toEqual([500, -500, 500])
  })
  test('or not at all, when the write fails', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    const id = await on.id('ann')
    on.at('2026-02-28T10:00:00Z')
    const failed = write(on.deps.db, tx => {
      entitlementFor(tx, on.deps, on.realm, id)
      throw new InvariantError('sabotage')
    })
    expect(await failed.catch(error => error.message)).toBe('sabotage')
    expect(amounts('ann')).toEqual([500])
    await on.renew()
    expect(amounts('ann')).toEqual([500, -500, 500])
  })
})

describe('after fourteen months of sleep', () => {
  const ENDS = '2026-02-28 2026-03-31 2026-04-30 2026-05-31 2026-06-30 2026-07-31 2026-08-31'
  async function asleep(changes: Parameters<PlanRig['make']>[1] = {}) {
    await on.make('basic', changes)
    await on.set('ann', 'basic')
    on.at('2027-03-31T10:00:00Z')
  }
  const expectWhole = () => {
    expect(amounts('ann')).toEqual([500, ...Array(14).fill([-500, 500]).flat()])
    const sources = grants('ann').map(({ sourceId }) => sourceId?.split(':')[1])
    expect(sources).toEqual(Array.from({ length: 15 }, (_, k) => String(k)))
    expect(on.look('ann')).toMatchObject({ periodNumber: 14 })
    expect(day(on.look('ann')?.periodEnd ?? 0)).toBe('2027-04-30')
  }
  test('a sweep makes up for every month, in order', async () => {
    await asleep()
    expect(on.look('ann')).toMatchObject({ periodNumber: 14 })
    await on.renew()
    expectWhole()
    const ends = on.deps.db.sqlite
      .query<{ at: number }, []>('SELECT expires_at AS at FROM token_buckets ORDER BY id LIMIT 7')
      .all()
    expect(ends.map(({ at }) => day(at)).join(' ')).toBe(ENDS)
  })
  test('the first job does', async () => {
    await asleep()
    await on.entitle('ann')
    expectWhole()
    await on.renew()
    expectWhole()
  })
  test('what rolls over is all there', async () => {
    await asleep({ isRollover: true })
    await on.renew()
    expect(on.balance('ann')).toBe(15 * 500)
  })
  test('each day of a daily plan is made up for, in several writes', async () => {
    await on.make('basic', { period: 'day', tokensPerPeriod: 3 })
    await on.set('ann', 'basic')
    on.at('2027-03-31T10:00:00Z')
    const { changes } = on.deps.db.writer.stats()
    await on.renew()
    expect(grants('ann')).toHaveLength(425)
    expect(on.balance('ann')).toBe(3)
    expect(on.deps.db.writer.stats().changes - changes).toBe(9)
  })
  test('a cancelled one has ended on its day, and brought nothing more', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    await on.cancel('ann')
    on.at('2027-03-31T10:00:00Z')
    expect(on.look('ann')).toBeNull()
    await on.renew()
    expect(amounts('ann')).toEqual([500, -500])
    const row = on.deps.db.sqlite.query('SELECT state, ended_at FROM subscriptions').get()
    expect(row).toEqual({ state: 'ended', ended_at: Date.parse('2026-02-28T10:00:00Z') })
  })
})

describe('a sweep', () => {
  test('takes hundreds, and one that cannot be renewed stops nobody', async () => {
    await on.make('basic')
    const people = Array.from({ length: 150 }, (_, i) => `user-${i}`)
    for (const user of people) await on.set(user, 'basic')
    const userId = await on.id('user-3')
    const id = on.look('user-3')?.id
    // Its next period is in the ledger already.
    await write(on.deps.db, tx => {
      const source = { name: 'subscription', id: `${id}:1` }
      const of = { realmId: on.realm.id, userId, description: 'planted', source }
      grant(tx, { ...of, amount: 1, type: 'GRANT' })
    })
    on.at('2026-02-28T10:00:00Z')
    const failure = await on.renew().catch(error => error)
    expect(String(failure)).toContain('1 subscriptions could not be renewed')
    const others = people.filter(user => user !== 'user-3')
    for (const user of others) expect([user, amounts(user)]).toEqual([user, [500, -500, 500]])
    expect(amounts('user-3')).toEqual([500, 1])
  })
  test('stops when it is told to', async () => {
    await on.make('basic')
    await on.set('ann', 'basic')
    on.at('2026-02-28T10:00:00Z')
    await renewAllDue(on.deps, AbortSignal.abort())
    expect(amounts('ann')).toEqual([500])
  })
  test('renews nothing for somebody who was erased', async () => {
    await on.make('basic', { isRollover: true })
    const id = await on.id('ann')
    await on.set('ann', 'basic')
    await on.set('ben', 'basic')
    const benId = await on.id('ben')
    await erase(on.deps, ACTOR, on.realm, 'ann')
    await erase(on.deps, ACTOR, on.realm, 'ben')
    // Of Ben everything is erased, of Ann the task has not come to it.
    await erasePerson(on.deps, benId)
    expect(activeOf(on.deps.db, on.realm.id, benId)).toBeNull()
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    expect(activeOf(on.deps.db, on.realm.id, id)).toBeNull()
    const { n } = on.deps.db.sqlite.query('SELECT count(*) AS n FROM token_entries').get() as {
      n: number
    }
    expect(n).toBe(2)
  })
})

describe('whoever only looks', () => {
  test('sees what will be, and changes nothing', async () => {
    await on.make('basic')
    await on.make('pro')
    await on.make('daily', { template: 'free', name: 'daily', period: 'day', tokensPerPeriod: 5 })
    const id = await on.id('ann')
    const look = () => [
      readEntitlement(on.deps.db, on.realm, id)?.planName ?? null,
      nextReplenishmentAt(on.deps.db, on.realm, id),
    ]
    const rows = () =>
      JSON.stringify([
        on.deps.db.sqlite.query('SELECT * FROM subscriptions').all(),
        on.entries('ann'),
      ])
    expect(look()).toEqual([null, null])
    await on.set('ann', 'pro')
    await on.set('ann', 'daily')
    const end = Date.parse('2026-02-28T10:00:00Z')
    expect(look()).toEqual(['pro', end])
    const before = rows()
    on.at('2026-03-02T11:00:00Z')
    expect(look()).toEqual(['daily', Date.parse('2026-03-03T10:00:00Z')])
    const seen = on.look('ann')
    expect(rows()).toBe(before)
    await on.entitle('ann')
    expect(look()).toEqual(['daily', Date.parse('2026-03-03T10:00:00Z')])
    expect(on.look('ann')).toMatchObject({
      periodNumber: seen?.periodNumber ?? -1,
      periodStart: seen?.periodStart ?? -1,
      anchorAt: seen?.anchorAt ?? -1,
    })
    await on.cancel('ann')
    expect(look()).toEqual(['daily', null])
    on.at('2026-03-03T10:00:00Z')
    expect(look()).toEqual([null, null])
    await setDefaultPlan(on.deps, ACTOR, on.realm, 'basic')
    expect(look()).toEqual(['basic', null])
  })
})

describe('the default plan', () => {
  const setDefault = (name: string | null) => setDefaultPlan(on.deps, ACTOR, on.realm, name)
  test('is nobody’s at first: no plan, no limits, no row', async () => {
    await on.id('ann')
    expect(await on.entitle('ann')).toBeNull()
    expect(on.deps.db.sqlite.query('SELECT * FROM subscriptions').all()).toEqual([])
  })
  test('begins with the first job, once, and is renewed', async () => {
    await on.make('basic')
    await setDefault('basic')
    await on.id('ann')
    expect(on.look('ann')).toBeNull()
    const all = await Promise.all(Array.from({ length: 50 }, () => on.entitle('ann')))
    expect(new Set(all.map(one => one?.subscriptionId)).size).toBe(1)
    expect(amounts('ann')).toEqual([500])
    expect(on.look('ann')).toMatchObject({ source: 'default', planName: 'basic' })
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    expect(amounts('ann')).toEqual([500, -500, 500])
  })
  test('that was changed comes with the next period; without one it ends', async () => {
    await on.make('basic')
    await on.make('free', { tokensPerPeriod: 9 })
    await setDefault('basic')
    await on.id('ann')
    await on.entitle('ann')
    await setDefault('free')
    expect((await on.entitle('ann'))?.planName).toBe('basic')
    on.at('2026-02-28T10:00:00Z')
    expect((await on.entitle('ann'))?.planName).toBe('free')
    expect(amounts('ann')).toEqual([500, -500, 9])
    await setDefault(null)
    on.at('2026-03-31T10:00:00Z')
    expect(await on.entitle('ann')).toBeNull()
    expect(on.balance('ann')).toBe(0)
  })
  test('gives the tokens of a period once, however often something is bought and given back', async () => {
    await on.make('basic')
    await on.make('pro')
    await setDefault('basic')
    await on.id('ann')
    await on.entitle('ann')
    for (let i = 0; i < 3; i++) {
      await on.set('ann', 'pro')
      expect(on.look('ann')).toMatchObject({ planName: 'pro', periodNumber: 0 })
      await on.end('ann')
      expect((await on.entitle('ann'))?.planName).toBe('basic')
      expect(on.balance('ann')).toBe(0)
      await on.end('ann')
      expect((await on.entitle('ann'))?.planName).toBe('basic')
      expect(on.balance('ann')).toBe(0)
    }
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    expect(on.balance('ann')).toBe(500)
  })
  test('comes back when a bought one has ended, with the period of that day', async () => {
    await on.make('basic')
    await on.make('pro')
    await setDefault('basic')
    await on.id('ann')
    await on.entitle('ann')
    on.at('2026-02-10T00:00:00Z')
    await on.set('ann', 'pro')
    await on.cancel('ann')
    on.at('2026-05-05T00:00:00Z')
    await on.renew()
    expect(on.balance('ann')).toBe(0)
    expect(await on.entitle('ann')).toMatchObject({ planName: 'basic' })
    expect(on.balance('ann')).toBe(500)
    expect(day(on.look('ann')?.periodEnd ?? 0)).toBe('2026-05-31')
    expect(on.look('ann')).toMatchObject({ periodNumber: 3 })
  })
  test('has no first tokens for somebody who was erased and came back', async () => {
    await on.make('basic')
    await setDefault('basic')
    await on.id('ann')
    await on.entitle('ann')
    await erase(on.deps, ACTOR, on.realm, 'ann')
    await on.id('ann')
    expect((await on.entitle('ann'))?.planName).toBe('basic')
    expect(amounts('ann')).toEqual([])
    on.at('2026-02-28T10:00:00Z')
    await on.renew()
    expect(amounts('ann')).toEqual([500])
  })
})
