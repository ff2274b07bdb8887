-- A user may work in several tenants: what happens to the account ends the sessions in all of them.
-- Partial on a column that a rotation leaves alone: a refresh stays a heap-only update.
CREATE INDEX sessions_of_user_anywhere ON sessions (user_id) WHERE revoked_at IS NULL;
