-- Retention: the records of whole months go, and of each record its hash stays: 32 bytes, with which the chain is followed
-- across the hole, every signed root is still made, and who kept a copy of a record can still prove that it was there.
-- A month is of when things happened, the chain's order is of when they were recorded: so what goes need not be the
-- beginning of a chain, and nothing here asks it to be.

CREATE TABLE audit_retention (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Whole months that are kept; NULL is for ever.
    keep_months integer,
    -- The least that may be asked for; the owner alone changes it.
    floor_months integer NOT NULL DEFAULT 12 CHECK (floor_months > 0),
    -- NULL until somebody has said how long: then the service's configuration holds.
    changed_at timestamptz(3),
    changed_by text,
    CHECK (keep_months >= floor_months)
);

INSERT INTO audit_retention DEFAULT VALUES;

CREATE TABLE audit_dropped_months (
    -- Its first day.
    month date PRIMARY KEY,
    records bigint NOT NULL,
    keep_months integer NOT NULL,
    dropped_at timestamptz(3) NOT NULL DEFAULT now()
);

-- The hashes of the records that went: runs of sequences without gaps.
CREATE TABLE audit_dropped_leaves (
    tenant_id uuid NOT NULL,
    first_sequence bigint NOT NULL CHECK (first_sequence > 0),
    month date NOT NULL REFERENCES audit_dropped_months,
    -- 32 bytes a record, 1,024 records at most.
    hashes bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 32768 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (tenant_id, first_sequence)
);
-- Hashes do not compress.
ALTER TABLE audit_dropped_leaves ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TRIGGER audit_dropped_months_append_only BEFORE UPDATE OR DELETE ON audit_dropped_months
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_dropped_months_keep BEFORE TRUNCATE ON audit_dropped_months
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_dropped_leaves_append_only BEFORE UPDATE OR DELETE ON audit_dropped_leaves
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_dropped_leaves_keep BEFORE TRUNCATE ON audit_dropped_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Drops the records of a month that is older than so many whole months, if all of them have been signed for. Says no to
-- less than the floor, whoever asks.
--
-- Returns how many records went, NULL where there is no such partition.
CREATE FUNCTION audit_drop_month(of_month date, keep integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    first date := date_trunc('month', of_month)::date;
    name text := 'audit_records_' || to_char(first, 'YYYY_MM');
    least integer;
    dropped bigint;
    unsigned uuid;
BEGIN
    SELECT floor_months INTO STRICT least FROM audit_retention;
    IF keep IS NULL OR keep < least THEN
        RAISE EXCEPTION 'the audit trail is kept for % months at least', least USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF first + INTERVAL '1 month' > date_trunc('month', now()) - make_interval(months => keep) THEN
        RAISE EXCEPTION 'the audit records of % are not older than % months', to_char(first, 'YYYY-MM'), keep
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partition'));
    PERFORM FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit_records'::regclass AND relname = name;
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- Nobody writes to it any more; readers go on until it is detached. The owner took away from itself what this lock asks for.
    EXECUTE format('GRANT TRUNCATE ON %I TO CURRENT_USER', name);
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', name);
    EXECUTE format(
        'SELECT tenant_id FROM (SELECT tenant_id, max(sequence) AS last FROM %I GROUP BY 1) part
         WHERE last > coalesce((SELECT max(tree_size) FROM audit_checkpoints c WHERE c.tenant_id = part.tenant_id), 0)
         LIMIT 1', name) INTO unsigned;
    IF unsigned IS NOT NULL THEN
        RAISE EXCEPTION 'records of % of tenant % are not signed for yet', to_char(first, 'YYYY-MM'), unsigned
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('SELECT count(*) FROM %I', name) INTO dropped;
    INSERT INTO audit_dropped_months (month, records, keep_months) VALUES (first, dropped, keep);
    EXECUTE format(
        'INSERT INTO audit_dropped_leaves (tenant_id, first_sequence, month, hashes)
         SELECT tenant_id, min(sequence), %L, string_agg(hash, %L ORDER BY sequence)
         FROM (SELECT tenant_id, sequence, hash,
                   sequence - row_number() OVER (PARTITION BY tenant_id ORDER BY sequence) AS run FROM %I) numbered
         GROUP BY tenant_id, run, (sequence - 1) / 1024', first, ''::bytea, name);
    EXECUTE format('ALTER TABLE audit_records DETACH PARTITION %I', name);
    EXECUTE format('DROP TABLE %I', name);
    RETURN dropped;
END $$;

REVOKE EXECUTE ON FUNCTION audit_drop_month(date, integer) FROM PUBLIC;

-- As before, but a month that has gone does not come back: an event that late is refused, and becomes a dead letter.
CREATE OR REPLACE FUNCTION audit_ensure_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_records_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first < DATE '2020-01-01' OR first > DATE '2100-12-01' THEN
        RAISE EXCEPTION 'no audit partition for %', first USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partition'));
    PERFORM FROM audit_dropped_months dropped WHERE dropped.month = first;
    IF FOUND THEN
        RAISE EXCEPTION 'the audit records of % have been dropped by the retention policy', to_char(first, 'YYYY-MM')
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    -- Not to_regclass again: what it did not find before the lock it remembers.
    PERFORM FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit_records'::regclass AND relname = name;
    IF FOUND THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_records INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'CREATE TRIGGER audit_records_keep BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()',
        name);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM CURRENT_USER', name);
    -- Midnights in UTC, whatever the session's time zone.
    EXECUTE format(
        'ALTER TABLE audit_records ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
        to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00',
        to_char(first + INTERVAL '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    RETURN true;
END $$;

-- The roots of the tree's perfect subtrees of 1,024 leaves, written when a checkpoint is signed: a proof reads them
-- instead of every leaf below. They prove nothing themselves; what is made of them is held against what was signed.
CREATE TABLE audit_tree_blocks (
    tenant_id uuid NOT NULL,
    -- The leaves from 1,024 times this one.
    block bigint NOT NULL CHECK (block >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (tenant_id, block)
);

CREATE TRIGGER audit_tree_blocks_append_only BEFORE UPDATE OR DELETE ON audit_tree_blocks
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_tree_blocks_keep BEFORE TRUNCATE ON audit_tree_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

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
    -- The service's own stream of events.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, stream_events TO %I', service);
    EXECUTE format('GRANT SELECT, UPDATE ON stream_head TO %I', service);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_ensure_partition(date) TO %I', service);
END $$;
