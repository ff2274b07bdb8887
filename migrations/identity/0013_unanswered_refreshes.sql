-- Refreshes that came here because the session service gave no answer. It is told of each as soon as it answers again: it may
-- have exchanged the token, and then nobody has the successor.
CREATE TABLE unanswered_refreshes (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid        NOT NULL,
    generation bigint      NOT NULL,
    edition    bigint      NOT NULL,
    asked_at   timestamptz NOT NULL
);

CREATE INDEX unanswered_refreshes_by_token ON unanswered_refreshes (session_id, generation);
