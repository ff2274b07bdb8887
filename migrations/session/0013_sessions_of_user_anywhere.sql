-- authms: no-transaction
-- sessions_by_user finds these, too: a user has few sessions that have ended and are not forgotten yet.
DROP INDEX CONCURRENTLY IF EXISTS sessions_of_user_anywhere;
