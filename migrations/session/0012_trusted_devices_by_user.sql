-- authms: no-transaction
-- As sessions_by_user, for the devices that a user trusts.
CREATE INDEX CONCURRENTLY IF NOT EXISTS trusted_devices_by_user ON trusted_devices (user_id);
