-- Made anew after every migration: a rebuilt table loses its triggers silently.
CREATE TRIGGER token_entries_are_never_changed BEFORE UPDATE ON token_entries
BEGIN
  SELECT RAISE(ABORT, 'ledger entries are never changed');
END;
--> statement-breakpoint
CREATE TRIGGER token_entries_are_never_deleted BEFORE DELETE ON token_entries
BEGIN
  SELECT RAISE(ABORT, 'ledger entries are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER audit_log_is_never_changed BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'audit rows are never changed');
END;
--> statement-breakpoint
CREATE TRIGGER resolved_holds_stay_resolved BEFORE UPDATE OF state, amount ON holds
WHEN OLD.state <> 'open'
BEGIN
  SELECT RAISE(ABORT, 'a hold resolves once');
END;
--> statement-breakpoint
CREATE TRIGGER ended_jobs_stay_ended BEFORE UPDATE OF status ON jobs
WHEN OLD.status NOT IN ('queued', 'running') AND NEW.status <> OLD.status
BEGIN
  SELECT RAISE(ABORT, 'a job ends once');
END;
