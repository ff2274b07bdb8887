-- What identity must know of second factors by itself, so that logins without one do not depend on the mfa service.

-- Which a user has. The mfa service tells of every change before it takes effect, in the order of its versions.
CREATE TABLE second_factors (
    user_id    uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    methods    text[]      NOT NULL,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Where a user is not asked for the second factor for a while. The device holds a signed token of this id.
CREATE TABLE remembered_devices (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL REFERENCES tenants (id),
    user_agent   text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz
);

CREATE INDEX remembered_devices_of_user ON remembered_devices (user_id, created_at DESC);

-- What a tenant demands; `optional` where there is no row.
CREATE TABLE mfa_policies (
    tenant_id     uuid        PRIMARY KEY REFERENCES tenants (id),
    mode          text        NOT NULL CHECK (mode IN ('off', 'optional', 'required', 'required_for_roles')),
    roles         text[]      NOT NULL DEFAULT '{}',
    remember_days integer     NOT NULL DEFAULT 30 CHECK (remember_days BETWEEN 0 AND 90),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
