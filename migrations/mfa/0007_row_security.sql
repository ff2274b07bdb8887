-- Isolation below the statements, as identity has it: whoever acts for a tenant sees and changes rows of that tenant alone,
-- whatever the statement says. A transaction acts for a tenant by setting authms.tenant_id for itself; everything
-- that is asked of a user's factors and challenges does. What is of no tenant sets nothing, and sees everything: telling
-- identity, new keys for old secrets, the relay, erasure and housekeeping.
-- FORCE, since the service's role owns the tables. A dump made as that role needs pg_dump's --enable-row-security; nobody acts
-- for a tenant in it, so it has every row. A superuser's dump needs nothing.

CREATE FUNCTION acting_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('authms.tenant_id', true), '')::uuid $$;

-- Acting for nobody makes the comparison unknown, and that lets every row through. The planner takes coalesce for half of the
-- rows; "acting_tenant() IS NULL OR …" it takes for one in two hundred, and plans for far fewer than there are.
ALTER TABLE erased_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON erased_users USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE mfa_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON mfa_users USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE totp_secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON totp_secrets USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON recovery_codes USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE challenges ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON challenges USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON passkeys USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE passkey_registrations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON passkey_registrations USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON outbox USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE stream_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON stream_events USING (coalesce(tenant_id = acting_tenant(), true));
