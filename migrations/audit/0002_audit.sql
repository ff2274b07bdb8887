-- The audit trail: append-only records, partitioned by month, chained for each tenant; and how complete each source's
-- stream is.

CREATE TABLE audit_records (
    -- The event's id: an event that arrives twice is one record.
    id uuid NOT NULL,
    occurred_at timestamptz(3) NOT NULL,
    tenant_id uuid NOT NULL,
    -- The place in the tenant's chain, from 1 without gaps.
    sequence bigint NOT NULL CHECK (sequence > 0),
    action text NOT NULL,
    module text NOT NULL,
    operator_id text,
    operator_type text NOT NULL,
    target_type text NOT NULL,
    target_id text NOT NULL,
    status text NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    session_id text,
    ip text,
    user_agent text,
    request_id text,
    -- The event's data, its text kept as it was published.
    metadata json NOT NULL,
    -- The place in the source's stream, and the hash of its link there.
    source text NOT NULL,
    source_position bigint NOT NULL CHECK (source_position > 0),
    source_hash bytea NOT NULL CHECK (octet_length(source_hash) = 32),
    recorded_at timestamptz(3) NOT NULL,
    -- Of all of the above but the sequence; apart from the link, so that a person's data can be erased and the chain stays.
    payload_hash bytea NOT NULL CHECK (octet_length(payload_hash) = 32),
    previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX audit_records_of_tenant ON audit_records (tenant_id, occurred_at);
CREATE INDEX audit_records_of_operator ON audit_records (tenant_id, operator_id, occurred_at);
CREATE INDEX audit_records_of_target ON audit_records (tenant_id, target_id, occurred_at);
CREATE INDEX audit_records_in_chain ON audit_records (tenant_id, sequence);

-- The head of each tenant's chain.
CREATE TABLE audit_chains (
    tenant_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 70);

-- How far each source's stream is complete here.
CREATE TABLE audit_streams (
    source text PRIMARY KEY,
    -- Every position up to here has been stored and its link checked; hash is the one at that position.
    complete_to bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32),
    -- The highest position stored.
    highest_position bigint NOT NULL DEFAULT 0,
    -- What the source said of its head, and when.
    head_position bigint NOT NULL DEFAULT 0,
    head_checked_at timestamptz,
    -- What is wrong with the stream, where the gap cannot be healed because the source contradicts the trail.
    conflict text,
    conflict_position bigint,
    -- Events fetched from the source because they had not arrived.
    healed_events bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Events stored beyond the first gap of their stream, until the gap closes.
CREATE TABLE audit_stream_ahead (
    source text NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (source, position)
);

-- Nothing but insertion, whoever asks; a superuser who removes the triggers is found by the chain.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_records_keep BEFORE TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_records FROM CURRENT_USER;

CREATE FUNCTION audit_chain_advances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.tenant_id <> OLD.tenant_id OR NEW.sequence <= OLD.sequence THEN
        RAISE EXCEPTION 'the head of a chain only advances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_chains_advance BEFORE UPDATE ON audit_chains
    FOR EACH ROW EXECUTE FUNCTION audit_chain_advances();
CREATE TRIGGER audit_chains_keep BEFORE DELETE ON audit_chains
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_chains_keep_all BEFORE TRUNCATE ON audit_chains
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
REVOKE DELETE, TRUNCATE ON audit_chains FROM CURRENT_USER;

-- Makes the partition of a month where there is none. It is filled in beside the table and attached then, which unlike
-- CREATE TABLE … PARTITION OF does not wait for readers or make them wait.
CREATE FUNCTION audit_ensure_partition(month date) RETURNS boolean
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
