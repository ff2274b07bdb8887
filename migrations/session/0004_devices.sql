-- Where a session was refreshed from last, how long its tenant lets it lie idle, and the devices that users trust.

ALTER TABLE sessions
    ADD COLUMN last_ip        text,
    -- Seconds; null for what the service is configured with.
    ADD COLUMN idle_timeout_s bigint CHECK (idle_timeout_s >= 60);

-- For lists that administrators page through. A rotation changes none of its columns, so a refresh stays heap-only.
CREATE INDEX sessions_of_tenant ON sessions (tenant_id, created_at DESC, id DESC);
CREATE INDEX revocations_of_tenant ON revocations (tenant_id, expires_at DESC, id);

CREATE TABLE trusted_devices (
    id           uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    -- The session in which the user said so.
    session_id   uuid        NOT NULL,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- SHA-256 of what the device was given: 32 random bytes.
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_agent   text,
    ip           text,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at   timestamptz NOT NULL
);

CREATE INDEX trusted_devices_of_user ON trusted_devices (tenant_id, user_id, created_at DESC);
CREATE INDEX trusted_devices_by_expiry ON trusted_devices (expires_at);
