-- What administrators search by leads to the rows of their own tenant, however many users there are in others.

-- Who is a member here and has the account elsewhere. Known to the membership, so that the few guests of a tenant are found
-- without looking at all of its members. (A user that the same statement inserts is not visible yet, and is no guest.)
ALTER TABLE memberships ADD COLUMN is_guest boolean NOT NULL DEFAULT false;

UPDATE memberships m SET is_guest = true FROM users u WHERE u.id = m.user_id AND u.tenant_id <> m.tenant_id;

CREATE FUNCTION membership_tells_guests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.is_guest := EXISTS (SELECT FROM users u WHERE u.id = NEW.user_id AND u.tenant_id <> NEW.tenant_id);
    RETURN NEW;
END $$;

CREATE TRIGGER membership_tells_guests BEFORE INSERT ON memberships
    FOR EACH ROW EXECUTE FUNCTION membership_tells_guests();

CREATE INDEX memberships_of_guests ON memberships (tenant_id, user_id) WHERE is_guest;
CREATE INDEX memberships_shut_out ON memberships (tenant_id, user_id) WHERE status = 'suspended';

-- Few of many, and what a count has to leave out.
CREATE INDEX users_inactive ON users (tenant_id, id) WHERE status <> 'active';

-- The tenant first: a prefix that half of all users share is a range of one tenant's keys.
DROP INDEX users_by_email_prefix, users_by_username_prefix, users_by_phone_prefix, users_by_name_prefix;
CREATE INDEX users_by_email_prefix ON users (tenant_id, email_key text_pattern_ops);
CREATE INDEX users_by_username_prefix ON users (tenant_id, username_key text_pattern_ops);
CREATE INDEX users_by_phone_prefix ON users (tenant_id, phone_key text_pattern_ops);
CREATE INDEX users_by_name_prefix ON users (tenant_id, name_key text_pattern_ops);
