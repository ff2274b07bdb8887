-- authms: no-transaction
-- As of profiles, so of pictures.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS avatars_of_user_in_tenant ON avatars (user_id, tenant_id);
