import { describe, expect, test } from 'bun:test'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { DAY } from '@/base/clock'
import type { AppError } from '@/base/errors'
import type { JobId, UserId } from '@/base/ids'
import { InvariantError } from '@/base/invariant'
import { write } from '@/db/write'
import {
  balanceOf,
  charge,
  expireBatch,
  grant,
  hold,
  listEntries,
  type Origin,
  REFUND_GRACE_DAYS,
  reverseCharge,
  settle,
  voidHold,
} from '@/domain/ledger'
import { saveSetting } from '@/domain/settings'
import { aJob, aUser, endJob, type LedgerRig, ledgerRig, snapshot } from './rig'

const PURPOSE = 'generate'
const ALL = { before: Number.MAX_SAFE_INTEGER, limit: 1_000 }

type Stage = LedgerRig & { clock: FakeClock; userId: UserId }

async function stage(): Promise<Stage> {
  const clock = fakeClock()
  const rig = await ledgerRig({ clock })
  const userId = await write(rig.db, tx => aUser(tx, rig.realmId))
  return Object.assign(rig, { clock, userId })
}

function given(on: Stage, origin: Origin, amount: number, inMs: number | null = null) {
  return write(on.db, tx =>
    grant(tx, {
      realmId: on.realmId,
      userId: on.userId,
      amount,
      type: origin === 'bonus' ? 'BONUS' : 'GRANT',
      origin,
      expiresAt: inMs === null ? null : tx.now + inMs,
      description: origin,
    }),
  )
}

function held(on: Stage, amount: number): Promise<JobId> {
  return write(on.db, tx => {
    const jobId = aJob(tx, on.realmId, on.userId, amount)
    const what = { jobId, purpose: PURPOSE, amount, description: 'a-model' }
    hold(tx, { realmId: on.realmId, userId: on.userId, ...what })
    return jobId
  })
}

function settled(on: Stage, jobId: JobId, kept: number): Promise<number> {
  return write(on.db, tx => {
    const refund = settle(tx, jobId, PURPOSE, kept)
    endJob(tx, jobId, refund)
    return refund
  })
}

function voided(on: Stage, jobId: JobId): Promise<number> {
  return write(on.db, tx => {
    const refund = voidHold(tx, jobId, PURPOSE)
    endJob(tx, jobId, refund)
    return refund
  })
}

/** What is left in each bucket that ever was, in the order of their making, and what is plain. */
function left(on: Stage): { buckets: number[]; plain: number } {
  const rows = on.db.sqlite.query('SELECT remaining FROM token_buckets ORDER BY id').all() as {
    remaining: number
  }[]
  return {
    buckets: rows.map(row => row.remaining),
    plain: balanceOf(on.db, on.realmId, on.userId).purchased,
  }
}

const types = (on: Stage) =>
  listEntries(on.db, on.realmId, on.userId, ALL)
    .map(entry => `${entry.type} ${entry.amount}`)
    .toReversed()

describe('spending', () => {
  test('takes what expires first, then what never does, and what was bought last', async () => {
    using on = await stage()
    await given(on, 'purchase', 10)
    await given(on, 'welcome', 10)
    await given(on, 'subscription', 10, 30 * DAY)
    await given(on, 'bonus', 10, 3 * DAY)
    await held(on, 5)
    expect(left(on)).toEqual({ buckets: [10, 10, 5], plain: 10 })
    await held(on, 12)
    expect(left(on)).toEqual({ buckets: [10, 3, 0], plain: 10 })
    await held(on, 20)
    expect(left(on)).toEqual({ buckets: [0, 0, 0], plain: 3 })
    expectLedgerInOrder(on)
  })

  test('of more buckets than are read at once takes from all of them', async () => {
    using on = await stage()
    for (let i = 1; i <= 70; i++) await given(on, 'bonus', 1, i * DAY)
    await given(on, 'purchase', 5)
    await held(on, 72)
    expect(left(on)).toEqual({ buckets: Array(70).fill(0), plain: 3 })
    expectLedgerInOrder(on)
  })

  test('never reaches what has expired, though nothing swept it up: a 402 says what there is', async () => {
    using on = await stage()
    await given(on, 'bonus', 10, DAY)
    await given(on, 'purchase', 4)
    on.clock.advance(DAY)
    const before = snapshot(on.db)
    const error = (await held(on, 5).catch(thrown => thrown)) as AppError
    expect([error.code, error.detail]).toEqual(['insufficient_tokens', { balance: 4, required: 5 }])
    expect(snapshot(on.db)).toBe(before)
    await held(on, 4)
    expect(types(on)).toEqual(['BONUS 10', 'GRANT 4', 'EXPIRY -10', 'GENERATION_DEBIT -4'])
    expectLedgerInOrder(on)
  })

  test('of plain tokens alone is as many statements as before there were buckets', async () => {
    using on = await stage()
    await given(on, 'purchase', 100)
    let asked = 0
    const { prepared } = on.db
    const counting = new Proxy(prepared, {
      get(target, name, receiver) {
        if (typeof name === 'string' && /^\d+$/.test(name)) asked++
        return Reflect.get(target, name, receiver)
      },
    })
    Object.assign(on.db, { prepared: counting })
    const counted = async (act: () => Promise<unknown>) => {
      asked = 0
      await act()
      return asked
    }
    const jobs: JobId[] = []
    const holding = async () => void jobs.push(await held(on, 5))
    // The account, the hold, the entry; then the hold and the account, and the entry of a refund.
    expect(await counted(holding)).toBe(3)
    expect(await counted(holding)).toBe(3)
    expect(await counted(() => settled(on, jobs[0] as JobId, 5))).toBe(2)
    expect(await counted(() => voided(on, jobs[1] as JobId))).toBe(3)
    expectLedgerInOrder(on)
  })
})

describe('what comes back', () => {
  test('of a void goes to the very buckets', async () => {
    using on = await stage()
    await given(on, 'bonus', 10, DAY)
    await given(on, 'subscription', 10, 9 * DAY)
    await given(on, 'purchase', 10)
    const jobId = await held(on, 25)
    expect(left(on)).toEqual({ buckets: [0, 0], plain: 5 })
    expect(await voided(on, jobId)).toBe(25)
    expect(left(on)).toEqual({ buckets: [10, 10], plain: 10 })
    expectLedgerInOrder(on)
  })

  for (const [kept, buckets, plain] of [
    [25, [0, 0], 5],
    [22, [0, 0], 8],
    [20, [0, 0], 10],
    [13, [0, 7], 10],
    [10, [0, 10], 10],
    [4, [6, 10], 10],
    [0, [10, 10], 10],
  ] as const) {
    test(`of 25 settled for ${kept} is plain first, then what expires last`, async () => {
      using on = await stage()
      await given(on, 'bonus', 10, DAY)
      await given(on, 'subscription', 10, 9 * DAY)
      await given(on, 'purchase', 10)
      const jobId = await held(on, 25)
      expect(await settled(on, jobId, kept)).toBe(25 - kept)
      expect(left(on)).toEqual({ buckets: [...buckets], plain })
      expectLedgerInOrder(on)
    })
  }

  test('to a bucket that expired meanwhile can be spent for the grace time, and not after', async () => {
    using on = await stage()
    await given(on, 'bonus', 10, DAY)
    const jobId = await held(on, 6)
    on.clock.advance(2 * DAY)
    await voided(on, jobId)
    // The four that were not held are over; the six are back.
    const until = on.clock.now() + 7 * DAY
    expect(balanceOf(on.db, on.realmId, on.userId)).toMatchObject({
      available: 6,
      bonus: 6,
      nextExpiry: { amount: 6, at: until },
    })
    on.clock.advance(7 * DAY - 1)
    expect(balanceOf(on.db, on.realmId, on.userId).available).toBe(6)
    on.clock.advance(1)
    expect(balanceOf(on.db, on.realmId, on.userId).available).toBe(0)
    await write(on.db, tx => expireBatch(tx, 10))
    expect(types(on)).toEqual([
      'BONUS 10',
      'GENERATION_DEBIT -6',
      'EXPIRY -4',
      'GENERATION_REFUND 6',
      'EXPIRY -6',
    ])
    expectLedgerInOrder(on)
  })

  for (const days of [0, 30]) {
    test(`has the grace that the operator set: ${days} days`, async () => {
      using on = await stage()
      await write(on.db, tx => saveSetting(tx, REFUND_GRACE_DAYS, days))
      await given(on, 'bonus', 10, DAY)
      const jobId = await held(on, 10)
      on.clock.advance(DAY)
      await voided(on, jobId)
      on.clock.advance(Math.max(1, days * DAY) - 1)
      expect(balanceOf(on.db, on.realmId, on.userId).available).toBe(10)
      on.clock.advance(1)
      expect(balanceOf(on.db, on.realmId, on.userId).available).toBe(0)
      expectLedgerInOrder(on)
    })
  }

  test('of a charge goes to the very buckets, once', async () => {
    using on = await stage()
    await given(on, 'bonus', 10, DAY)
    await given(on, 'purchase', 10)
    const owner = { realmId: on.realmId, userId: on.userId }
    const made = await write(on.db, tx => charge(tx, { ...owner, amount: 15, description: 'pdf' }))
    expect(made.newBalance).toBe(5)
    expect(left(on)).toEqual({ buckets: [0], plain: 5 })
    expectLedgerInOrder(on)
    const back = () =>
      write(on.db, tx =>
        reverseCharge(tx, { ...owner, entryId: made.entryId, description: 'broken' }),
      )
    expect(await back()).toMatchObject({ refunded: 15, newBalance: 20 })
    expect(left(on)).toEqual({ buckets: [10], plain: 10 })
    const before = snapshot(on.db)
    expect(((await back().catch(error => error)) as AppError).code).toBe('conflict')
    expect(snapshot(on.db)).toBe(before)
    expect(types(on).slice(2)).toEqual(['FEATURE_DEBIT -15', 'FEATURE_REFUND 15'])
    expectLedgerInOrder(on)
  })
})

describe('an expiry', () => {
  test('is written once for each bucket, whoever comes first, after months of sleep too', async () => {
    using on = await stage()
    for (let i = 0; i < 25; i++) await given(on, 'bonus', 2, DAY + i)
    await given(on, 'purchase', 7)
    on.clock.advance(200 * DAY)
    const counts: number[] = []
    do counts.push(await write(on.db, tx => expireBatch(tx, 10)))
    while (counts.at(-1) === 10)
    expect(counts).toEqual([10, 10, 5])
    expect(await write(on.db, tx => expireBatch(tx, 10))).toBe(0)
    expect(types(on).filter(type => type === 'EXPIRY -2')).toHaveLength(25)
    expect(balanceOf(on.db, on.realmId, on.userId)).toMatchObject({ available: 7, purchased: 7 })
    expectLedgerInOrder(on)
  })

  test('never touches what was bought, nor what has no end', async () => {
    using on = await stage()
    await given(on, 'purchase', 5)
    await given(on, 'welcome', 5)
    await given(on, 'admin', 5)
    on.clock.advance(3_650 * DAY)
    expect(await write(on.db, tx => expireBatch(tx, 10))).toBe(0)
    expect(balanceOf(on.db, on.realmId, on.userId)).toEqual({
      available: 15,
      purchased: 5,
      subscription: 0,
      bonus: 10,
      reserved: 0,
      totalAllocated: 15,
      owed: 0,
      nextExpiry: null,
    })
  })

  test('of bought tokens, or in the past, is a bug of the caller', async () => {
    using on = await stage()
    for (const [origin, inMs] of [
      ['purchase', DAY],
      ['bonus', 0],
      ['bonus', -1],
    ] as const) {
      const error = await given(on, origin, 5, inMs).catch(thrown => thrown)
      expect(error).toBeInstanceOf(InvariantError)
    }
  })
})

test('a balance tells where its tokens come from, what goes first, and writes nothing', async () => {
  using on = await stage()
  await given(on, 'purchase', 1)
  await given(on, 'subscription', 2, 2 * DAY)
  await given(on, 'bonus', 4, DAY)
  await given(on, 'bonus', 8, DAY)
  await given(on, 'welcome', 16)
  await given(on, 'admin', 32)
  await held(on, 3)
  const before = snapshot(on.db)
  const at = on.clock.now() + DAY
  expect(balanceOf(on.db, on.realmId, on.userId)).toEqual({
    available: 60,
    purchased: 1,
    subscription: 2,
    bonus: 57,
    reserved: 3,
    totalAllocated: 63,
    owed: 0,
    nextExpiry: { amount: 9, at },
  })
  on.clock.advance(DAY)
  expect(balanceOf(on.db, on.realmId, on.userId)).toEqual({
    available: 51,
    purchased: 1,
    subscription: 2,
    bonus: 48,
    reserved: 3,
    totalAllocated: 54,
    owed: 0,
    nextExpiry: { amount: 2, at: at + DAY },
  })
  expect(snapshot(on.db)).toBe(before)
})
