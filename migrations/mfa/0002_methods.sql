-- The second factors that a person has set up.

CREATE TABLE mfa_methods (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('totp', 'backup_code', 'webauthn')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX mfa_methods_of_user ON mfa_methods (tenant_id, user_id);
