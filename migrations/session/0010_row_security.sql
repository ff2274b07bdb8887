-- Isolation below the statements, as identity has it: whoever acts for a tenant sees and changes rows of that tenant alone,
-- whatever the statement says. A transaction acts for a tenant by setting authms.tenant_id for itself; whatever is asked of one
-- tenant's sessions and devices does. What is of no tenant sets nothing, and sees everything: a refresh (its token names a
-- session, not a tenant, and it is one statement), opening a session (which notes the account's device), what every verifier
-- must refuse, the relay, erasure and housekeeping.
-- FORCE, since the service's role owns the tables. A dump made as that role needs pg_dump's --enable-row-security; nobody acts
-- for a tenant in it, so it has every row. A superuser's dump needs nothing.

CREATE FUNCTION acting_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('authms.tenant_id', true), '')::uuid $$;

-- Acting for nobody makes the comparison unknown, and that lets every row through. The planner takes coalesce for half of the
-- rows; "acting_tenant() IS NULL OR …" it takes for one in two hundred, and plans for far fewer than there are.
ALTER TABLE erased_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON erased_users USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON sessions USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE revocations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON revocations USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE trusted_devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON trusted_devices USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE hot_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON hot_keys USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON outbox USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE stream_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON stream_events USING (coalesce(tenant_id = acting_tenant(), true));

-- Of the account, whatever tenant it is used in: nobody who acts for one has business here.
ALTER TABLE seen_devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_no_tenant ON seen_devices USING (acting_tenant() IS NULL);
