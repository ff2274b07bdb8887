-- What a tenant may ask of passwords and registrations beyond length.
ALTER TABLE tenants
    -- The last so many passwords may not be chosen again; 0 for any.
    ADD COLUMN password_history        integer NOT NULL DEFAULT 0 CHECK (password_history BETWEEN 0 AND 24),
    -- A password older than so many days must be changed at the next sign-in; 0 for never (NIST SP 800-63B advises that).
    ADD COLUMN password_max_age_days   integer NOT NULL DEFAULT 0 CHECK (password_max_age_days BETWEEN 0 AND 3650),
    ADD COLUMN password_refuse_common  boolean NOT NULL DEFAULT true,
    -- Whether who registers is told that an e-mail address or phone number is taken. If not, its owner is, by mail.
    ADD COLUMN registration_discloses  boolean NOT NULL DEFAULT false,
    -- Whether a password is worth nothing until the e-mail address that it was registered with is verified.
    ADD COLUMN requires_verified_email boolean NOT NULL DEFAULT false;

CREATE TABLE password_history (
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id   uuid        NOT NULL REFERENCES tenants (id),
    hash        text        NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, replaced_at)
);

-- Whoever changes a password leaves the one before here, as many as the tenant asks for. A hash that is merely made anew
-- with other parameters keeps changed_at, and is no change.
CREATE FUNCTION keep_password_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    depth integer := (SELECT password_history FROM tenants WHERE id = OLD.tenant_id);
BEGIN
    IF depth > 0 THEN
        INSERT INTO password_history (user_id, tenant_id, hash) VALUES (OLD.user_id, OLD.tenant_id, OLD.hash);
        DELETE FROM password_history h WHERE h.user_id = OLD.user_id AND h.replaced_at < (
            SELECT min(kept.replaced_at) FROM (
                SELECT replaced_at FROM password_history WHERE user_id = OLD.user_id
                ORDER BY replaced_at DESC LIMIT depth
            ) kept
        );
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER passwords_keep_history BEFORE UPDATE OF hash ON passwords
    FOR EACH ROW WHEN (OLD.hash <> NEW.hash AND OLD.changed_at <> NEW.changed_at)
    EXECUTE FUNCTION keep_password_history();
