import type { Db } from '@/db/open'

/** One thing that does not add up, in words. */
export type Difference = { userId: number; what: string; expected: number; found: number }

/**
 * Re-adds the whole ledger and names what differs. Walks every entry, so it belongs to the shell, to a
 * thread and to tests, never to a request.
 */
export function verify(db: Db): Difference[] {
  return [sums, chain, reserved, holdEntries, strangers, jobsAndHolds].flatMap(check => check(db))
}

function sums(db: Db): Difference[] {
  return differences(
    db,
    `SELECT u.id AS userId, 'balance against the sum of entries' AS what,
       coalesce(e.total, 0) AS expected, u.balance AS found
     FROM users u LEFT JOIN (SELECT user_id, sum(amount) AS total FROM token_entries GROUP BY user_id) e
       ON e.user_id = u.id
     WHERE u.balance <> coalesce(e.total, 0)`,
  )
}

/** Each entry starts where the one before it ended. */
function chain(db: Db): Difference[] {
  return differences(
    db,
    `SELECT user_id AS userId, 'balance_after of entry ' || id AS what, before + amount AS expected,
       balance_after AS found
     FROM (
       SELECT user_id, id, amount, balance_after,
         lag(balance_after, 1, 0) OVER (PARTITION BY user_id ORDER BY id) AS before
       FROM token_entries
     )
     WHERE balance_after <> before + amount`,
  )
}

function reserved(db: Db): Difference[] {
  return differences(
    db,
    `SELECT u.id AS userId, 'reserved against open holds' AS what,
       coalesce(h.total, 0) AS expected, u.reserved AS found
     FROM users u LEFT JOIN (SELECT user_id, sum(amount) AS total FROM holds WHERE state = 'open' GROUP BY user_id) h
       ON h.user_id = u.id
     WHERE u.reserved <> coalesce(h.total, 0)`,
  )
}

/** A hold took its amount once, and gave back what it did not keep. */
function holdEntries(db: Db): Difference[] {
  return differences(
    db,
    `SELECT h.user_id AS userId, 'entries of hold ' || h.id AS what,
       CASE h.state WHEN 'open' THEN -h.amount ELSE -h.settled_amount END AS expected,
       coalesce(e.total, 0) AS found
     FROM holds h
     LEFT JOIN (
       SELECT hold_id, user_id, sum(amount) AS total FROM token_entries WHERE hold_id IS NOT NULL
       GROUP BY hold_id, user_id
     ) e ON e.hold_id = h.id AND e.user_id = h.user_id
     WHERE coalesce(e.total, 0) <> CASE h.state WHEN 'open' THEN -h.amount ELSE -h.settled_amount END`,
  )
}

/** Nobody moves tokens in the name of a hold that is not theirs, or not there. */
function strangers(db: Db): Difference[] {
  return differences(
    db,
    `SELECT e.user_id AS userId, 'entry ' || e.id || ' of hold ' || e.hold_id AS what, 0 AS expected,
       e.amount AS found
     FROM token_entries e LEFT JOIN holds h ON h.id = e.hold_id AND h.user_id = e.user_id
     WHERE e.hold_id IS NOT NULL AND h.id IS NULL`,
  )
}

/** A job that has ended holds nothing, and its tokens say what its hold says. */
function jobsAndHolds(db: Db): Difference[] {
  return differences(
    db,
    `SELECT j.user_id AS userId, 'tokens of job ' || j.id AS what,
       CASE WHEN j.completed_at IS NULL THEN 0 ELSE j.tokens_charged - coalesce(h.settled_amount, 0) END AS expected,
       j.tokens_refunded AS found
     FROM jobs j LEFT JOIN holds h
       ON h.job_id = j.id AND h.purpose = 'generate' AND h.user_id = j.user_id
     WHERE j.tokens_refunded <>
         CASE WHEN j.completed_at IS NULL THEN 0 ELSE j.tokens_charged - coalesce(h.settled_amount, 0) END
       OR (j.completed_at IS NULL) <> (coalesce(h.state, 'open') = 'open') AND j.tokens_charged > 0
       OR j.tokens_charged <> coalesce(h.amount, 0)`,
  )
}

function differences(db: Db, sql: string): Difference[] {
  return db.sqlite.query(sql).all() as Difference[]
}
