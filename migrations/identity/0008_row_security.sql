-- Isolation below the statements: whoever acts for a tenant sees and changes rows of that tenant alone, whatever the
-- statement says. A transaction acts for a tenant by setting authms.tenant_id for itself; what members and administrators
-- of a tenant ask for does. What belongs to no tenant (a login, which is one statement before the hash and one after it;
-- the relay; a user's list of tenants; who runs the suite) sets nothing, and names its tenant in its statements.
-- FORCE, since the service's role owns the tables.

CREATE FUNCTION acting_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('authms.tenant_id', true), '')::uuid $$;

-- lower(name) could not be looked up by an index under a policy, since lower() is not leakproof.
ALTER TABLE users ADD COLUMN name_key text GENERATED ALWAYS AS (lower(name)) STORED;
DROP INDEX users_by_name_prefix;
CREATE INDEX users_by_name_prefix ON users (name_key text_pattern_ops);

ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- A guest is seen where they are one; the account is changed at home.
CREATE POLICY seen ON users FOR SELECT
    USING (acting_tenant() IS NULL OR tenant_id = acting_tenant() OR EXISTS (
        SELECT FROM memberships m WHERE m.user_id = users.id AND m.tenant_id = acting_tenant()));
CREATE POLICY inserted ON users FOR INSERT WITH CHECK (acting_tenant() IS NULL OR tenant_id = acting_tenant());
CREATE POLICY updated ON users FOR UPDATE USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
CREATE POLICY deleted ON users FOR DELETE USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());

ALTER TABLE passwords ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON passwords USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON memberships USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
ALTER TABLE user_roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON user_roles USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
ALTER TABLE roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON roles USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON invitations USING (acting_tenant() IS NULL OR tenant_id = acting_tenant());
