import type { Db } from '@/db/open'
import { STATEMENTS } from '@/db/statements'

/** A bug of the kind that somebody writes on a bad day. The simulator must find each. */
export type Fault = {
  name: string
  /** What it breaks, and by what it must be found. */
  breaks: string
  shows: RegExp
  plant(db: Db): void
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'a change of a bucket that the account does not hear of',
    breaks: 'balance = plain + buckets',
    shows: /the balance|the whole ledger/,
    plant: db => {
      spoil(
        db,
        /bucketed = bucketed \+ \$bucketed, owed/,
        'bucketed = bucketed + 0 * $bucketed, owed',
      )
      ignoreChecks(db)
    },
  },
  {
    name: 'a hold that looks at the balance and not at what was spent since',
    breaks: 'no negative',
    shows: /should have told insufficient_tokens/,
    plant: db => {
      spoil(db, / AND bucketed = 0 AND balance >= \$amount/, ' AND bucketed = 0')
      ignoreChecks(db)
    },
  },
  {
    name: 'a hold that resolves a second time',
    breaks: 'each hold resolved once',
    shows: /should have told superseded/,
    plant: db => {
      spoil(
        db,
        /WHERE job_id = \$jobId AND purpose = \$purpose AND state = 'open'/,
        'WHERE job_id = $jobId AND purpose = $purpose',
      )
      db.sqlite.run('DROP TRIGGER resolved_holds_stay_resolved')
      db.sqlite.run('DROP INDEX token_entries_by_hold')
    },
  },
  {
    name: 'a period, or a receipt, that is granted twice',
    breaks: 'granted once per source',
    shows: /should have told unique/,
    plant: db => db.sqlite.run('DROP INDEX token_entries_by_source'),
  },
  {
    name: 'a refund that forgets its buckets and comes back plain',
    breaks: 'refunds to their buckets',
    shows: /the balance/,
    plant: db =>
      spoil(db, /EXISTS \(SELECT 1 FROM hold_parts p WHERE p\.hold_id = holds\.id\)/, '0'),
  },
  {
    name: 'what expires last is spent first',
    breaks: 'the order of spending',
    shows: /the balance|the buckets/,
    plant: db =>
      spoil(
        db,
        /remaining > 0 ORDER BY expires_at, id LIMIT/,
        'remaining > 0 ORDER BY expires_at DESC, id LIMIT',
      ),
  },
  {
    name: 'a refund to an expired bucket without a grace',
    breaks: 'reopened for the grace time',
    shows: /the balance/,
    plant: db =>
      spoil(
        db,
        /remaining \+ \$amount, expires_at = \$expiresAt/,
        'remaining + $amount, expires_at = expires_at + 0 * $expiresAt',
      ),
  },
  {
    name: 'an expiry that comes a day late',
    breaks: 'expired on time',
    shows: /told/,
    plant: db =>
      spoil(
        db,
        /expires_at <= \$now\n {3}ORDER BY expires_at, id/,
        'expires_at <= $now - 86400000 ORDER BY expires_at, id',
      ),
  },
  {
    name: 'a debt that the next grant does not pay',
    breaks: 'owed is paid first',
    shows: /grant told 0/,
    plant: db => spoil(db, /RETURNING balance, owed/, 'RETURNING balance, 0 AS owed'),
  },
  {
    name: 'a charge that comes back twice',
    breaks: 'reversed once',
    shows: /should have told conflict/,
    plant: db => {
      spoil(db, / AND settled_amount = amount/, '')
      spoil(db, /bucket_id = \$bucketId AND returned = 0/, 'bucket_id = $bucketId')
      db.sqlite.run('DROP INDEX token_entries_by_hold')
    },
  },
  {
    name: 'a balance that shows what has expired',
    breaks: 'never shown after its time',
    shows: /the balance/,
    plant: db =>
      spoil(db, /FILTER \(WHERE expires_at <= \$now\)/, 'FILTER (WHERE expires_at < 0 * $now)'),
  },
]

/** Gives this database another text for the statements that have `find` in them. */
function spoil(db: Db, find: RegExp, put: string): void {
  const found = STATEMENTS.entries().filter(([, { sql }]) => find.test(sql))
  let count = 0
  for (const [number, { sql }] of found) {
    db.prepared[number] = db.sqlite.prepare(sql.replace(find, () => put))
    count++
  }
  // A fault that is not planted would prove nothing.
  if (count === 0) throw new Error(`no statement has ${find}`)
}

/** The table's own checks would stop it: without them the simulator must see it by itself. */
function ignoreChecks(db: Db): void {
  db.sqlite.run('PRAGMA ignore_check_constraints = ON')
}
