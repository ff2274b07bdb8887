-- The outbox of a service and the stream that grows out of it. The same text in every service that publishes events.
--
-- Whoever changes state inserts its event into outbox in the same transaction. The relay (one at a time for each
-- database) moves what is committed into stream_events, where it gets the next position and a hash link to the one
-- before, and publishes from there. Positions are given when the relay picks rows up, not when they are inserted: a
-- transaction that commits late is numbered late, so a reader by position never skips anything.

CREATE TABLE outbox (
    -- Order of insertion; only for picking up, never an identity (after a restore it repeats).
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A UUIDv7 made by the writer.
    id uuid NOT NULL,
    type text NOT NULL CHECK (length(type) BETWEEN 1 AND 128),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 512),
    tenant_id uuid NOT NULL,
    -- Whole milliseconds, because the hash is taken over its text.
    occurred_at timestamptz(3) NOT NULL DEFAULT now(),
    -- json, not jsonb: it keeps the text as it was written, and exactly that text is hashed and published.
    data json NOT NULL CHECK (json_typeof(data) = 'object')
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE stream_events (
    position bigint PRIMARY KEY CHECK (position > 0),
    id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamptz(3) NOT NULL,
    data json NOT NULL,
    previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    numbered_at timestamptz NOT NULL DEFAULT now()
);

-- One row: how far the stream has come.
CREATE TABLE stream_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The last position given, and its hash.
    position bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32),
    -- Everything up to here is confirmed by the broker.
    published_position bigint NOT NULL DEFAULT 0,
    -- Everything up to here is known to be in the audit trail; only this may be dropped.
    reconciled_position bigint NOT NULL DEFAULT 0,
    CHECK (published_position <= position AND reconciled_position <= position)
) WITH (fillfactor = 50);

INSERT INTO stream_head DEFAULT VALUES;
