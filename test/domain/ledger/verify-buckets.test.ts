import { describe, expect, test } from 'bun:test'
import { fakeClock } from '@test/support/fake-clock'
import { openTestDb } from '@test/support/test-db'
import { DAY } from '@/base/clock'
import type { BucketId, EntryId, HoldId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import {
  charge,
  type Difference,
  expireDue,
  grant,
  hold,
  reverseCharge,
  reverseGrant,
  settle,
  verify,
} from '@/domain/ledger'
import { aJob, aUser, endJob, type LedgerRig, ledgerRig, unguardedCopy } from './rig'

/** An honest book with everything that buckets bring. */
type Book = {
  user: UserId
  other: UserId
  bonus: BucketId
  hold: HoldId
  charge: HoldId
  reversed: EntryId
}

async function honestBook(rig: LedgerRig): Promise<Book> {
  const { realmId } = rig
  const ids = await write(rig.db, tx => {
    const user = aUser(tx, realmId, 100)
    const other = aUser(tx, realmId)
    const give = (userId: UserId, amount: number) =>
      grant(tx, {
        realmId,
        userId,
        amount,
        type: 'BONUS',
        origin: 'bonus',
        expiresAt: tx.now + DAY,
        description: '',
      }).entryId
    give(user, 20)
    give(other, 30)
    const jobId = aJob(tx, realmId, user, 12)
    const what = { jobId, purpose: 'generate', amount: 12, description: '' }
    hold(tx, { realmId, userId: user, ...what })
    endJob(tx, jobId, settle(tx, jobId, 'generate', 7))
    const paid = charge(tx, { realmId, userId: user, amount: 5, description: '' })
    const back = charge(tx, { realmId, userId: user, amount: 3, description: '' })
    reverseCharge(tx, { realmId, userId: user, entryId: back.entryId, description: '' })
    const spent = give(other, 9)
    charge(tx, { realmId, userId: other, amount: 35, description: '' })
    reverseGrant(tx, { realmId, userId: other, entryId: spent, description: '' })
    return { user, other, charge: paid.holdId, reversed: spent, jobId }
  })
  ;(rig.db.clock as ReturnType<typeof fakeClock>).advance(DAY)
  await write(rig.db, tx => expireDue(tx, ids.user))
  const one = <T>(sql: string, ...params: number[]) =>
    (rig.db.sqlite.query(sql).get(...params) as { id: T }).id
  return {
    ...ids,
    bonus: one<BucketId>('SELECT id FROM token_buckets WHERE user_id = ?', ids.user),
    hold: one<HoldId>('SELECT id FROM holds WHERE job_id = ?', ids.jobId),
  }
}

type Fault = {
  name: string
  plant(db: Db, book: Book): void
  named(book: Book): Partial<Difference>
}

const FAULTS: Fault[] = [
  {
    name: 'a bucketed that is off by one',
    plant: (db, { user }) =>
      db.sqlite.run('UPDATE users SET bucketed = bucketed + 1 WHERE id = ?', [user]),
    named: ({ user }) => ({ userId: user, what: 'bucketed against what lies in buckets' }),
  },
  {
    name: 'a bucket that has more left than it should, and the account with it',
    plant(db, { user, bonus }) {
      db.sqlite.run('UPDATE token_buckets SET remaining = remaining + 2 WHERE id = ?', [bonus])
      db.sqlite.run('UPDATE users SET bucketed = bucketed + 2 WHERE id = ?', [user])
    },
    named: ({ user, bonus }) => ({
      userId: user,
      what: `remaining of bucket ${bonus}`,
      expected: 0,
      found: 2,
    }),
  },
  {
    name: 'a bucket that was filled with more than was given',
    plant: (db, { bonus }) =>
      db.sqlite.run('UPDATE token_buckets SET granted = granted + 1 WHERE id = ?', [bonus]),
    named: ({ user, bonus }) => ({
      userId: user,
      what: `grant of bucket ${bonus}`,
      expected: 20,
      found: 21,
    }),
  },
  {
    name: 'a part of a hold that is gone',
    plant: (db, { hold: id }) => db.sqlite.run('DELETE FROM hold_parts WHERE hold_id = ?', [id]),
    named: ({ user, bonus }) => ({ userId: user, what: `remaining of bucket ${bonus}` }),
  },
  {
    name: 'a part that gave back to its bucket what should have stayed spent',
    plant: (db, { hold: id }) =>
      db.sqlite.run('UPDATE hold_parts SET returned = returned + 1 WHERE hold_id = ?', [id]),
    named: ({ user, hold: id }) => ({
      userId: user,
      what: `what hold ${id} gave back to buckets`,
      expected: 5,
      found: 6,
    }),
  },
  {
    name: 'parts that are more than their hold',
    plant: (db, { hold: id }) =>
      db.sqlite.run('UPDATE hold_parts SET amount = 13 WHERE hold_id = ?', [id]),
    named: ({ user, hold: id }) => ({
      userId: user,
      what: `parts of hold ${id}`,
      expected: 12,
      found: 13,
    }),
  },
  {
    name: 'a hold that took from the bucket of somebody else',
    plant: (db, { other, hold: id }) =>
      db.sqlite.run(
        'UPDATE hold_parts SET bucket_id = (SELECT min(id) FROM token_buckets WHERE user_id = ?) WHERE hold_id = ?',
        [other, id],
      ),
    named: ({ user }) => ({ userId: user, expected: 0, found: 12 }),
  },
  {
    name: 'an expiry that is gone, and the chain mended behind it',
    plant(db, { user }) {
      db.sqlite.run("DELETE FROM token_entries WHERE type = 'EXPIRY' AND user_id = ?", [user])
      db.sqlite.run(
        'UPDATE users SET balance = (SELECT sum(amount) FROM token_entries WHERE user_id = ?1) WHERE id = ?1',
        [user],
      )
    },
    named: ({ user, bonus }) => ({ userId: user, what: `remaining of bucket ${bonus}` }),
  },
  {
    name: 'an entry that names a bucket which is not there',
    plant: (db, { user }) =>
      db.sqlite.run(
        "UPDATE token_entries SET bucket_id = 7 WHERE type = 'EXPIRY' AND user_id = ?",
        [user],
      ),
    named: ({ user }) => ({ userId: user, expected: 0, found: -8 }),
  },
  {
    name: 'a debt that was forgotten',
    plant: (db, { other }) => db.sqlite.run('UPDATE users SET owed = 0 WHERE id = ?', [other]),
    named: ({ other }) => ({
      userId: other,
      what: 'owed against what was lent and paid',
      expected: 5,
      found: 0,
    }),
  },
  {
    name: 'a charge of which a part was kept',
    plant: (db, { charge: id }) =>
      db.sqlite.run('UPDATE holds SET settled_amount = 2 WHERE id = ?', [id]),
    named: ({ user, charge: id }) => ({ userId: user, what: `charge ${id}` }),
  },
  {
    name: 'a reversal of more than was given',
    plant: (db, { reversed }) =>
      db.sqlite.run('UPDATE holds SET amount = 900 WHERE job_id = ?', [reversed]),
    named: ({ other, reversed }) => ({
      userId: other,
      what: `reversal of entry ${reversed}`,
      expected: 9,
      found: 900,
    }),
  },
]

describe('verify', () => {
  test('finds nothing in an honest book with buckets, debts and charges', async () => {
    using rig = await ledgerRig({ clock: fakeClock() })
    await honestBook(rig)
    expect(verify(rig.db)).toEqual([])
  })
  for (const fault of FAULTS) {
    test(`finds and names ${fault.name}`, async () => {
      using rig = await ledgerRig({ clock: fakeClock() })
      const book = await honestBook(rig)
      const copy = unguardedCopy(rig.db)
      copy.sqlite.run('PRAGMA ignore_check_constraints = ON')
      copy.sqlite.run('PRAGMA foreign_keys = OFF')
      expect(verify(copy)).toEqual([])
      fault.plant(copy, book)
      expect(verify(copy)).toContainEqual(expect.objectContaining(fault.named(book)))
      copy.close()
    })
  }
  test('sees one moment of a ledger that another process writes', async () => {
    using rig = await ledgerRig({ clock: fakeClock() })
    await honestBook(rig)
    const other = openTestDb(rig.db.path)
    const { sqlite } = rig.db
    let questions = 0
    const meddling = new Proxy(sqlite, {
      get(target, name) {
        // Between the first question and the second somebody writes what the third would stumble over.
        if (name === 'query' && ++questions === 2) {
          other.sqlite.run('UPDATE users SET reserved = reserved + 1')
        }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    expect(verify({ ...rig.db, sqlite: meddling })).toEqual([])
    expect(questions).toBeGreaterThan(10)
    expect(sqlite.inTransaction).toBe(false)
    expect(verify(rig.db)).toHaveLength(2)
    other.close()
  })
})
