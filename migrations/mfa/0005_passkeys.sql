-- Passkeys and security keys (W3C Web Authentication).

CREATE TABLE passkeys (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    credential_id bytea       NOT NULL CONSTRAINT passkeys_registered UNIQUE
        CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea       NOT NULL,
    -- COSE: -7 ES256, -8 EdDSA, -257 RS256.
    algorithm     integer     NOT NULL CHECK (algorithm IN (-7, -8, -257)),
    -- The authenticator's counter; 0 for those that have none.
    sign_count    bigint      NOT NULL,
    transports    text[]      NOT NULL DEFAULT '{}',
    aaguid        uuid        NOT NULL,
    attestation   text        NOT NULL,
    -- Whether it may be copied to the user's other devices.
    is_synced     boolean     NOT NULL,
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz
) WITH (fillfactor = 80);

CREATE INDEX passkeys_of_user ON passkeys (user_id, tenant_id);

-- Registrations under way: each nonce is for one use.
CREATE TABLE passkey_registrations (
    nonce      bytea       PRIMARY KEY CHECK (octet_length(nonce) = 32),
    user_id    uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX passkey_registrations_by_end ON passkey_registrations (expires_at);
