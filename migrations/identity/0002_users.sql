-- Tenants, users, their passwords and their roles.
-- Everything that belongs to a tenant carries tenant_id, and every statement names it.

CREATE TABLE tenants (
    id                    uuid        PRIMARY KEY,
    slug                  text        NOT NULL CONSTRAINT tenants_slug_taken UNIQUE,
    name                  text        NOT NULL,
    display_name          text        NOT NULL,
    status                text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    membership_approval   boolean     NOT NULL DEFAULT false,
    login_methods         text[]      NOT NULL DEFAULT '{email,username,phone}',
    password_transmission text        NOT NULL DEFAULT 'plain' CHECK (password_transmission IN ('plain', 'hash')),
    password_min_length   integer     NOT NULL DEFAULT 8 CHECK (password_min_length >= 8),
    password_max_length   integer     NOT NULL DEFAULT 256 CHECK (password_max_length BETWEEN 128 AND 1024),
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);

INSERT INTO tenants (id, slug, name, display_name)
VALUES ('01900000-0000-7000-8000-000000000001', 'default', 'default', 'Default');

-- An identity is kept as typed and as the key that it is found by: normalised, case-folded, unique in its tenant.
CREATE TABLE users (
    id                uuid        PRIMARY KEY,
    tenant_id         uuid        NOT NULL REFERENCES tenants (id),
    email             text,
    email_key         text,
    email_verified_at timestamptz,
    username          text,
    username_key      text,
    phone             text,
    phone_key         text,
    phone_verified_at timestamptz,
    name              text,
    status            text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    last_login_at     timestamptz,
    CONSTRAINT users_email_taken UNIQUE (tenant_id, email_key),
    CONSTRAINT users_username_taken UNIQUE (tenant_id, username_key),
    CONSTRAINT users_phone_taken UNIQUE (tenant_id, phone_key),
    CONSTRAINT users_have_an_identity CHECK (num_nonnulls(email_key, username_key, phone_key) >= 1)
) WITH (fillfactor = 85);

CREATE INDEX users_by_creation ON users (tenant_id, created_at DESC, id DESC);

CREATE TABLE passwords (
    user_id     uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    tenant_id   uuid        NOT NULL REFERENCES tenants (id),
    hash        text        NOT NULL,
    must_change boolean     NOT NULL DEFAULT false,
    changed_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);

CREATE TABLE user_roles (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    role       text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, role)
);

CREATE INDEX user_roles_by_role ON user_roles (tenant_id, role);
