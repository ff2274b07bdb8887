-- Which of identity's events have been applied, in which tenant, and when for the first time: identity tells them itself, and
-- the broker delivers them again, at once or hours later. What happened after the first time is no concern of the second.
-- A replica of before neither writes nor reads it, and applies an event once more, as it always did.
CREATE TABLE applied_events (
    event_id   uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    applied_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, tenant_id)
);

CREATE INDEX applied_events_by_time ON applied_events (applied_at);

ALTER TABLE applied_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON applied_events USING (coalesce(tenant_id = acting_tenant(), true));
