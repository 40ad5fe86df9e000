-- Keys of vendors, how they are, which route serves a job, and what was learnt of each route.

ALTER TABLE apps ADD COLUMN strategy TEXT;
--> statement-breakpoint
ALTER TABLE models ADD COLUMN strategy TEXT;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN api_key_env_var TEXT;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN api_key_sealed TEXT;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN webhook_secret_sealed TEXT;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN health TEXT NOT NULL DEFAULT 'unknown'
  CHECK (health IN ('unknown', 'healthy', 'degraded', 'down'));
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN health_message TEXT;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN checked_at INTEGER;
--> statement-breakpoint
ALTER TABLE providers ADD COLUMN check_failures INTEGER NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE model_routes ADD COLUMN max_concurrent INTEGER CHECK (max_concurrent > 0);
--> statement-breakpoint
ALTER TABLE model_routes ADD COLUMN quality INTEGER CHECK (quality BETWEEN 0 AND 100);
--> statement-breakpoint
ALTER TABLE attempts ADD COLUMN route_id INTEGER;
--> statement-breakpoint
ALTER TABLE attempts ADD COLUMN decision TEXT;
--> statement-breakpoint
ALTER TABLE attempts ADD COLUMN is_permanent INTEGER NOT NULL DEFAULT 0 CHECK (is_permanent IN (0, 1));
--> statement-breakpoint
ALTER TABLE attempts ADD COLUMN retry_at INTEGER;
--> statement-breakpoint
-- Since when nobody could serve it; null while somebody does, or while it stands in a line that moves.
ALTER TABLE jobs ADD COLUMN unserved_since INTEGER;
--> statement-breakpoint
-- How many a route works on now. Jobs of the sandbox have no route and pay nothing for it.
CREATE INDEX attempts_open_by_route ON attempts (route_id)
  WHERE route_id IS NOT NULL AND state IN ('starting', 'waiting');
--> statement-breakpoint
-- Averages that forget slowly, and the rest of a route that fails. Kept over restarts.
CREATE TABLE route_metrics (
  route_id INTEGER PRIMARY KEY REFERENCES model_routes (id),
  samples INTEGER NOT NULL,
  success REAL NOT NULL CHECK (success BETWEEN 0 AND 1),
  latency_ms REAL,
  cost_micro_usd REAL,
  failures INTEGER NOT NULL,
  rests INTEGER NOT NULL,
  resting_until INTEGER,
  rest_reason TEXT,
  probe_until INTEGER,
  probe_attempt_id INTEGER,
  updated_at INTEGER NOT NULL
) STRICT;
