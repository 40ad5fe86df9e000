-- The rooms that hold money and everything that refers to them. Ids are 53-bit integers made in
-- src/base/ids.ts, times are integer milliseconds, money is integer micro-USD, tokens are integers.

CREATE TABLE hub (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  last_id INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  key_check TEXT,
  created_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  realm_id INTEGER,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL,
  ip TEXT,
  request_id TEXT,
  created_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE apps (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  key_prefix TEXT NOT NULL,
  welcome_grant INTEGER NOT NULL CHECK (welcome_grant >= 0),
  rate_limit_per_user INTEGER NOT NULL CHECK (rate_limit_per_user > 0),
  rate_limit_per_app INTEGER NOT NULL CHECK (rate_limit_per_app > 0),
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE realms (
  id INTEGER PRIMARY KEY,
  app_id INTEGER NOT NULL REFERENCES apps (id),
  mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
  webhook_secret_sealed TEXT NOT NULL,
  UNIQUE (app_id, mode)
) STRICT;
--> statement-breakpoint
CREATE TABLE api_keys (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (id),
  kind TEXT NOT NULL CHECK (kind IN ('secret', 'publishable')),
  hash BLOB NOT NULL UNIQUE,
  display TEXT NOT NULL,
  scopes TEXT,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;
--> statement-breakpoint
CREATE INDEX api_keys_by_realm ON api_keys (realm_id, id);
--> statement-breakpoint
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (id),
  external_id TEXT,
  balance INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0),
  reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  owed INTEGER NOT NULL DEFAULT 0 CHECK (owed >= 0),
  total_jobs INTEGER NOT NULL DEFAULT 0,
  successful_jobs INTEGER NOT NULL DEFAULT 0,
  metadata TEXT NOT NULL DEFAULT '{}',
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  erased_at INTEGER,
  UNIQUE (realm_id, id)
) STRICT;
--> statement-breakpoint
CREATE TABLE user_identities (
  realm_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, kind, subject),
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX user_identities_by_user ON user_identities (user_id);
--> statement-breakpoint
-- Salted hashes of erased people's ids, so that coming back is not a second welcome grant.
CREATE TABLE erased_users (
  realm_id INTEGER NOT NULL,
  hash BLOB NOT NULL,
  erased_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, hash)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE holds (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  job_id INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  state TEXT NOT NULL CHECK (state IN ('open', 'settled', 'voided')),
  settled_amount INTEGER CHECK (settled_amount BETWEEN 0 AND amount),
  created_at INTEGER NOT NULL,
  resolved_at INTEGER,
  UNIQUE (job_id, purpose),
  CHECK ((state = 'open') = (resolved_at IS NULL)),
  CHECK ((state = 'open') = (settled_amount IS NULL)),
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT;
--> statement-breakpoint
CREATE TABLE token_entries (
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  realm_id INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount <> 0),
  balance_after INTEGER NOT NULL CHECK (balance_after >= 0),
  type TEXT NOT NULL,
  hold_id INTEGER,
  job_id INTEGER,
  source TEXT,
  source_id TEXT,
  description TEXT NOT NULL,
  idempotency_key TEXT,
  request_hash TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, id),
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX token_entries_by_hold ON token_entries (hold_id, type) WHERE hold_id IS NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX token_entries_by_source ON token_entries (source, source_id) WHERE source IS NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX token_entries_by_key ON token_entries (idempotency_key) WHERE idempotency_key IS NOT NULL;
--> statement-breakpoint
CREATE TABLE providers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  seed_hash TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  family TEXT NOT NULL,
  description TEXT NOT NULL,
  token_cost INTEGER NOT NULL CHECK (token_cost >= 0),
  max_input_images INTEGER NOT NULL CHECK (max_input_images >= 0),
  supports_prompt INTEGER NOT NULL CHECK (supports_prompt IN (0, 1)),
  aspect_ratios TEXT NOT NULL,
  input_schema TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  seed_hash TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE model_routes (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id),
  provider_id INTEGER NOT NULL REFERENCES providers (id),
  provider_model TEXT NOT NULL,
  priority INTEGER NOT NULL,
  config TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  seed_hash TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (model_id, provider_id)
) STRICT;
--> statement-breakpoint
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  model_id INTEGER NOT NULL,
  model_name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  priority INTEGER NOT NULL,
  num_outputs INTEGER NOT NULL,
  quote TEXT NOT NULL,
  tokens_charged INTEGER NOT NULL CHECK (tokens_charged >= 0),
  tokens_refunded INTEGER NOT NULL DEFAULT 0 CHECK (tokens_refunded BETWEEN 0 AND tokens_charged),
  provider_used TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  error_code TEXT,
  webhook_url TEXT,
  metadata TEXT NOT NULL,
  idempotency_key TEXT,
  request_hash TEXT,
  parent_id INTEGER,
  root_id INTEGER,
  step TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  CHECK ((status IN ('queued', 'running')) = (completed_at IS NULL)),
  CHECK ((status = 'failed') = (error_code IS NOT NULL)),
  FOREIGN KEY (realm_id, user_id) REFERENCES users (realm_id, id)
) STRICT;
--> statement-breakpoint
CREATE INDEX jobs_by_realm ON jobs (realm_id, id);
--> statement-breakpoint
CREATE INDEX jobs_by_user ON jobs (user_id, id);
--> statement-breakpoint
CREATE UNIQUE INDEX jobs_by_key ON jobs (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
--> statement-breakpoint
CREATE INDEX jobs_active_by_realm ON jobs (realm_id, id) WHERE status IN ('queued', 'running');
--> statement-breakpoint
CREATE INDEX jobs_active_by_user ON jobs (user_id, id) WHERE status IN ('queued', 'running');
--> statement-breakpoint
CREATE INDEX jobs_ended_badly ON jobs (realm_id, id) WHERE status IN ('failed', 'cancelled');
--> statement-breakpoint
-- The prompt apart: erased in one place, and a change of a job's state does not rewrite it.
CREATE TABLE job_inputs (
  job_id INTEGER PRIMARY KEY,
  input TEXT NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE job_outputs (
  job_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  file_id INTEGER,
  text TEXT,
  PRIMARY KEY (job_id, position),
  CHECK ((file_id IS NULL) <> (text IS NULL))
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  provider TEXT NOT NULL,
  provider_model TEXT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('starting', 'waiting', 'produced', 'succeeded', 'refused', 'failed', 'unknown', 'cancelled')
  ),
  operation TEXT,
  outputs TEXT,
  first_file_id INTEGER NOT NULL,
  error_kind TEXT,
  error_message TEXT,
  cost_micro_usd INTEGER,
  started_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  finished_at INTEGER,
  UNIQUE (job_id, number)
) STRICT;
--> statement-breakpoint
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  pool TEXT NOT NULL,
  lane INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('scheduled', 'ready', 'claimed')),
  run_at INTEGER,
  claim_token INTEGER,
  boot_id INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  unique_key TEXT,
  created_at INTEGER NOT NULL,
  CHECK ((state = 'claimed') = (claim_token IS NOT NULL)),
  CHECK ((state = 'claimed') = (boot_id IS NOT NULL))
) STRICT;
--> statement-breakpoint
CREATE INDEX tasks_scheduled ON tasks (run_at) WHERE state = 'scheduled';
--> statement-breakpoint
CREATE INDEX tasks_ready ON tasks (pool, lane, priority, id) WHERE state = 'ready';
--> statement-breakpoint
CREATE INDEX tasks_claimed ON tasks (boot_id) WHERE state = 'claimed';
--> statement-breakpoint
CREATE UNIQUE INDEX tasks_by_key ON tasks (unique_key) WHERE unique_key IS NOT NULL;
--> statement-breakpoint
CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  job_id INTEGER,
  purpose TEXT NOT NULL,
  content_type TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  width INTEGER,
  height INTEGER,
  duration_ms INTEGER,
  sha256 TEXT NOT NULL,
  is_doomed INTEGER NOT NULL DEFAULT 0 CHECK (is_doomed IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;
--> statement-breakpoint
CREATE INDEX files_by_user ON files (user_id, id);
--> statement-breakpoint
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  job_id INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE webhook_endpoints (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (id),
  url TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX webhook_endpoints_by_realm ON webhook_endpoints (realm_id, id);
--> statement-breakpoint
CREATE TABLE webhook_deliveries (
  id INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  event_id INTEGER NOT NULL,
  job_id INTEGER,
  endpoint_id INTEGER,
  url TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  tries INTEGER NOT NULL DEFAULT 0,
  last_status INTEGER,
  last_error TEXT,
  last_answer TEXT,
  last_tried_at INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((state = 'pending') = (finished_at IS NULL))
) STRICT;
--> statement-breakpoint
CREATE INDEX webhook_deliveries_by_job ON webhook_deliveries (job_id);
--> statement-breakpoint
-- What vendors and stores call us with: kept raw, answered at once, handled by a task.
CREATE TABLE inbox (
  id INTEGER PRIMARY KEY,
  provider TEXT NOT NULL,
  event_id TEXT NOT NULL,
  attempt_id INTEGER,
  body TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  handled_at INTEGER,
  UNIQUE (provider, event_id)
) STRICT;
--> statement-breakpoint
CREATE INDEX inbox_by_attempt ON inbox (attempt_id) WHERE attempt_id IS NOT NULL;
--> statement-breakpoint
CREATE TABLE counters (
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  period TEXT NOT NULL,
  used INTEGER NOT NULL CHECK (used >= 0),
  PRIMARY KEY (realm_id, user_id, name, period)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE usage_daily (
  realm_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  provider TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  outputs INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (realm_id, day, model_id, provider, user_id)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE idempotency_keys (
  realm_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, user_id, operation, key)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
