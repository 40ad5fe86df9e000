import { describe, expect, test } from 'bun:test'
import type { JobId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { type Difference, hold, settle, verify, voidHold } from '@/domain/ledger'
import { aJob, aUser, endJob, type LedgerRig, ledgerRig, unguardedCopy } from './rig'

const PURPOSE = 'generate'

/** A small honest book: what each job is called says how it stands. */
type Book = {
  user: UserId
  other: UserId
  jobs: Record<'settled' | 'partly' | 'voided' | 'open' | 'free', JobId>
}

async function honestBook(rig: LedgerRig): Promise<Book> {
  return await write(rig.db, tx => {
    const user = aUser(tx, rig.realmId, 100)
    const other = aUser(tx, rig.realmId, 7)
    const held = (amount: number) => {
      const jobId = aJob(tx, rig.realmId, user, amount)
      hold(tx, {
        realmId: rig.realmId,
        userId: user,
        jobId,
        purpose: PURPOSE,
        amount,
        description: '',
      })
      return jobId
    }
    const jobs = {
      settled: held(5),
      partly: held(8),
      voided: held(3),
      open: held(4),
      free: held(0),
    }
    endJob(tx, jobs.settled, settle(tx, jobs.settled, PURPOSE, 5))
    endJob(tx, jobs.partly, settle(tx, jobs.partly, PURPOSE, 2))
    endJob(tx, jobs.voided, voidHold(tx, jobs.voided, PURPOSE))
    endJob(tx, jobs.free, 0)
    return { user, other, jobs }
  })
}

/** The entry of a hold, and what it was about. */
function entryOf(db: Db, jobId: JobId, type: string): { id: number; hold_id: number } {
  return db.sqlite
    .query('SELECT id, hold_id FROM token_entries WHERE job_id = ? AND type = ?')
    .get(jobId, type) as { id: number; hold_id: number }
}

type Fault = {
  name: string
  plant(db: Db, book: Book): void
  /** What must be among the differences, and nothing of other users. */
  named(db: Db, book: Book): Partial<Difference>[]
}

const FAULTS: Fault[] = [
  {
    name: 'a balance off by one',
    plant: (db, { user }) =>
      db.sqlite.run('UPDATE users SET balance = balance + 1 WHERE id = ?', [user]),
    named: (_, { user }) => [
      { userId: user, what: 'balance against the sum of entries', expected: 89, found: 90 },
    ],
  },
  {
    name: 'a missing entry in the middle',
    plant: (db, { jobs }) =>
      db.sqlite.run('DELETE FROM token_entries WHERE job_id = ? AND amount < 0', [jobs.partly]),
    named: (db, { user, jobs }) => [
      { userId: user, what: 'balance against the sum of entries', expected: 97, found: 89 },
      {
        userId: user,
        what: `balance_after of entry ${entryOf(db, jobs.voided, 'GENERATION_DEBIT').id}`,
        expected: 92,
        found: 84,
      },
      {
        userId: user,
        what: `entries of hold ${entryOf(db, jobs.partly, 'GENERATION_REFUND').hold_id}`,
        expected: -2,
        found: 6,
      },
    ],
  },
  {
    name: 'a missing last entry',
    plant: (db, { other }) => db.sqlite.run('DELETE FROM token_entries WHERE user_id = ?', [other]),
    named: (_, { other }) => [
      { userId: other, what: 'balance against the sum of entries', expected: 0, found: 7 },
    ],
  },
  {
    name: 'a wrong balance_after',
    plant: (db, { jobs }) =>
      db.sqlite.run(
        'UPDATE token_entries SET balance_after = balance_after + 10 WHERE job_id = ? AND amount < 0',
        [jobs.settled],
      ),
    named: (db, { user, jobs }) => [
      {
        userId: user,
        what: `balance_after of entry ${entryOf(db, jobs.settled, 'GENERATION_DEBIT').id}`,
        expected: 95,
        found: 105,
      },
    ],
  },
  {
    name: 'a wrong amount, with all that follows made to fit',
    plant: (db, { user, jobs }) => {
      const { id } = entryOf(db, jobs.settled, 'GENERATION_DEBIT')
      db.sqlite.run('UPDATE token_entries SET amount = amount + 1 WHERE id = ?', [id])
      db.sqlite.run(
        'UPDATE token_entries SET balance_after = balance_after + 1 WHERE user_id = ? AND id >= ?',
        [user, id],
      )
      db.sqlite.run('UPDATE users SET balance = balance + 1 WHERE id = ?', [user])
    },
    named: (db, { user, jobs }) => [
      {
        userId: user,
        what: `entries of hold ${entryOf(db, jobs.settled, 'GENERATION_DEBIT').hold_id}`,
        expected: -5,
        found: -4,
      },
    ],
  },
  {
    name: 'an open hold of an ended job',
    plant: (db, { jobs }) =>
      db.sqlite.run(
        "UPDATE jobs SET status = 'failed', error_code = 'internal', completed_at = 1, tokens_refunded = 4 WHERE id = ?",
        [jobs.open],
      ),
    named: (_, { user, jobs }) => [{ userId: user, what: `tokens of job ${jobs.open}` }],
  },
  {
    name: 'a resolved hold of a job that still runs',
    plant: (db, { jobs }) =>
      db.sqlite.run(
        "UPDATE jobs SET status = 'running', completed_at = NULL, tokens_refunded = 0 WHERE id = ?",
        [jobs.settled],
      ),
    named: (_, { user, jobs }) => [{ userId: user, what: `tokens of job ${jobs.settled}` }],
  },
  {
    name: 'a refund recorded twice, and paid twice',
    plant: (db, { user, jobs }) => {
      const { hold_id } = entryOf(db, jobs.voided, 'GENERATION_REFUND')
      db.sqlite.run(
        `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id,
           description, created_at)
         SELECT user_id, 9007199254740000, realm_id, 3, 92, type, hold_id, job_id, description, created_at
         FROM token_entries WHERE hold_id = ? AND type = 'GENERATION_REFUND'`,
        [hold_id],
      )
      db.sqlite.run('UPDATE users SET balance = balance + 3 WHERE id = ?', [user])
    },
    named: (db, { user, jobs }) => [
      {
        userId: user,
        what: `entries of hold ${entryOf(db, jobs.voided, 'GENERATION_DEBIT').hold_id}`,
        expected: 0,
        found: 3,
      },
    ],
  },
  {
    name: 'reserved by one too much',
    plant: (db, { user }) =>
      db.sqlite.run('UPDATE users SET reserved = reserved + 1 WHERE id = ?', [user]),
    named: (_, { user }) => [
      { userId: user, what: 'reserved against open holds', expected: 4, found: 5 },
    ],
  },
  {
    name: 'reserved for a user who holds nothing',
    plant: (db, { other }) =>
      db.sqlite.run('UPDATE users SET reserved = reserved + 1 WHERE id = ?', [other]),
    named: (_, { other }) => [
      { userId: other, what: 'reserved against open holds', expected: 0, found: 1 },
    ],
  },
  {
    name: 'a job that says it gave back more than its hold did',
    plant: (db, { jobs }) =>
      db.sqlite.run('UPDATE jobs SET tokens_refunded = 8 WHERE id = ?', [jobs.partly]),
    named: (_, { user, jobs }) => [
      { userId: user, what: `tokens of job ${jobs.partly}`, expected: 6, found: 8 },
    ],
  },
  {
    name: 'a job that costs something without a hold',
    plant: (db, { jobs }) =>
      db.sqlite.run('UPDATE jobs SET tokens_charged = 9 WHERE id = ?', [jobs.free]),
    named: (_, { user, jobs }) => [{ userId: user, what: `tokens of job ${jobs.free}` }],
  },
  {
    name: 'a hold that is gone, its debit with it',
    plant: (db, { user, jobs }) => {
      db.sqlite.run('DELETE FROM holds WHERE job_id = ?', [jobs.open])
      db.sqlite.run('DELETE FROM token_entries WHERE job_id = ?', [jobs.open])
      db.sqlite.run('UPDATE users SET reserved = 0, balance = balance + 4 WHERE id = ?', [user])
    },
    named: (_, { user, jobs }) => [{ userId: user, what: `tokens of job ${jobs.open}` }],
  },
  {
    name: 'entries of a hold that is gone',
    plant: (db, { jobs }) => {
      db.sqlite.run("UPDATE holds SET purpose = 'upscale' WHERE job_id = ?", [jobs.partly])
      db.sqlite.run('DELETE FROM jobs WHERE id = ?', [jobs.partly])
      db.sqlite.run('DELETE FROM holds WHERE job_id = ?', [jobs.partly])
    },
    named: (db, { user, jobs }) => {
      const { id, hold_id } = entryOf(db, jobs.partly, 'GENERATION_DEBIT')
      return [{ userId: user, what: `entry ${id} of hold ${hold_id}`, expected: 0, found: -8 }]
    },
  },
]

/** One user pays for another's job, and all sums fit. */
function payWithOthersTokens(db: Db, { user, other, jobs }: Book) {
  const { id } = entryOf(db, jobs.open, 'GENERATION_DEBIT')
  // It is the last but one of the payer's entries: what came after it moves up.
  db.sqlite.run('UPDATE token_entries SET user_id = ?, balance_after = 3 WHERE id = ?', [other, id])
  db.sqlite.run(
    'UPDATE token_entries SET balance_after = balance_after + 4 WHERE user_id = ? AND id > ?',
    [user, id],
  )
  db.sqlite.run('UPDATE users SET balance = balance + 4 WHERE id = ?', [user])
  db.sqlite.run('UPDATE users SET balance = balance - 4 WHERE id = ?', [other])
}

describe('verify', () => {
  test('finds nothing in an honest book', async () => {
    using rig = await ledgerRig()
    await honestBook(rig)
    expect(verify(rig.db)).toEqual([])
  })

  for (const fault of FAULTS) {
    test(`finds and names ${fault.name}`, async () => {
      using rig = await ledgerRig()
      const book = await honestBook(rig)
      const copy = unguardedCopy(rig.db)
      expect(verify(copy)).toEqual([])
      fault.plant(copy, book)
      const found = verify(copy)
      for (const named of fault.named(copy, book)) {
        expect(found).toContainEqual(expect.objectContaining(named))
      }
      const [first] = fault.named(copy, book)
      expect(new Set(found.map(difference => difference.userId))).toEqual(
        new Set([first?.userId ?? 0]),
      )
      copy.close()
    })
  }

  test('finds and names tokens of one user that paid for the job of another', async () => {
    using rig = await ledgerRig()
    const book = await honestBook(rig)
    const copy = unguardedCopy(rig.db)
    payWithOthersTokens(copy, book)
    const { id, hold_id } = entryOf(copy, book.jobs.open, 'GENERATION_DEBIT')
    expect(verify(copy)).toEqual([
      { userId: book.user, what: `entries of hold ${hold_id}`, expected: -4, found: 0 },
      { userId: book.other, what: `entry ${id} of hold ${hold_id}`, expected: 0, found: -4 },
    ])
    copy.close()
  })

  test('reads two hundred thousand entries in seconds', async () => {
    const USERS = 1_000
    const HOLDS_EACH = 100
    using rig = await ledgerRig()
    const { sqlite } = rig.db
    // Each user: 1,000 granted, then a hundred holds of 2 that kept 1.
    sqlite.run('BEGIN')
    sqlite.run(
      `WITH RECURSIVE u (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM u WHERE n < ${USERS})
       INSERT INTO users (id, realm_id, balance, created_at, updated_at)
       SELECT n, ${rig.realmId}, 1000 - ${HOLDS_EACH}, 0, 0 FROM u`,
    )
    sqlite.run(
      `CREATE TEMP TABLE h AS
       WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ${HOLDS_EACH})
       SELECT u.id AS user, k.n AS n, u.id * 1000 + k.n AS id FROM users u, k`,
    )
    sqlite.run(
      `INSERT INTO holds SELECT id, ${rig.realmId}, user, id, '${PURPOSE}', 2, 'settled', 1, 0, 0 FROM h`,
    )
    sqlite.run(
      `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs,
         quote, tokens_charged, tokens_refunded, metadata, created_at, completed_at)
       SELECT id, ${rig.realmId}, user, 'image', 1, 'm', 'succeeded', 10, 2, '{}', 2, 1, '{}', 0, 0 FROM h`,
    )
    sqlite.run(
      `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id,
         description, created_at)
       SELECT id, 0, ${rig.realmId}, 1000, 1000, 'GRANT', NULL, NULL, '', 0 FROM users
       UNION ALL SELECT user, n * 2, ${rig.realmId}, -2, 1000 - n - 1, 'GENERATION_DEBIT', id, id, '', 0 FROM h
       UNION ALL SELECT user, n * 2 + 1, ${rig.realmId}, 1, 1000 - n, 'GENERATION_REFUND', id, id, '', 0 FROM h`,
    )
    sqlite.run('COMMIT')
    const entries = sqlite.query('SELECT count(*) AS n FROM token_entries').get() as { n: number }
    const startedAt = performance.now()
    expect(verify(rig.db)).toEqual([])
    const ms = performance.now() - startedAt
    console.log(`verify: ${entries.n} entries, ${USERS * HOLDS_EACH} holds: ${ms.toFixed(0)} ms`)
    expect(entries.n).toBeGreaterThan(200_000)
    expect(ms).toBeLessThan(5_000)
  }, 20_000)
})
