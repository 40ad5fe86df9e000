-- Buckets under the ledger, prices as rules, plans with their subscriptions, limits and budgets.

-- How much of the balance lies in buckets. The rest is plain: bought, and never expires.
ALTER TABLE users ADD COLUMN bucketed INTEGER NOT NULL DEFAULT 0
  CHECK (bucketed >= 0 AND bucketed <= balance);
--> statement-breakpoint
-- Grants that are not plain. `expires_at` is the end of time for those that never expire, so that one index
-- has them all in the order in which they are spent.
CREATE TABLE token_buckets (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  origin TEXT NOT NULL,
  granted INTEGER NOT NULL CHECK (granted > 0),
  remaining INTEGER NOT NULL CHECK (remaining >= 0 AND remaining <= granted),
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT;
--> statement-breakpoint
CREATE INDEX token_buckets_spendable ON token_buckets (user_id, expires_at, id) WHERE remaining > 0;
--> statement-breakpoint
CREATE INDEX token_buckets_expiring ON token_buckets (expires_at)
  WHERE remaining > 0 AND expires_at < 8640000000000000;
--> statement-breakpoint
-- What a hold took from which bucket, and what came back. What it took beyond them was plain.
CREATE TABLE hold_parts (
  hold_id INTEGER NOT NULL REFERENCES holds (id),
  bucket_id INTEGER NOT NULL REFERENCES token_buckets (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  returned INTEGER NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND amount),
  PRIMARY KEY (hold_id, bucket_id)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
-- The bucket that a grant filled, or that an expiry emptied.
ALTER TABLE token_entries ADD COLUMN bucket_id INTEGER;
--> statement-breakpoint
ALTER TABLE apps ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
--> statement-breakpoint
ALTER TABLE apps ADD COLUMN monthly_budget_micro_usd INTEGER CHECK (monthly_budget_micro_usd >= 0);
--> statement-breakpoint
ALTER TABLE apps ADD COLUMN budget_action TEXT NOT NULL DEFAULT 'refuse'
  CHECK (budget_action IN ('refuse', 'warn'));
--> statement-breakpoint
ALTER TABLE apps ADD COLUMN low_balance_threshold INTEGER CHECK (low_balance_threshold > 0);
--> statement-breakpoint
-- Prices as data. A rule is never changed: a new version replaces it, so that every job can be explained.
CREATE TABLE pricing_rules (
  id INTEGER PRIMARY KEY,
  -- 0: for the whole hub, where an app has none of its own.
  realm_id INTEGER NOT NULL,
  -- `model:<name>` or `feature:<name>`
  subject TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  rule TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  replaced_at INTEGER,
  UNIQUE (realm_id, subject, version)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX pricing_rules_in_force ON pricing_rules (realm_id, subject) WHERE replaced_at IS NULL;
--> statement-breakpoint
-- What an app sells its users. Null limits are none.
CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (id),
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  tokens_per_period INTEGER NOT NULL CHECK (tokens_per_period >= 0),
  period TEXT NOT NULL CHECK (period IN ('day', 'week', 'month')),
  is_rollover INTEGER NOT NULL CHECK (is_rollover IN (0, 1)),
  max_concurrent INTEGER CHECK (max_concurrent > 0),
  jobs_per_day INTEGER CHECK (jobs_per_day >= 0),
  tokens_per_day INTEGER CHECK (tokens_per_day >= 0),
  tokens_per_month INTEGER CHECK (tokens_per_month >= 0),
  micro_usd_per_day INTEGER CHECK (micro_usd_per_day >= 0),
  micro_usd_per_month INTEGER CHECK (micro_usd_per_month >= 0),
  -- JSON lists; null: all of them.
  models TEXT,
  kinds TEXT,
  strategy TEXT,
  priority INTEGER CHECK (priority BETWEEN 1 AND 100),
  has_watermark INTEGER NOT NULL CHECK (has_watermark IN (0, 1)),
  max_upload_bytes INTEGER CHECK (max_upload_bytes > 0),
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (realm_id, name)
) STRICT;
--> statement-breakpoint
-- The plan of users who have no subscription; null: no plan, and no limits of one.
ALTER TABLE realms ADD COLUMN default_plan_id INTEGER;
--> statement-breakpoint
-- Period k runs from anchor + k periods to anchor + (k + 1), by the calendar.
CREATE TABLE subscriptions (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  plan_id INTEGER NOT NULL REFERENCES plans (id),
  -- Takes over at the end of the period.
  next_plan_id INTEGER REFERENCES plans (id),
  state TEXT NOT NULL CHECK (state IN ('active', 'ended')),
  source TEXT NOT NULL,
  anchor_at INTEGER NOT NULL,
  period_number INTEGER NOT NULL CHECK (period_number >= 0),
  period_start INTEGER NOT NULL,
  period_end INTEGER NOT NULL,
  -- The most tokens a period that this period was counted at: what an upgrade adds to.
  period_tokens INTEGER NOT NULL CHECK (period_tokens >= 0),
  is_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (is_cancelled IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ended_at INTEGER,
  CHECK (period_end > period_start),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX subscriptions_active ON subscriptions (user_id) WHERE state = 'active';
--> statement-breakpoint
CREATE INDEX subscriptions_due ON subscriptions (period_end) WHERE state = 'active';
--> statement-breakpoint
CREATE INDEX subscriptions_by_user ON subscriptions (user_id, id);
--> statement-breakpoint
CREATE INDEX subscriptions_by_plan ON subscriptions (plan_id);
--> statement-breakpoint
CREATE INDEX subscriptions_by_next_plan ON subscriptions (next_plan_id) WHERE next_plan_id IS NOT NULL;
--> statement-breakpoint
-- What this job took of which caps, as JSON; null: nothing. Given back by exactly this.
ALTER TABLE jobs ADD COLUMN taken TEXT;
--> statement-breakpoint
-- JSON: what the vendor measured, kept while what it made is still copied. A price may hang on it.
ALTER TABLE attempts ADD COLUMN usage TEXT;
--> statement-breakpoint
-- The body of an event that is about no job.
ALTER TABLE events ADD COLUMN data TEXT;
--> statement-breakpoint
-- Each threshold of a budget is said once a month.
CREATE TABLE budget_alerts (
  -- 0: the hub's own budget.
  realm_id INTEGER NOT NULL,
  month INTEGER NOT NULL,
  percent INTEGER NOT NULL,
  spent_micro_usd INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, month, percent)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
-- What the operator is told, at OPERATOR_WEBHOOK_URL: the same bytes until a 2xx.
CREATE TABLE operator_events (
  id INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  last_status INTEGER,
  created_at INTEGER NOT NULL,
  delivered_at INTEGER
) STRICT;
--> statement-breakpoint
-- The sums of usage_daily without its users, kept in the same writes: a report over a year reads some
-- thousand rows, however many people there were.
CREATE TABLE usage_daily_total (
  realm_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  provider TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  outputs INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (realm_id, day, model_id, provider)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO usage_daily_total
  SELECT realm_id, day, model_id, provider, sum(jobs), sum(succeeded), sum(failed), sum(cancelled), sum(outputs),
    sum(tokens), sum(cost_micro_usd), sum(duration_ms)
  FROM usage_daily GROUP BY realm_id, day, model_id, provider;
--> statement-breakpoint
-- The rows of a user lie together, so that a page of users is read without its neighbours: what asks for
-- models and providers asks usage_daily_total.
CREATE TABLE usage_daily_of_users (
  realm_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  provider TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  outputs INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (realm_id, day, user_id, model_id, provider)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO usage_daily_of_users
  SELECT realm_id, day, user_id, model_id, provider, jobs, succeeded, failed, cancelled, outputs, tokens,
    cost_micro_usd, duration_ms
  FROM usage_daily;
--> statement-breakpoint
DROP TABLE usage_daily;
--> statement-breakpoint
ALTER TABLE usage_daily_of_users RENAME TO usage_daily;
