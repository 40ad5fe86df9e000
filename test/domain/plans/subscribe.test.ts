import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { AppError } from '@/base/errors'
import { write } from '@/db/write'
import { balanceOf, expireDue, grant, hold, voidHold } from '@/domain/ledger'
import * as plans from '@/domain/plans'
import { proratedTokens } from '@/domain/plans/tokens'
import { aJob } from '../ledger/rig'
import { ACTOR, type PlanRig, planRig } from './rig'

let on: PlanRig
beforeEach(async () => {
  on = await planRig('2026-04-01T00:00:00Z')
  for (const name of ['free', 'basic', 'pro', 'enterprise']) await on.make(name)
  await on.make('weekly', { template: 'basic', name: 'weekly', period: 'week' })
})
afterEach(() => on.close())

const amounts = (user = 'ann') => on.entries(user).map(({ amount }) => amount)
const day = (ms: number | undefined) => new Date(ms ?? 0).toISOString().slice(0, 10)
async function field(act: Promise<unknown>): Promise<string> {
  const error = await act.catch((error: unknown) => error)
  if (!(error instanceof AppError)) throw new Error('not refused')
  const [problem] = (error.detail.details ?? []) as { path: string }[]
  return problem?.path ?? error.code
}

describe('a first subscription', () => {
  test('makes the user, and begins now', async () => {
    const made = await on.set('ann', 'pro', { source: 'app_store' })
    expect(made).toMatchObject({
      planName: 'pro',
      nextPlanName: null,
      source: 'app_store',
      periodNumber: 0,
      periodStart: on.clock.now(),
      isCancelled: 0,
      endedAt: null,
      nextReplenishmentAt: made.periodEnd,
    })
    expect(amounts()).toEqual([2_000])
  })
  test('that is reported late began when it began', async () => {
    const periodStart = Date.parse('2026-01-31T12:00:00Z')
    const made = await on.set('ann', 'basic', { periodStart })
    expect([made.periodNumber, day(made.periodStart), day(made.periodEnd)]).toEqual([
      2,
      '2026-03-31',
      '2026-04-30',
    ])
    expect(amounts()).toEqual([500, -500, 500, -500, 500])
  })
  test('is refused where it makes no sense, and nobody is made', async () => {
    const now = on.clock.now()
    const wrong: [string, string, Partial<plans.SubscriptionOrder>][] = [
      ['plan', 'gold', {}],
      ['source', 'pro', { source: 'default' }],
      ['source', 'pro', { source: '' }],
      ['source', 'pro', { source: 'App Store' }],
      ['period_start', 'pro', { periodStart: now - 366 * 86_400_000 - 1 }],
      ['period_start', 'pro', { periodStart: now + 5 * 60_000 + 1 }],
    ]
    for (const [expected, plan, order] of wrong) {
      expect(await field(on.set('ann', plan, order))).toBe(expected)
    }
    expect(on.look('ann')).toBeNull()
    expect(on.deps.db.sqlite.query('SELECT * FROM users').all()).toEqual([])
    const ahead = await on.set('ann', 'pro', { periodStart: now + 5 * 60_000 })
    expect(ahead.periodStart).toBe(now)
  })
  test('twice is once, with a key or without', async () => {
    const periodStart = Date.parse('2026-03-20T00:00:00Z')
    const order = { plan: 'pro', periodStart, source: 'shop', proration: null, when: null }
    const once = { key: 'a', hash: 'h' }
    const send = (idempotency: typeof once | null) =>
      plans.subscribe(on.deps, ACTOR, on.realm, 'ann', order, idempotency)
    const first = await send(once)
    on.clock.advance(1_000)
    const again = await send(once)
    expect(again).toEqual({ ...first, isReplay: true })
    expect((await send(null)).subscription.id).toBe(first.subscription.id)
    await on.set('ann', 'enterprise')
    // Too late to undo what came after it.
    expect((await send(once)).subscription.planName).toBe('pro')
    expect(on.look('ann')?.planName).toBe('enterprise')
    const other = send({ key: 'a', hash: 'other' })
    expect(await field(other)).toBe('idempotency_mismatch')
  })
  test('at once by fifty servers is one', async () => {
    await Promise.all(Array.from({ length: 50 }, () => on.set('ann', 'pro')))
    expect(amounts()).toEqual([2_000])
    expect(on.deps.db.sqlite.query('SELECT id FROM subscriptions').all()).toHaveLength(1)
  })
})

describe('an upgrade', () => {
  test('comes at once, with its share of the tokens, and the day stays', async () => {
    await on.set('ann', 'basic')
    on.at('2026-04-16T00:00:00Z')
    const now = await on.set('ann', 'pro')
    expect(now).toMatchObject({ planName: 'pro', nextPlanName: null, periodNumber: 0 })
    // (2,000 - 500) x 15 of 30 days
    expect(amounts()).toEqual([500, 750])
    on.at('2026-05-01T00:00:00Z')
    await on.renew()
    expect(amounts()).toEqual([500, 750, -500, -750, 2_000])
  })
  test('rounds up, in favour of the user', async () => {
    await on.set('ann', 'basic')
    on.at('2026-04-30T23:59:59.999Z')
    await on.set('ann', 'enterprise')
    expect(amounts()).toEqual([500, 1])
  })
  test('brings nothing a second time, after going down and up again', async () => {
    await on.set('ann', 'pro')
    on.at('2026-04-11T00:00:00Z')
    await on.set('ann', 'basic', { when: 'now' })
    await on.set('ann', 'pro')
    await on.set('ann', 'free', { when: 'now' })
    expect((await on.entitle('ann'))?.planName).toBe('free')
    await on.set('ann', 'pro')
    expect(amounts()).toEqual([2_000])
    await on.set('ann', 'enterprise')
    // (10,000 - 2,000) x 20 of 30 days, rounded up
    expect(amounts()).toEqual([2_000, 5_334])
    await on.set('ann', 'pro', { when: 'now' })
    await on.set('ann', 'enterprise')
    expect(amounts()).toEqual([2_000, 5_334])
  })
  test('without tokens brings none before the next period', async () => {
    await on.set('ann', 'basic')
    await on.set('ann', 'pro', { proration: 'none' })
    expect(amounts()).toEqual([500])
    // What was foregone is not made up for.
    await on.set('ann', 'enterprise')
    expect(amounts()).toEqual([500, 8_000])
  })
  test('that restarts has a period of its own, beside what is left of the old one', async () => {
    await on.set('ann', 'basic')
    on.at('2026-04-16T00:00:00Z')
    const now = await on.set('ann', 'pro', { proration: 'restart', source: 'shop' })
    expect([day(now.periodStart), now.periodNumber, now.source]).toEqual(['2026-04-16', 0, 'shop'])
    await on.set('ann', 'pro', { proration: 'restart' })
    expect(amounts()).toEqual([500, 2_000])
    on.at('2026-05-01T00:00:00Z')
    await on.renew()
    await on.set('ann', 'pro')
    expect(on.look('ann')?.periodNumber).toBe(0)
    on.at('2026-05-16T00:00:00Z')
    await on.renew()
    expect(on.balance('ann')).toBe(2_000)
  })
  test('with the day that a store says is a restart, within the period that runs', async () => {
    await on.set('ann', 'basic')
    on.at('2026-04-16T00:00:00Z')
    const at = (text: string) => ({ periodStart: Date.parse(text) })
    expect(await field(on.set('ann', 'pro', at('2026-03-31T00:00:00Z')))).toBe('period_start')
    const now = await on.set('ann', 'pro', at('2026-04-14T00:00:00Z'))
    expect(day(now.periodStart)).toBe('2026-04-14')
    expect(amounts()).toEqual([500, 2_000])
  })
  test('to a plan of another period restarts, and nothing else', async () => {
    await on.set('ann', 'basic')
    for (const proration of ['tokens', 'none'] as const) {
      expect(await field(on.set('ann', 'weekly', { proration }))).toBe('proration')
    }
    // 500 a week are more than 500 a month.
    const now = await on.set('ann', 'weekly')
    expect([day(now.periodEnd), now.planName]).toEqual(['2026-04-08', 'weekly'])
    expect(amounts()).toEqual([500, 500])
  })
  test('says what contradicts itself', async () => {
    await on.set('ann', 'basic')
    const periodStart = on.clock.now()
    const wrong: [string, Partial<plans.SubscriptionOrder>][] = [
      ['when', { proration: 'restart', when: 'period_end' }],
      ['when', { periodStart, when: 'period_end' }],
      ['period_start', { periodStart, proration: 'tokens' }],
      ['period_start', { periodStart, proration: 'none' }],
    ]
    for (const [expected, order] of wrong) {
      expect(await field(on.set('ann', 'pro', order))).toBe(expected)
    }
    expect(amounts()).toEqual([500])
  })
})

describe('a downgrade', () => {
  test('comes with the next period', async () => {
    await on.set('ann', 'pro')
    on.at('2026-04-16T00:00:00Z')
    const planned = await on.set('ann', 'basic')
    expect(planned).toMatchObject({ planName: 'pro', nextPlanName: 'basic' })
    expect((await on.entitle('ann'))?.maxConcurrent).toBe(3)
    on.at('2026-05-01T00:00:00Z')
    expect((await on.entitle('ann'))?.maxConcurrent).toBe(1)
    expect(amounts()).toEqual([2_000, -2_000, 500])
    expect(on.look('ann')).toMatchObject({ planName: 'basic', nextPlanName: null, periodNumber: 1 })
  })
  test('is taken back by the plan that there is', async () => {
    await on.set('ann', 'pro')
    await on.set('ann', 'basic')
    expect(await on.set('ann', 'pro')).toMatchObject({ planName: 'pro', nextPlanName: null })
    on.at('2026-05-01T00:00:00Z')
    await on.renew()
    expect(amounts()).toEqual([2_000, -2_000, 2_000])
  })
  test('to another period begins one at the end of the old', async () => {
    await on.make('small', {
      template: 'basic',
      name: 'small',
      period: 'week',
      tokensPerPeriod: 10,
    })
    await on.set('ann', 'pro')
    await on.set('ann', 'small')
    on.at('2026-05-09T00:00:00Z')
    await on.renew()
    expect(on.look('ann')).toMatchObject({ planName: 'small', periodNumber: 1 })
    expect(day(on.look('ann')?.periodStart)).toBe('2026-05-08')
    expect(amounts()).toEqual([2_000, -2_000, 10, -10, 10])
  })
  test('at once takes nothing back', async () => {
    await on.set('ann', 'pro')
    await on.set('ann', 'free', { when: 'now' })
    expect((await on.entitle('ann'))?.jobsPerDay).toBe(5)
    expect(amounts()).toEqual([2_000])
  })
})

describe('an end', () => {
  test('comes with the period, or is taken back', async () => {
    await on.set('ann', 'basic')
    expect(await on.cancel('ann')).toMatchObject({ isCancelled: 1, nextReplenishmentAt: null })
    await on.cancel('ann')
    expect(await on.resume('ann')).toMatchObject({ isCancelled: 0 })
    await on.resume('ann')
    on.at('2026-05-01T00:00:00Z')
    await on.renew()
    expect(amounts()).toEqual([500, -500, 500])
    await on.cancel('ann')
    expect((await on.entitle('ann'))?.planName).toBe('basic')
    on.at('2026-06-01T00:00:00Z')
    // Nobody had come by: finding it ended ends it all the same.
    expect(await field(on.resume('ann'))).toBe('not_found')
    expect(amounts()).toEqual([500, -500, 500, -500])
    expect(await field(on.cancel('ann'))).toBe('not_found')
    expect(await field(on.end('ann'))).toBe('not_found')
    expect(await field(on.end('nobody'))).toBe('not_found')
  })
  test('is taken back by a new order', async () => {
    await on.set('ann', 'basic')
    await on.cancel('ann')
    expect(await on.set('ann', 'basic')).toMatchObject({ isCancelled: 0 })
    await on.cancel('ann')
    expect(await on.set('ann', 'pro')).toMatchObject({ isCancelled: 0, planName: 'pro' })
  })
  test('now takes every token of it that is left, and no other', async () => {
    await on.make('saver', { template: 'basic', name: 'saver', isRollover: true })
    await on.set('ann', 'saver')
    const id = await on.id('ann')
    on.at('2026-05-01T00:00:00Z')
    await on.renew()
    await write(on.deps.db, tx => {
      const of = { realmId: on.realm.id, userId: id, description: 'bought' }
      grant(tx, { ...of, amount: 70, type: 'GRANT' })
      grant(tx, { ...of, amount: 30, type: 'BONUS', origin: 'bonus', expiresAt: null })
    })
    expect(on.balance('ann')).toBe(1_100)
    const ended = await on.end('ann')
    expect(ended).toMatchObject({ endedAt: on.clock.now(), nextReplenishmentAt: null })
    expect(on.balance('ann')).toBe(100)
    expect(on.look('ann')).toBeNull()
    expect((await on.set('ann', 'basic')).periodNumber).toBe(0)
    expect(on.balance('ann')).toBe(600)
  })
  test('now leaves to a running job what it holds; back it comes for the grace time only', async () => {
    await on.set('ann', 'basic')
    const id = await on.id('ann')
    const holdOf = (amount: number) =>
      write(on.deps.db, tx => {
        const jobId = aJob(tx, on.realm.id, id, amount)
        const of = { realmId: on.realm.id, userId: id, jobId, purpose: 'generate' }
        hold(tx, { ...of, amount, description: 'a-model' })
        return jobId
      })
    const jobId = await holdOf(500)
    await on.end('ann')
    expect(balanceOf(on.deps.db, on.realm.id, id)).toMatchObject({ available: 0, reserved: 500 })
    await write(on.deps.db, tx => {
      voidHold(tx, jobId, 'generate')
      tx.db.sqlite.run(
        "UPDATE jobs SET status = 'cancelled', tokens_refunded = 500, completed_at = 1 WHERE id = ?",
        [jobId],
      )
    })
    expect(balanceOf(on.deps.db, on.realm.id, id)).toMatchObject({ available: 500 })
    on.at('2026-04-09T00:00:00Z')
    // Their own end would have been on the first of May.
    await write(on.deps.db, tx => expireDue(tx, id))
    expect(on.balance('ann')).toBe(0)
  })
})

describe('proration is the exact share, rounded up,', () => {
  const lengths = fc.integer({ min: 1, max: 31 * 86_400_000 })
  const RUNS = { numRuns: 5_000, seed: 7 }
  function expectExact(more: number, leftMs: number, lengthMs: number) {
    const found = proratedTokens(more, { leftMs, lengthMs })
    const product = BigInt(more) * BigInt(leftMs)
    expect(BigInt(found) * BigInt(lengthMs) >= product).toBe(true)
    expect(BigInt(found - 1) * BigInt(lengthMs) < product).toBe(true)
    expect(found).toBeLessThanOrEqual(more)
  }
  test('of any numbers', () => {
    const plan = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 })
    const parts = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(plan, lengths, parts, (more, lengthMs, part) => {
        const leftMs = Math.floor(lengthMs * part)
        if (more > 0 && leftMs > 0) expectExact(more, leftMs, lengthMs)
        else expect(proratedTokens(more, { leftMs, lengthMs })).toBe(0)
      }),
      RUNS,
    )
  })
  test('also where it is all but a whole number', () => {
    const plan = fc.integer({ min: 1, max: 1_000_000_000 })
    fc.assert(
      fc.property(plan, lengths, fc.double({ min: 0, max: 1, noNaN: true }), (more, ms, part) => {
        const whole = BigInt(Math.ceil(more * part))
        const left = Number((whole * BigInt(ms)) / BigInt(more))
        for (const leftMs of [left - 1, left, left + 1, ms]) {
          if (leftMs > 0 && leftMs <= ms) expectExact(more, leftMs, ms)
        }
      }),
      RUNS,
    )
  })
})
