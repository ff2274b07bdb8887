-- Isolation below the statements for the tables that 0008_row_security left out, as the other services have it for theirs:
-- whoever acts for a tenant sees and changes rows of that tenant alone, whatever the statement says.
--
-- What acts for a tenant here is what its administrators do with users, roles and invitations. Of the tables below it writes
-- three, each in its own tenant: its events into outbox, the address that it replaces into email_changes, and, by the trigger
-- on passwords, the hash that it replaces into password_history. Everything else is of no tenant, sets nothing, and sees
-- everything: logins, codes, exports and what users do with their own account, what the mfa service tells, the relay, erasure
-- (an account's rows go in whatever tenant they are: a deletion by an administrator stops acting before), the consumers, the
-- cache's ramp and housekeeping. So does every INSERT … ON CONFLICT on these tables, which would fail with 42501 on a row that a
-- policy hides.
--
-- Without tenant_id, and without a policy: stream_head, warmup and second_factor_reports, which are one row of the service, no
-- user's; and tenants, whose rows are what the tenants are: who acts for one locks its row and reads its rules, by its id, and
-- changes none.
--
-- FORCE, since the service's role owns the tables. The locks are held for moments, and the migrator gives up soon on one that it
-- does not get; what a login reads or writes comes last, so that it waits for the least. Replicas of before work on it as these
-- do.

-- Acting for nobody makes the comparison unknown, and that lets every row through. The planner takes coalesce for half of the
-- rows; "acting_tenant() IS NULL OR …" it takes for one in two hundred, and plans for far fewer than there are.
ALTER TABLE deletions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON deletions USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE exports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON exports USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE email_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON email_changes USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON codes USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE password_history ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON password_history USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE hot_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON hot_keys USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE stream_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON stream_events USING (coalesce(tenant_id = acting_tenant(), true));

-- Of users and sessions, whatever tenant they are of: nobody who acts for one has business here.
ALTER TABLE sent_mails ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_no_tenant ON sent_mails USING (acting_tenant() IS NULL);
ALTER TABLE unanswered_refreshes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_no_tenant ON unanswered_refreshes USING (acting_tenant() IS NULL);

ALTER TABLE remembered_devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON remembered_devices USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE mfa_policies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON mfa_policies USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON second_factors USING (coalesce(tenant_id = acting_tenant(), true));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON outbox USING (coalesce(tenant_id = acting_tenant(), true));
