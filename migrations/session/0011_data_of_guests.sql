-- What is held about an account is erased and given out in whatever tenant it was used, ended sessions included. A rotation does
-- not change the column, so a refresh stays a heap-only update.
CREATE INDEX sessions_by_user ON sessions (user_id);
-- The one above finds these, too: a user has few sessions that have ended and are not forgotten yet.
DROP INDEX sessions_of_user_anywhere;
CREATE INDEX trusted_devices_by_user ON trusted_devices (user_id);
