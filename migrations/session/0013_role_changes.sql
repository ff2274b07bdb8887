-- Of which moment of identity's the roles in a session's snapshot are, where they have changed since it began: an event that
-- comes late, or once more, does not bring back what was changed after it. And from when on tokens with them are good, where
-- those of before were refused: a refresh that began earlier, and reads the row after, gives a token that counts as of then.
-- No index has them: a refresh stays a heap-only update. A replica of before neither writes nor reads them.
ALTER TABLE sessions ADD COLUMN roles_changed_at timestamptz, ADD COLUMN tokens_refused_at timestamptz;
