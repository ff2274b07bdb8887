-- authms: no-transaction
-- What is held about an account is erased and given out in whatever tenant it was used, ended sessions included. A rotation does
-- not change the column, so a refresh stays a heap-only update.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_by_user ON sessions (user_id);
