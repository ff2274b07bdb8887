-- When the token itself is over: from then on nobody can come with it, whatever session has been told, and housekeeping
-- deletes the row. The default is for the version before, which names no time: as long as a session lasts by default.
ALTER TABLE unanswered_refreshes ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '90 days';
CREATE INDEX unanswered_refreshes_by_expiry ON unanswered_refreshes (expires_at);
