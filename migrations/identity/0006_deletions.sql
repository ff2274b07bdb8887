-- Accounts that are being deleted, and how far the services have come; and what users asked to be given of their data.
CREATE TABLE deletions (
    -- The id of the event by which the deletion began; whoever has it may ask how it goes.
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL UNIQUE,
    tenant_id    uuid        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- Where the last mail goes; gone once it has been sent.
    email        text,
    -- The services that have nothing of the user any more.
    erased       text[]      NOT NULL DEFAULT '{}',
    completed_at timestamptz
);

CREATE TABLE exports (
    -- The id of the event that asked for it.
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL REFERENCES tenants (id),
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- JSON, as its parts came from the services; null until all are there.
    bundle       bytea,
    ready_at     timestamptz,
    expires_at   timestamptz NOT NULL
);

CREATE INDEX exports_of_user ON exports (user_id, requested_at);
CREATE INDEX exports_by_expiry ON exports (expires_at);
