-- authms: no-transaction
-- A user has a profile in each tenant that they work in. The key that this takes is built beforehand, while the table is in use:
-- to build it as the primary key would hold up whoever reads a profile until it is done.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS profiles_of_user_in_tenant ON profiles (user_id, tenant_id);
