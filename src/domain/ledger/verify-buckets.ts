import type { Check } from './verify'

/** What a user's buckets hold is what the account says they hold; the rest of the balance is plain. */
const BUCKETED: Check = `
  SELECT u.id AS userId, 'bucketed against what lies in buckets' AS what,
    coalesce(b.total, 0) AS expected, u.bucketed AS found
  FROM users u LEFT JOIN (SELECT user_id, sum(remaining) AS total FROM token_buckets GROUP BY user_id) b
    ON b.user_id = u.id
  WHERE u.bucketed <> coalesce(b.total, 0)`

/** Given, less what expired and paid a debt, less what holds took, and what of it came back: what is left. */
const REMAINING: Check = `
  SELECT b.user_id AS userId, 'remaining of bucket ' || b.id AS what,
    coalesce(e.total, 0) - coalesce(p.total, 0) AS expected, b.remaining AS found
  FROM token_buckets b
  LEFT JOIN (
    SELECT bucket_id, user_id, sum(amount) AS total FROM token_entries WHERE bucket_id IS NOT NULL
    GROUP BY bucket_id, user_id
  ) e ON e.bucket_id = b.id AND e.user_id = b.user_id
  LEFT JOIN (SELECT bucket_id, sum(amount - returned) AS total FROM hold_parts GROUP BY bucket_id) p
    ON p.bucket_id = b.id
  WHERE b.remaining <> coalesce(e.total, 0) - coalesce(p.total, 0)`

/** A bucket was filled by one grant, whole. */
const GRANTED: Check = `
  SELECT b.user_id AS userId, 'grant of bucket ' || b.id AS what, coalesce(e.total, 0) AS expected,
    b.granted AS found
  FROM token_buckets b
  LEFT JOIN (
    SELECT bucket_id, sum(amount) AS total FROM token_entries
    WHERE bucket_id IS NOT NULL AND type IN ('GRANT', 'BONUS', 'ADMIN_ADJUSTMENT') GROUP BY bucket_id
  ) e ON e.bucket_id = b.id
  WHERE b.granted <> coalesce(e.total, 0)`

/** No entry names a bucket that is not there, or not the user's. */
const STRANGE_BUCKETS: Check = `
  SELECT e.user_id AS userId, 'entry ' || e.id || ' of bucket ' || e.bucket_id AS what, 0 AS expected,
    e.amount AS found
  FROM token_entries e LEFT JOIN token_buckets b ON b.id = e.bucket_id AND b.user_id = e.user_id
  WHERE e.bucket_id IS NOT NULL AND b.id IS NULL`

/** No hold takes from a bucket of somebody else. */
const STRANGE_PARTS: Check = `
  SELECT h.user_id AS userId, 'hold ' || p.hold_id || ' with bucket ' || p.bucket_id AS what,
    0 AS expected, p.amount AS found
  FROM hold_parts p CROSS JOIN holds h ON h.id = p.hold_id
    CROSS JOIN token_buckets b ON b.id = p.bucket_id
  WHERE b.user_id <> h.user_id`

/** The parts of a hold are no more than the hold. */
const PARTS: Check = `
  SELECT h.user_id AS userId, 'parts of hold ' || h.id AS what, h.amount AS expected, p.total AS found
  FROM (SELECT hold_id, sum(amount) AS total FROM hold_parts GROUP BY hold_id) p
    CROSS JOIN holds h ON h.id = p.hold_id
  WHERE p.total > h.amount`

/** What is kept counts as what burns first: to the buckets came back what they gave beyond it, no more, no less. */
const RETURNED: Check = `
  SELECT h.user_id AS userId, 'what hold ' || h.id || ' gave back to buckets' AS what,
    CASE h.state WHEN 'open' THEN 0 ELSE max(0, p.total - h.settled_amount) END AS expected,
    p.returned AS found
  FROM (
    SELECT hold_id, sum(amount) AS total, sum(returned) AS returned FROM hold_parts GROUP BY hold_id
  ) p CROSS JOIN holds h ON h.id = p.hold_id
  WHERE p.returned <> CASE h.state WHEN 'open' THEN 0 ELSE max(0, p.total - h.settled_amount) END`

export const BUCKET_CHECKS: readonly Check[] = [
  BUCKETED,
  REMAINING,
  GRANTED,
  STRANGE_BUCKETS,
  STRANGE_PARTS,
  PARTS,
  RETURNED,
]
