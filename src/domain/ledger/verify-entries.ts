import type { Check } from './verify'

const SUMS: Check = `
  SELECT u.id AS userId, 'balance against the sum of entries' AS what,
    coalesce(e.total, 0) AS expected, u.balance AS found
  FROM users u LEFT JOIN (SELECT user_id, sum(amount) AS total FROM token_entries GROUP BY user_id) e
    ON e.user_id = u.id
  WHERE u.balance <> coalesce(e.total, 0)`

/** Each entry starts where the one before it ended. */
const CHAIN: Check = `
  SELECT user_id AS userId, 'balance_after of entry ' || id AS what, before + amount AS expected,
    balance_after AS found
  FROM (
    SELECT e.user_id, e.id, e.amount, e.balance_after, coalesce((
      SELECT p.balance_after FROM token_entries p WHERE p.user_id = e.user_id AND p.id < e.id
      ORDER BY p.id DESC LIMIT 1
    ), 0) AS before
    FROM token_entries e
  )
  WHERE balance_after <> before + amount`

const RESERVED: Check = `
  SELECT u.id AS userId, 'reserved against open holds' AS what,
    coalesce(h.total, 0) AS expected, u.reserved AS found
  FROM users u LEFT JOIN (SELECT user_id, sum(amount) AS total FROM holds WHERE state = 'open' GROUP BY user_id) h
    ON h.user_id = u.id
  WHERE u.reserved <> coalesce(h.total, 0)`

/**
 * A hold took its amount once, and gave back what it did not keep. In the order of the table: by their index
 * a million entries are a million jumps.
 */
const HOLD_ENTRIES: Check = `
  SELECT h.user_id AS userId, 'entries of hold ' || h.id AS what,
    CASE h.state WHEN 'open' THEN -h.amount ELSE -h.settled_amount END AS expected,
    coalesce(e.total, 0) AS found
  FROM holds h
  LEFT JOIN (
    SELECT user_id, hold_id, sum(amount) AS total FROM token_entries NOT INDEXED
    WHERE hold_id IS NOT NULL GROUP BY user_id, hold_id
  ) e ON e.hold_id = h.id AND e.user_id = h.user_id
  WHERE coalesce(e.total, 0) <> CASE h.state WHEN 'open' THEN -h.amount ELSE -h.settled_amount END`

/** Nobody moves tokens in the name of a hold that is not theirs, or not there. */
const STRANGERS: Check = `
  SELECT e.user_id AS userId, 'entry ' || e.id || ' of hold ' || e.hold_id AS what, 0 AS expected,
    e.amount AS found
  FROM token_entries e
  WHERE e.hold_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = e.hold_id AND h.user_id = e.user_id)`

/** A job that has ended holds nothing, and its tokens say what its hold says. */
const JOBS: Check = `
  SELECT j.user_id AS userId, 'tokens of job ' || j.id AS what,
    CASE WHEN j.completed_at IS NULL THEN 0 ELSE j.tokens_charged - coalesce(h.settled_amount, 0) END AS expected,
    j.tokens_refunded AS found
  FROM jobs j LEFT JOIN holds h
    ON h.job_id = j.id AND h.purpose = 'generate' AND h.user_id = j.user_id
  WHERE j.tokens_refunded <>
      CASE WHEN j.completed_at IS NULL THEN 0 ELSE j.tokens_charged - coalesce(h.settled_amount, 0) END
    OR (j.completed_at IS NULL) <> (coalesce(h.state, 'open') = 'open') AND j.tokens_charged > 0
    OR j.tokens_charged <> coalesce(h.amount, 0)`

/** What is owed was lent, and is not paid yet. */
const DEBTS: Check = `
  SELECT u.id AS userId, 'owed against what was lent and paid' AS what,
    coalesce(e.total, 0) AS expected, u.owed AS found
  FROM users u LEFT JOIN (
    SELECT user_id, sum(amount) AS total FROM token_entries WHERE type IN ('DEBT', 'DEBT_PAYMENT')
    GROUP BY user_id
  ) e ON e.user_id = u.id
  WHERE u.owed <> coalesce(e.total, 0)`

/** A charge is whole: kept altogether, or given back altogether, by an entry that says so. */
const CHARGES: Check = `
  SELECT h.user_id AS userId, 'charge ' || h.id AS what,
    CASE WHEN h.settled_amount = 0 THEN h.amount ELSE 0 END AS expected,
    coalesce(r.amount, 0) AS found
  FROM holds h
  LEFT JOIN token_entries d ON d.hold_id = h.id AND d.type = 'FEATURE_DEBIT'
  LEFT JOIN token_entries r ON r.hold_id = h.id AND r.type = 'FEATURE_REFUND'
  WHERE h.purpose = 'charge' AND (
    h.state <> 'settled' OR h.settled_amount NOT IN (0, h.amount) OR coalesce(d.amount, 0) <> -h.amount
    OR coalesce(r.amount, 0) <> CASE WHEN h.settled_amount = 0 THEN h.amount ELSE 0 END)`

/** A reversal takes back a grant of the same user, and no more than that. */
const REVERSALS: Check = `
  SELECT h.user_id AS userId, 'reversal of entry ' || h.job_id AS what,
    coalesce(g.amount, 0) AS expected, h.amount AS found
  FROM holds h
  LEFT JOIN token_entries g ON g.user_id = h.user_id AND g.id = h.job_id
  WHERE h.purpose = 'reversal' AND h.amount > coalesce(g.amount, 0)`

export const ENTRY_CHECKS: readonly Check[] = [
  SUMS,
  CHAIN,
  RESERVED,
  HOLD_ENTRIES,
  STRANGERS,
  JOBS,
  DEBTS,
  CHARGES,
  REVERSALS,
]
