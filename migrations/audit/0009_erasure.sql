-- Erasure: of what a deleted user did as themselves, a record keeps that it happened, when and by which id, and loses what could
-- tell a person: address, browser, request, message and the event's data. Its hashes stay, so the chain is followed across it and
-- every signed root is still made; and only what a record of the same chain tells of is accepted as erased.
-- What an administrator did to others stays whole: it is about them.

-- The record that tells of the erasure, in a record that was erased.
ALTER TABLE audit_records ADD COLUMN erased_by uuid;

-- Users who are deleted, by id alone, and whether the chains of the tenants that have records of them have been told.
CREATE TABLE erased_users (
    user_id   uuid        PRIMARY KEY,
    tenant_id uuid        NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    is_told   boolean     NOT NULL DEFAULT false
);

CREATE INDEX erased_users_untold ON erased_users (erased_at) WHERE NOT is_told;

-- Whose payloads go, for each tenant that has records of them.
CREATE TABLE audit_erasures (
    tenant_id   uuid           NOT NULL,
    user_id     text           NOT NULL,
    -- The record that tells of it, and when that happened: what happened later stays.
    record_id   uuid           NOT NULL,
    occurred_at timestamptz(3) NOT NULL,
    recorded_at timestamptz    NOT NULL DEFAULT now(),
    payloads    bigint         NOT NULL DEFAULT 0,
    -- When nothing was left. For an hour more it is looked for what came late.
    emptied_at  timestamptz,
    is_due      boolean        NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, user_id)
) WITH (fillfactor = 70);

CREATE INDEX audit_erasures_due ON audit_erasures (recorded_at) WHERE is_due;

-- Where row security has come before, as on every table that has rows of tenants.
DO $$
BEGIN
    IF to_regprocedure('acting_tenant()') IS NOT NULL THEN
        ALTER TABLE audit_erasures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY own_tenant ON audit_erasures USING (coalesce(tenant_id = acting_tenant(), true));
        ALTER TABLE erased_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY own_tenant ON erased_users USING (coalesce(tenant_id = acting_tenant(), true));
    END IF;
END $$;

-- Nothing but insertion, and erasure: once, of the payload alone, of a user whose erasure the same chain tells of.
CREATE FUNCTION audit_records_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.erased_by IS NULL AND NEW.erased_by IS NOT NULL
            AND NEW.message = 'erased' AND NEW.metadata::text = '{}'
            AND NEW.ip IS NULL AND NEW.user_agent IS NULL AND NEW.request_id IS NULL
            AND (NEW.id, NEW.occurred_at, NEW.tenant_id, NEW.sequence, NEW.action, NEW.module, NEW.operator_id,
                    NEW.operator_type, NEW.target_type, NEW.target_id, NEW.status, NEW.level, NEW.session_id, NEW.source,
                    NEW.source_position, NEW.source_hash, NEW.recorded_at, NEW.payload_hash, NEW.previous_hash, NEW.hash)
                IS NOT DISTINCT FROM
                (OLD.id, OLD.occurred_at, OLD.tenant_id, OLD.sequence, OLD.action, OLD.module, OLD.operator_id,
                    OLD.operator_type, OLD.target_type, OLD.target_id, OLD.status, OLD.level, OLD.session_id, OLD.source,
                    OLD.source_position, OLD.source_hash, OLD.recorded_at, OLD.payload_hash, OLD.previous_hash, OLD.hash)
            AND EXISTS (
                SELECT FROM audit_records told
                WHERE told.id = NEW.erased_by AND told.tenant_id = OLD.tenant_id AND told.action = 'audit.user.erased'
                    AND told.target_id = coalesce(OLD.operator_id, OLD.target_id) AND told.erased_by IS NULL)
        THEN RETURN NEW; END IF;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

DROP TRIGGER audit_records_append_only ON audit_records;
CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION audit_records_change();
-- For the function below alone, which works as the owner; the service's role has none of it.
GRANT UPDATE (message, metadata, ip, user_agent, request_id, erased_by) ON audit_records TO CURRENT_USER;

-- Erases the payloads that are due, so many at most: there is more where it returns as many.
CREATE FUNCTION audit_erase_payloads(most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    due audit_erasures;
    since timestamptz;
    part bigint;
    erased bigint := 0;
BEGIN
    -- One at a time; who comes meanwhile leaves it to the one that is at it.
    IF NOT pg_try_advisory_xact_lock(hashtext('audit_erase_payloads')) THEN RETURN 0; END IF;
    FOR due IN SELECT * FROM audit_erasures WHERE is_due ORDER BY recorded_at LIMIT 1000 LOOP
        -- What comes late happened lately: a busy user's records are not read again every time.
        since := CASE WHEN due.emptied_at IS NULL THEN '-infinity' ELSE due.occurred_at - INTERVAL '1 day' END;
        WITH chosen AS MATERIALIZED (
            SELECT r.id, r.occurred_at FROM audit_records r
            WHERE r.tenant_id = due.tenant_id AND r.occurred_at BETWEEN since AND due.occurred_at
                AND r.erased_by IS NULL AND r.action <> 'audit.user.erased'
                AND ((r.target_id = due.user_id AND (r.operator_id = due.user_id
                        OR r.operator_id IS NULL AND coalesce(r.ip, r.user_agent) IS NOT NULL))
                    OR (r.operator_id = due.user_id AND r.target_type = 'session'))
            LIMIT most - erased)
        UPDATE audit_records r
        SET message = 'erased', metadata = '{}', ip = NULL, user_agent = NULL, request_id = NULL, erased_by = due.record_id
        FROM chosen WHERE r.id = chosen.id AND r.occurred_at = chosen.occurred_at;
        GET DIAGNOSTICS part = ROW_COUNT;
        erased := erased + part;
        IF part > 0 OR due.emptied_at IS NULL OR due.recorded_at < now() - INTERVAL '1 hour' THEN
            UPDATE audit_erasures e SET payloads = e.payloads + part,
                emptied_at = CASE WHEN erased < most THEN coalesce(e.emptied_at, now()) ELSE e.emptied_at END,
                is_due = erased >= most OR e.recorded_at >= now() - INTERVAL '1 hour'
            WHERE e.tenant_id = due.tenant_id AND e.user_id = due.user_id;
        END IF;
        EXIT WHEN erased >= most;
    END LOOP;
    RETURN erased;
END $$;

REVOKE EXECUTE ON FUNCTION audit_erase_payloads(integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION audit_grant_service(service name) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), service);
    -- The trail: put in and read, nothing else. Partitions are reached through their table alone.
    EXECUTE format('GRANT SELECT, INSERT ON audit_records, audit_checkpoints, audit_tree_blocks TO %I', service);
    -- The heads of chains advance; their trigger sees to it.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON audit_chains, audit_streams TO %I', service);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON audit_stream_ahead TO %I', service);
    -- How long is the service's to say, how short never is; and what goes, goes by the function alone.
    EXECUTE format('GRANT SELECT, UPDATE (keep_months, changed_at, changed_by) ON audit_retention TO %I', service);
    EXECUTE format('GRANT SELECT ON audit_dropped_months, audit_dropped_leaves TO %I', service);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_drop_month(date, integer) TO %I', service);
    -- Whose payloads are to go is the service's to say where its chain does; and they go by the function alone.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (is_told) ON erased_users TO %I', service);
    EXECUTE format('GRANT SELECT, INSERT (tenant_id, user_id, record_id, occurred_at) ON audit_erasures TO %I', service);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_erase_payloads(integer) TO %I', service);
    -- The service's own stream of events.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, stream_events TO %I', service);
    EXECUTE format('GRANT SELECT, UPDATE ON stream_head TO %I', service);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_ensure_partition(date) TO %I', service);
END $$;
