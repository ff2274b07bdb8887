-- What the service remembers of its cache, so that it outlives the cache.

-- One row: the database's mark, the cache's generation, what is usual, and the warm-up ramp.
CREATE TABLE warmup (
    singleton  boolean          PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The cluster and timeline that the mark was written on, and when by the database's clock: what was set back shows it.
    system     text,
    timeline   text,
    marked_at  timestamptz,
    generation text,
    -- The p95 statement time and the cache hits a second of an ordinary moment.
    steady_us  bigint           CHECK (steady_us >= 0),
    usual_hits double precision NOT NULL DEFAULT 0,
    state      jsonb,
    revision   bigint           NOT NULL DEFAULT -1
) WITH (fillfactor = 50);

INSERT INTO warmup DEFAULT VALUES;

-- The keys that are asked for most, bounded by the service: loaded first when the cache is lost.
CREATE TABLE hot_keys (
    kind      text             NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    tenant_id uuid             NOT NULL,
    id        uuid             NOT NULL,
    weight    double precision NOT NULL,
    seen_at   timestamptz      NOT NULL,
    PRIMARY KEY (kind, tenant_id, id)
) WITH (fillfactor = 70);
