-- Tenants with policies of their own, members from elsewhere, roles that a tenant makes, and invitations.

ALTER TABLE tenants
    -- Who becomes a member by registering: everybody, whoever was invited, or whoever an administrator lets in.
    -- membership_approval stays what it was for the version before: membership = 'approval'.
    ADD COLUMN membership text NOT NULL DEFAULT 'open' CHECK (membership IN ('open', 'invitation', 'approval')),
    -- NULL: as the session service is configured.
    ADD COLUMN session_limit integer CHECK (session_limit BETWEEN 1 AND 1000),
    ADD COLUMN session_at_limit text NOT NULL DEFAULT 'end_oldest' CHECK (session_at_limit IN ('end_oldest', 'refuse')),
    ADD COLUMN session_idle_seconds integer CHECK (session_idle_seconds BETWEEN 60 AND 31536000),
    ADD COLUMN session_absolute_seconds integer CHECK (session_absolute_seconds BETWEEN 60 AND 315360000);

UPDATE tenants SET membership = 'approval' WHERE membership_approval;

-- Where a user may work. A user's own tenant (users.tenant_id) is the first; in the others the user is a guest.
CREATE TABLE memberships (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'pending', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, tenant_id)
);

CREATE INDEX memberships_by_creation ON memberships (tenant_id, created_at DESC, user_id DESC);
CREATE INDEX memberships_waiting ON memberships (tenant_id, created_at) WHERE status = 'pending';

INSERT INTO memberships (user_id, tenant_id, created_at) SELECT id, tenant_id, created_at FROM users;

-- Whoever inserts a user without saying more, the version before for example, makes an active member.
CREATE FUNCTION user_is_member_at_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO memberships (user_id, tenant_id, created_at) VALUES (NEW.id, NEW.tenant_id, NEW.created_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER user_is_member_at_home AFTER INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION user_is_member_at_home();

-- A role belongs to a membership, so the same one may be held in several tenants.
ALTER TABLE user_roles DROP CONSTRAINT user_roles_pkey, ADD PRIMARY KEY (user_id, tenant_id, role);

-- The roles that a tenant made for itself. The built-in ones are not here: they never change.
CREATE TABLE roles (
    tenant_id   uuid        NOT NULL REFERENCES tenants (id),
    name        text        NOT NULL CHECK (length(name) BETWEEN 2 AND 32),
    description text        NOT NULL DEFAULT '',
    permissions text[]      NOT NULL CHECK (cardinality(permissions) <= 256),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT roles_taken PRIMARY KEY (tenant_id, name)
);

-- The code itself is known to whom it was given; here is its SHA-256.
CREATE TABLE invitations (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    code_hash  bytea       NOT NULL CHECK (octet_length(code_hash) = 32) UNIQUE,
    -- When given, only who registers with this address may use it.
    email_key  text,
    roles      text[]      NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    used_by    uuid,
    revoked_at timestamptz,
    CHECK (used_at IS NULL OR revoked_at IS NULL)
);

CREATE INDEX invitations_by_creation ON invitations (tenant_id, created_at DESC, id DESC);

-- Administrators search by the beginning of what people are called.
CREATE INDEX users_by_email_prefix ON users (email_key text_pattern_ops);
CREATE INDEX users_by_username_prefix ON users (username_key text_pattern_ops);
CREATE INDEX users_by_phone_prefix ON users (phone_key text_pattern_ops);
CREATE INDEX users_by_name_prefix ON users (lower(name) text_pattern_ops);
