-- A password that an administrator had made for one login is good until then; NULL for one that somebody has chosen. It counts
-- only while must_change is set, which the version before takes back without touching this.
ALTER TABLE passwords ADD COLUMN expires_at timestamptz;
