-- What a person says about themselves; the identity service knows who they are.

CREATE TABLE profiles (
    user_id    uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
