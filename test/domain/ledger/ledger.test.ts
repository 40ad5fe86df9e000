import { describe, expect, test } from 'bun:test'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { AppError, Superseded } from '@/base/errors'
import type { JobId } from '@/base/ids'
import { InvariantError } from '@/base/invariant'
import { write } from '@/db/write'
import { balanceOf, grant, hold, listEntries, settle, voidHold } from '@/domain/ledger'
import { MAX_BALANCE } from '@/domain/ledger/grant'
import { aJob, aRealm, aUser, endJob, give, type LedgerRig, ledgerRig, snapshot } from './rig'

const PURPOSE = 'generate'
const ALL = { before: Number.MAX_SAFE_INTEGER, limit: 1_000 }

async function userWith(rig: LedgerRig, balance: number) {
  return await write(rig.db, tx => aUser(tx, rig.realmId, balance))
}

/** A job with its hold, in one write as submit does it. */
async function heldJob(rig: LedgerRig, userId: Parameters<typeof aJob>[2], amount: number) {
  return await write(rig.db, tx => {
    const jobId = aJob(tx, rig.realmId, userId, amount)
    const left = hold(tx, {
      realmId: rig.realmId,
      userId,
      jobId,
      purpose: PURPOSE,
      amount,
      description: 'a-model',
    })
    return { jobId, left }
  })
}

async function settled(rig: LedgerRig, jobId: JobId, amount: number) {
  return await write(rig.db, tx => {
    const refund = settle(tx, jobId, PURPOSE, amount)
    endJob(tx, jobId, refund)
    return refund
  })
}

async function refused(act: Promise<unknown>): Promise<AppError> {
  const error: unknown = await act.catch(thrown => thrown)
  if (error instanceof AppError) return error
  throw new Error('it was not refused', { cause: error })
}

describe('a grant', () => {
  test('raises the balance and writes one entry that says by how much and to what', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 45)
    const made = await write(rig.db, tx =>
      grant(tx, {
        realmId: rig.realmId,
        userId,
        amount: 100,
        type: 'BONUS',
        description: 'thank you',
      }),
    )
    expect(made).toMatchObject({ previousBalance: 45, newBalance: 145 })
    expect(listEntries(rig.db, rig.realmId, userId, ALL)[0]).toMatchObject({
      id: made.entryId,
      amount: 100,
      balanceAfter: 145,
      type: 'BONUS',
      description: 'thank you',
      jobId: null,
    })
    expectLedgerInOrder(rig)
  })

  test('of nothing, of less, of a fraction or of more than a number holds is a bug of the caller', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 1)
    const before = snapshot(rig.db)
    for (const amount of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      const error = await write(rig.db, tx => give(tx, rig.realmId, userId, amount)).catch(e => e)
      expect(error).toBeInstanceOf(InvariantError)
    }
    expect(snapshot(rig.db)).toBe(before)
  })

  test('reaches the highest balance exactly and never passes it, holds included', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 10)
    const over = write(rig.db, tx => give(tx, rig.realmId, userId, MAX_BALANCE - 9))
    expect((await refused(over)).detail).toMatchObject({ details: [{ path: 'amount' }] })
    await write(rig.db, tx => give(tx, rig.realmId, userId, MAX_BALANCE - 10))
    expect(await settled(rig, jobId, 0)).toBe(10)
    expect(balanceOf(rig.db, rig.realmId, userId).available).toBe(MAX_BALANCE)
    expect((await refused(write(rig.db, tx => give(tx, rig.realmId, userId, 1)))).code).toBe(
      'invalid_input',
    )
    expectLedgerInOrder(rig)
  })

  test('of one source happens once: the database refuses the second', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 0)
    const fromStore = () =>
      write(rig.db, tx =>
        grant(tx, {
          realmId: rig.realmId,
          userId,
          amount: 5,
          type: 'GRANT',
          description: 'bought',
          source: { name: 'store', id: 'receipt-1' },
        }),
      )
    await fromStore()
    await expect(fromStore()).rejects.toThrow('UNIQUE')
    expect(balanceOf(rig.db, rig.realmId, userId).available).toBe(5)
    expectLedgerInOrder(rig)
  })
})

describe('a hold', () => {
  test('takes from the balance into what is reserved, with one entry', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 12)
    const { jobId, left } = await heldJob(rig, userId, 5)
    expect(left).toBe(7)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 7, reserved: 5 })
    expect(listEntries(rig.db, rig.realmId, userId, ALL)[0]).toMatchObject({
      amount: -5,
      balanceAfter: 7,
      type: 'GENERATION_DEBIT',
      jobId,
    })
    expectLedgerInOrder(rig)
  })

  test('of the whole balance leaves zero', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 5)
    expect((await heldJob(rig, userId, 5)).left).toBe(0)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 0, reserved: 5 })
    expectLedgerInOrder(rig)
  })

  test('of one token too many is a 402 that says what there is and what was asked, and nothing changed', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 4)
    const before = snapshot(rig.db)
    const error = await refused(heldJob(rig, userId, 5))
    expect({ code: error.code, status: error.status, detail: error.detail }).toEqual({
      code: 'insufficient_tokens',
      status: 402,
      detail: { balance: 4, required: 5 },
    })
    expect(snapshot(rig.db)).toBe(before)
  })

  test('cannot spend what another hold has reserved', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    await heldJob(rig, userId, 8)
    expect((await refused(heldJob(rig, userId, 3))).detail).toEqual({ balance: 2, required: 3 })
  })

  test('of nothing is free: no hold, no entry, and its end gives nothing back', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 3)
    const entries = listEntries(rig.db, rig.realmId, userId, ALL).length
    const { jobId, left } = await heldJob(rig, userId, 0)
    expect(left).toBe(3)
    expect(rig.db.sqlite.query('SELECT count(*) AS n FROM holds').get()).toEqual({ n: 0 })
    expect(await settled(rig, jobId, 0)).toBe(0)
    expect(await write(rig.db, tx => voidHold(tx, jobId, PURPOSE))).toBe(0)
    expect(listEntries(rig.db, rig.realmId, userId, ALL)).toHaveLength(entries)
    expectLedgerInOrder(rig)
  })

  test('of a negative, broken or endless amount is a bug of the caller', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 3)
    const before = snapshot(rig.db)
    for (const amount of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const held = write(rig.db, tx =>
        hold(tx, {
          realmId: rig.realmId,
          userId,
          jobId: tx.id(),
          purpose: PURPOSE,
          amount,
          description: '',
        }),
      )
      expect(await held.catch(error => error)).toBeInstanceOf(InvariantError)
    }
    expect(snapshot(rig.db)).toBe(before)
  })

  test('through another realm finds no such user', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 50)
    const before = snapshot(rig.db)
    const held = write(rig.db, tx => {
      const elsewhere = aRealm(tx, 'two')
      hold(tx, {
        realmId: elsewhere,
        userId,
        jobId: tx.id(),
        purpose: PURPOSE,
        amount: 5,
        description: '',
      })
    })
    expect(await held.catch(error => error)).toBeInstanceOf(InvariantError)
    expect(snapshot(rig.db)).toBe(before)
  })

  test('two hundred at once on a balance for exactly fifty: fifty get one, the others a 402', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 50 * 3)
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, () => heldJob(rig, userId, 3)),
    )
    const told = answers.map(answer =>
      answer.status === 'fulfilled' ? 'held' : String(answer.reason.code),
    )
    expect(told.filter(one => one === 'held')).toHaveLength(50)
    expect(told.filter(one => one === 'insufficient_tokens')).toHaveLength(150)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 0, reserved: 150 })
    expectLedgerInOrder(rig)
  })

  test('of a job for one purpose is made once', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 50)
    const { jobId } = await heldJob(rig, userId, 5)
    const again = write(rig.db, tx =>
      hold(tx, {
        realmId: rig.realmId,
        userId,
        jobId,
        purpose: PURPOSE,
        amount: 5,
        description: '',
      }),
    )
    await expect(again).rejects.toThrow('UNIQUE')
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 45, reserved: 5 })
    expectLedgerInOrder(rig)
  })
})

describe('the end of a hold', () => {
  test('settled in full: what was reserved is gone, and no entry says more', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 6)
    expect(await settled(rig, jobId, 6)).toBe(0)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 4, reserved: 0 })
    expect(listEntries(rig.db, rig.realmId, userId, ALL).map(entry => entry.type)).toEqual([
      'GENERATION_DEBIT',
      'GRANT',
    ])
    expectLedgerInOrder(rig)
  })

  test('settled for less: the rest comes back in one entry of its own', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 6)
    expect(await settled(rig, jobId, 2)).toBe(4)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 8, reserved: 0 })
    expect(listEntries(rig.db, rig.realmId, userId, ALL)[0]).toMatchObject({
      amount: 4,
      balanceAfter: 8,
      type: 'GENERATION_REFUND',
      jobId,
    })
    expectLedgerInOrder(rig)
  })

  test('settled for more than was held: refused, and the hold is still open', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 6)
    const before = snapshot(rig.db)
    expect(await settled(rig, jobId, 7).catch(error => error)).toBeInstanceOf(InvariantError)
    expect(snapshot(rig.db)).toBe(before)
    expect(await settled(rig, jobId, 6)).toBe(0)
  })

  test('voided: everything comes back', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 6)
    expect(await write(rig.db, tx => voidHold(tx, jobId, PURPOSE))).toBe(6)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 10, reserved: 0 })
  })

  for (const [first, second] of [
    ['settle', 'settle'],
    ['settle', 'void'],
    ['void', 'settle'],
    ['void', 'void'],
  ] as const) {
    test(`${second} after ${first}: Superseded, and nothing changed`, async () => {
      using rig = await ledgerRig()
      const userId = await userWith(rig, 10)
      const { jobId } = await heldJob(rig, userId, 6)
      const act = (verb: 'settle' | 'void') =>
        write(rig.db, tx =>
          verb === 'settle' ? settle(tx, jobId, PURPOSE, 3) : voidHold(tx, jobId, PURPOSE),
        )
      await act(first)
      const before = snapshot(rig.db)
      expect(await act(second).catch(error => error)).toBeInstanceOf(Superseded)
      expect(snapshot(rig.db)).toBe(before)
    })
  }

  test('raced by fifty: one wins, the others are Superseded, the tokens move once', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    const { jobId } = await heldJob(rig, userId, 6)
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) =>
        write(rig.db, tx =>
          i % 2 === 0 ? voidHold(tx, jobId, PURPOSE) : settle(tx, jobId, PURPOSE, 6),
        ),
      ),
    )
    const lost = answers.filter(answer => answer.status === 'rejected')
    expect(lost).toHaveLength(49)
    expect(lost.every(answer => answer.reason instanceof Superseded)).toBe(true)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 10, reserved: 0 })
  })

  test('each purpose of a job resolves by itself', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 20)
    const { jobId } = await heldJob(rig, userId, 6)
    await write(rig.db, tx =>
      hold(tx, {
        realmId: rig.realmId,
        userId,
        jobId,
        purpose: 'upscale',
        amount: 4,
        description: 'upscale',
      }),
    )
    expect(await write(rig.db, tx => voidHold(tx, jobId, 'upscale'))).toBe(4)
    expect(balanceOf(rig.db, rig.realmId, userId)).toMatchObject({ available: 14, reserved: 6 })
    expect(await settled(rig, jobId, 6)).toBe(0)
    expectLedgerInOrder(rig)
  })
})

describe('the book', () => {
  test('is never changed and never cut, whoever asks', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 10)
    await heldJob(rig, userId, 6)
    const before = snapshot(rig.db)
    for (const sql of [
      'UPDATE token_entries SET amount = amount + 1',
      'UPDATE token_entries SET description = description',
      'DELETE FROM token_entries',
      'DELETE FROM token_entries WHERE amount < 0',
    ]) {
      expect(() => rig.db.sqlite.run(sql)).toThrow('ledger entries are never')
    }
    expect(snapshot(rig.db)).toBe(before)
  })

  test('is read newest first, page by page, without gaps or repeats, and only by its own realm', async () => {
    using rig = await ledgerRig()
    const userId = await userWith(rig, 1)
    await write(rig.db, tx => {
      for (let i = 2; i <= 25; i++) give(tx, rig.realmId, userId, i)
    })
    const amounts: number[] = []
    let before = Number.MAX_SAFE_INTEGER
    for (;;) {
      const page = listEntries(rig.db, rig.realmId, userId, { before, limit: 10 })
      const last = page.at(-1)
      if (!last) break
      amounts.push(...page.map(entry => entry.amount))
      before = last.id
    }
    expect(amounts).toEqual(Array.from({ length: 25 }, (_, i) => 25 - i))
    const elsewhere = await write(rig.db, tx => aRealm(tx, 'two'))
    expect(listEntries(rig.db, elsewhere, userId, ALL)).toEqual([])
  })
})
