-- Second factors: one-time passwords, recovery codes, and the challenges that ask for them.

-- Nothing was ever written to it.
DROP TABLE mfa_methods;

-- Whoever has or had a second factor.
CREATE TABLE mfa_users (
    user_id       uuid        PRIMARY KEY,
    tenant_id     uuid        NOT NULL,
    -- Of what identity has to know: rises with every change, and by the clock, so that it goes on rising over a restore.
    version       bigint      NOT NULL,
    -- What identity has confirmed.
    told_version  bigint      NOT NULL DEFAULT 0,
    -- Wrong one-time passwords since the last right one.
    failures      integer     NOT NULL DEFAULT 0,
    blocked_until timestamptz
) WITH (fillfactor = 70);

CREATE INDEX mfa_users_untold ON mfa_users (user_id) WHERE told_version < version;

CREATE TABLE totp_secrets (
    id           uuid        NOT NULL UNIQUE,
    user_id      uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    -- AES-256-GCM: nonce, ciphertext, tag; under the key of that name.
    key_id       text        NOT NULL,
    secret       bytea       NOT NULL CHECK (octet_length(secret) BETWEEN 29 AND 256),
    -- NULL until the user has shown that their app has it.
    enabled_at   timestamptz,
    -- The last 30-second step whose code was accepted: no step twice.
    last_step    bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX totp_secrets_by_key ON totp_secrets (key_id);

CREATE TABLE recovery_codes (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    UNIQUE (user_id, hash)
);

CREATE TABLE challenges (
    id          uuid        PRIMARY KEY,
    -- NULL where a passkey is to say who it is.
    user_id     uuid,
    tenant_id   uuid        NOT NULL,
    -- What a passkey has to sign.
    nonce       bytea       NOT NULL CHECK (octet_length(nonce) = 32),
    attempts    integer     NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,
    consumed_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX challenges_by_end ON challenges (expires_at);

-- Which database this is. A restored one is another, or on another timeline; what it has forgotten of the codes that were
-- accepted is made up for by accepting none of a step that had begun by then.
CREATE TABLE database_incarnation (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    name       text    NOT NULL,
    totp_floor bigint  NOT NULL DEFAULT 0
);

CREATE FUNCTION present_incarnation() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;

INSERT INTO database_incarnation (name) VALUES (present_incarnation());
