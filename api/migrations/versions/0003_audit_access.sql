-- Whether an entry of a change names the person, or entries of reads alone: after an erasure, only what a change left shows
-- that the person is back.
ALTER TABLE person_keys ADD COLUMN changed boolean NOT NULL DEFAULT true;

CREATE INDEX audit_log_action ON audit_log (action, id);
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_at ON audit_log (at);
