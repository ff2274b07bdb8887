-- What housekeeping looks for: rows whose time is over.
CREATE INDEX remembered_devices_by_expiry ON remembered_devices (expires_at);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);
CREATE INDEX deletions_by_completion ON deletions (completed_at);
