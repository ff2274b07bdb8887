-- A session is one row: who signed in, on what, which refresh token generation is in force, until when.
-- It carries a snapshot of the claims, so that a refresh needs this database alone.

CREATE TABLE sessions (
    id                   uuid        PRIMARY KEY,
    tenant_id            uuid        NOT NULL,
    user_id              uuid        NOT NULL,
    generation           bigint      NOT NULL DEFAULT 0,
    rotated_at           timestamptz NOT NULL,
    idle_expires_at      timestamptz NOT NULL,
    absolute_expires_at  timestamptz NOT NULL,
    auth_time            timestamptz NOT NULL,
    amr                  text[]      NOT NULL,
    must_change_password boolean     NOT NULL DEFAULT false,
    user_snapshot        jsonb       NOT NULL,
    device               text        NOT NULL,
    user_agent           text,
    ip                   text,
    origin               text        NOT NULL DEFAULT 'login' CHECK (origin IN ('login', 'adopted')),
    created_at           timestamptz NOT NULL,
    revoked_at           timestamptz,
    revoked_reason       text,
    CONSTRAINT sessions_revoked_for_a_reason CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
) WITH (fillfactor = 70);

-- Partial on a column that a rotation leaves alone: a refresh stays a heap-only update.
CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id) WHERE revoked_at IS NULL;
CREATE INDEX sessions_by_absolute_expiry ON sessions (absolute_expires_at);

-- What verifiers must refuse until the last token that it concerns has expired.
-- The sequence is the transaction's id, not a counter: a reader that asks only for transactions below the oldest one
-- still running can never pass over a row that commits late.
CREATE TABLE revocations (
    id            uuid        PRIMARY KEY,
    sequence      bigint      NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    kind          text        NOT NULL CHECK (kind IN ('session', 'user', 'tenant')),
    subject       uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    issued_before timestamptz,
    expires_at    timestamptz NOT NULL
);

CREATE INDEX revocations_by_sequence ON revocations (sequence);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
