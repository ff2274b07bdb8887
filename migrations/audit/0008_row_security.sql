-- Isolation below the statements, as identity has it: whoever acts for a tenant sees rows of that tenant alone, whatever the
-- statement says. A transaction acts for a tenant by setting authms.tenant_id for itself; every answer to somebody who may
-- read their tenant's trail does. What is of no tenant sets nothing, and sees everything: taking events in (a batch has those
-- of many tenants, in one transaction), healing, checkpoints, retention, the relay, and `authms audit verify`, as whatever role
-- it reads.
-- A policy on the table holds however its partitions come and go: the service reaches them through it alone. The functions
-- that make and drop them work on the partitions themselves, as the owner.
-- The policies are for every command: what is append-only is refused by triggers and grants, as before.
-- FORCE, since the owner may be the service's role, too. A dump made as the owner needs pg_dump's --enable-row-security; nobody
-- acts for a tenant in it, so it has every row. A superuser's dump needs nothing.

CREATE FUNCTION acting_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('authms.tenant_id', true), '')::uuid $$;

-- Acting for nobody makes the comparison unknown, and that lets every row through. The planner takes coalesce for half of the
-- rows; "acting_tenant() IS NULL OR …" it takes for one in two hundred, and plans for far fewer than there are.
ALTER TABLE audit_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_records USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE audit_chains ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_chains USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_checkpoints USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE audit_tree_blocks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_tree_blocks USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE audit_dropped_leaves ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_dropped_leaves USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON outbox USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE stream_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON stream_events USING (coalesce(tenant_id = acting_tenant(), true));
