import { describe, expect, test } from 'bun:test'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { DAY } from '@/base/clock'
import { AppError } from '@/base/errors'
import type { EntryId, UserId } from '@/base/ids'
import { InvariantError } from '@/base/invariant'
import { write } from '@/db/write'
import {
  adjust,
  balanceOf,
  charge,
  explain,
  grant,
  hold,
  listEntries,
  type Origin,
  reverseGrant,
  voidHold,
} from '@/domain/ledger'
import { aJob, aUser, endJob, type LedgerRig, ledgerRig, snapshot } from './rig'

const ALL = { before: Number.MAX_SAFE_INTEGER, limit: 1_000 }

type Stage = LedgerRig & {
  clock: FakeClock
  owner: { realmId: LedgerRig['realmId']; userId: UserId }
}

async function stage(): Promise<Stage> {
  const clock = fakeClock()
  const rig = await ledgerRig({ clock })
  const userId = await write(rig.db, tx => aUser(tx, rig.realmId))
  return Object.assign(rig, { clock, owner: { realmId: rig.realmId, userId } })
}

function given(on: Stage, origin: Origin, amount: number, inMs: number | null = null) {
  return write(on.db, tx =>
    grant(tx, {
      ...on.owner,
      amount,
      type: 'GRANT',
      origin,
      expiresAt: inMs === null ? null : tx.now + inMs,
      description: origin,
    }),
  )
}

const spent = (on: Stage, amount: number) =>
  write(on.db, tx => charge(tx, { ...on.owner, amount, description: 'a feature' }))

const reversed = (on: Stage, entryId: EntryId) =>
  write(on.db, tx => reverseGrant(tx, { ...on.owner, entryId, description: 'refunded' }))

const adjusted = (on: Stage, amount: number) =>
  write(on.db, tx => adjust(tx, { ...on.owner, amount, description: 'a correction' }))

const balance = (on: Stage) => balanceOf(on.db, on.owner.realmId, on.owner.userId)

const types = (on: Stage) =>
  listEntries(on.db, on.owner.realmId, on.owner.userId, ALL)
    .map(entry => `${entry.type} ${entry.amount} = ${entry.balanceAfter}`)
    .toReversed()

async function refused(act: Promise<unknown>): Promise<AppError> {
  const error: unknown = await act.catch(thrown => thrown)
  if (error instanceof AppError) return error
  throw new Error('it was not refused', { cause: error })
}

describe('a reversed grant', () => {
  test('that is still there goes whole, and nothing is owed', async () => {
    using on = await stage()
    await given(on, 'purchase', 7)
    const { entryId } = await given(on, 'purchase', 100)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 100, owed: 0, newBalance: 7 })
    expect(types(on).at(-1)).toBe('CLAWBACK -100 = 7')
    expectLedgerInOrder(on)
  })

  test('that was spent in part takes the rest, and what was spent is owed', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'purchase', 100)
    await spent(on, 60)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 40, owed: 60, newBalance: 0 })
    expect(balance(on)).toMatchObject({ available: 0, owed: 60 })
    expect(types(on).slice(2)).toEqual(['DEBT 60 = 100', 'CLAWBACK -100 = 0'])
    expectLedgerInOrder(on)
  })

  test('takes from its own bucket, then from plain tokens, and from no other bucket', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'bonus', 10, DAY)
    await spent(on, 4)
    await given(on, 'subscription', 50, 2 * DAY)
    await given(on, 'purchase', 3)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 9, owed: 1 })
    expect(balance(on)).toMatchObject({ bonus: 0, purchased: 0, subscription: 50, owed: 1 })
    expectLedgerInOrder(on)
  })

  test('of which all is gone writes it down all the same, and happens once', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'purchase', 100)
    await spent(on, 100)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 0, owed: 100, newBalance: 0 })
    const before = snapshot(on.db)
    expect((await refused(reversed(on, entryId))).code).toBe('conflict')
    expect(snapshot(on.db)).toBe(before)
    expectLedgerInOrder(on)
  })

  test('does not ask for what has expired of it', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'bonus', 10, DAY)
    await spent(on, 3)
    on.clock.advance(DAY)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 0, owed: 3, newBalance: 0 })
    expectLedgerInOrder(on)
  })

  test('of which all has expired leaves nothing to take, and no entry', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'bonus', 10, DAY)
    on.clock.advance(DAY)
    for (let i = 0; i < 2; i++) {
      expect(await reversed(on, entryId)).toMatchObject({ entryId: null, taken: 0, owed: 0 })
    }
    expect(types(on)).toEqual(['GRANT 10 = 10', 'EXPIRY -10 = 0'])
    expectLedgerInOrder(on)
  })

  test('leaves alone what is held; what comes back later goes to its place, and the debt stays', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'purchase', 100)
    const jobId = await write(on.db, tx => {
      const id = aJob(tx, on.owner.realmId, on.owner.userId, 60)
      hold(tx, { ...on.owner, jobId: id, purpose: 'generate', amount: 60, description: '' })
      return id
    })
    expect(await reversed(on, entryId)).toMatchObject({ taken: 40, owed: 60 })
    await write(on.db, tx => endJob(tx, jobId, voidHold(tx, jobId, 'generate')))
    expect(balance(on)).toMatchObject({ available: 60, reserved: 0, owed: 60 })
    expect(await given(on, 'purchase', 10)).toMatchObject({ newBalance: 60, debtPaid: 10 })
    expectLedgerInOrder(on)
  })

  test('is a grant of this user, or nothing', async () => {
    using on = await stage()
    await given(on, 'purchase', 100)
    const paid = await spent(on, 5)
    const other = await write(on.db, tx => aUser(tx, on.realmId, 5))
    const [foreign] = listEntries(on.db, on.realmId, other, ALL)
    const before = snapshot(on.db)
    expect((await refused(reversed(on, paid.entryId))).code).toBe('invalid_input')
    expect((await refused(reversed(on, foreign?.id ?? (0 as EntryId)))).code).toBe('not_found')
    expect(snapshot(on.db)).toBe(before)
  })

  test('a hundred times at once happens once', async () => {
    using on = await stage()
    const { entryId } = await given(on, 'purchase', 100)
    const answers = await Promise.allSettled(
      Array.from({ length: 100 }, () => reversed(on, entryId)),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(balance(on)).toMatchObject({ available: 0, owed: 0 })
    expectLedgerInOrder(on)
  })
})

describe('a debt', () => {
  async function owing(on: Stage, amount: number): Promise<void> {
    const { entryId } = await given(on, 'purchase', amount)
    await spent(on, amount)
    await reversed(on, entryId)
  }

  test('is paid by the next grants first, each right behind its own entry', async () => {
    using on = await stage()
    await owing(on, 60)
    expect(await given(on, 'purchase', 25)).toMatchObject({
      previousBalance: 0,
      newBalance: 0,
      debtPaid: 25,
    })
    expect(await given(on, 'subscription', 50, DAY)).toMatchObject({
      newBalance: 15,
      debtPaid: 35,
    })
    expect(await given(on, 'bonus', 5)).toMatchObject({ newBalance: 20, debtPaid: 0 })
    expect(types(on).slice(4)).toEqual([
      'GRANT 25 = 25',
      'DEBT_PAYMENT -25 = 0',
      'GRANT 50 = 50',
      'DEBT_PAYMENT -35 = 15',
      'GRANT 5 = 20',
    ])
    expect(balance(on)).toMatchObject({ subscription: 15, bonus: 5, owed: 0 })
    expectLedgerInOrder(on)
  })

  test('is paid by an operator who raises the balance', async () => {
    using on = await stage()
    await owing(on, 60)
    expect(await adjusted(on, 60)).toMatchObject({ newBalance: 0, debtPaid: 60 })
    expect(balance(on)).toMatchObject({ available: 0, owed: 0 })
    expectLedgerInOrder(on)
  })

  test('is owed again when the grant that paid it is taken back', async () => {
    using on = await stage()
    await owing(on, 60)
    const { entryId } = await given(on, 'purchase', 100)
    expect(await reversed(on, entryId)).toMatchObject({ taken: 40, owed: 60, newBalance: 0 })
    expect(balance(on)).toMatchObject({ available: 0, owed: 60 })
    expectLedgerInOrder(on)
  })
})

describe('an adjustment', () => {
  test('raises into a bucket of the operator’s that never expires', async () => {
    using on = await stage()
    expect(await adjusted(on, 9)).toMatchObject({ previousBalance: 0, newBalance: 9 })
    expect(balance(on)).toMatchObject({ bonus: 9, purchased: 0, nextExpiry: null })
    expect(types(on)).toEqual(['ADMIN_ADJUSTMENT 9 = 9'])
    expectLedgerInOrder(on)
  })

  test('lowers as spending does, and never below what there is', async () => {
    using on = await stage()
    await given(on, 'purchase', 10)
    await given(on, 'bonus', 5, DAY)
    expect(await adjusted(on, -8)).toMatchObject({ previousBalance: 15, newBalance: 7 })
    expect(balance(on)).toMatchObject({ bonus: 0, purchased: 7 })
    const before = snapshot(on.db)
    const error = await refused(adjusted(on, -8))
    expect([error.status, error.detail]).toEqual([402, { balance: 7, required: 8 }])
    expect(snapshot(on.db)).toBe(before)
    expectLedgerInOrder(on)
  })

  test('of nothing or of a fraction is a bug of the caller', async () => {
    using on = await stage()
    for (const amount of [0, 0.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(await adjusted(on, amount).catch(error => error)).toBeInstanceOf(InvariantError)
    }
  })
})

test('the story of a user is told in words, the newest last', async () => {
  using on = await stage()
  const bonus = await given(on, 'bonus', 10, DAY)
  const bought = await given(on, 'purchase', 20)
  await write(on.db, tx => {
    const id = aJob(tx, on.owner.realmId, on.owner.userId, 15)
    hold(tx, { ...on.owner, jobId: id, purpose: 'generate', amount: 15, description: 'a-model' })
    endJob(tx, id, voidHold(tx, id, 'generate'))
  })
  await spent(on, 12)
  on.clock.advance(DAY)
  await reversed(on, bought.entryId)
  await given(on, 'subscription', 5, DAY)
  await adjusted(on, -1)
  const story = explain(on.db, on.owner.realmId, on.owner.userId)
  const words = story.map(line =>
    line.text.replace(/(job|txn)_\w+/g, '$1').replace(/T[\d:]+Z/g, ''),
  )
  expect(words).toEqual([
    'given bonus until 2026-01-16: bonus',
    'given bought: purchase',
    'held for job from 10 bonus until 2026-01-16 and 5 bought: a-model',
    'back from job to 10 bonus until 2026-01-16 and 5 bought: job ended without a result',
    'charged, from 10 bonus until 2026-01-16 and 2 bought: a feature',
    '2 of what is reversed next had been spent, and are owed',
    'the grant txn was reversed: refunded',
    'given subscription until 2026-01-17: subscription',
    'paid of the debt, from the grant txn',
    'lowered by the operator, from 1 subscription until 2026-01-17: a correction',
    'now: 2 to spend (0 bought, 2 of a subscription, 0 bonus), 0 held, 0 owed; 2 expire at 2026-01-17 first',
  ])
  expect(story.map(line => line.balanceAfter)).toEqual([10, 30, 15, 30, 18, 20, 0, 5, 3, 2, 2])
  expect(bonus.entryId).toBe(story[0]?.entryId ?? (0 as EntryId))
  expectLedgerInOrder(on)
})
