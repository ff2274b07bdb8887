-- Users whose data has been erased here, by id alone: what comes late about them is erased too.
CREATE TABLE erased_users (
    user_id   uuid        PRIMARY KEY,
    tenant_id uuid        NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX erased_users_by_time ON erased_users (erased_at);
