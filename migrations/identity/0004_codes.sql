-- Codes that are sent by mail, and which mails have been sent.
--
-- No code is stored, nor a hash that it could be found from: a code is computed from the row's salt under a key that is in
-- no database.
CREATE TABLE codes (
    -- The id of the event that asked for the code, so that a redelivered event finds the code that it made.
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    purpose    text        NOT NULL CHECK (purpose IN ('password_reset', 'email_verification', 'email_change')),
    -- The address that the code proves, and its key; what a code is worth ends when the user's address is another one.
    target     text        NOT NULL,
    target_key text        NOT NULL,
    salt       bytea       NOT NULL CHECK (octet_length(salt) = 32),
    attempts   integer     NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
) WITH (fillfactor = 85);

CREATE INDEX codes_by_user ON codes (user_id, purpose, created_at);
CREATE INDEX codes_by_expiry ON codes (expires_at);

-- Which events have had their mail, so that none is sent twice because something else in its batch failed.
CREATE TABLE sent_mails (
    event_id uuid        PRIMARY KEY,
    -- What it was and to whom, to send a person not too many of one kind.
    user_id  uuid        NOT NULL,
    kind     text        NOT NULL,
    sent_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX sent_mails_by_time ON sent_mails (sent_at);
CREATE INDEX sent_mails_by_user ON sent_mails (user_id, kind, sent_at);

-- Addresses that users want to change to, from the request until the code comes back; no event holds an address.
CREATE TABLE email_changes (
    -- The id of the event that asked for it, which is its code's id too.
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL REFERENCES tenants (id),
    email        text        NOT NULL,
    email_key    text        NOT NULL,
    -- The address before, once the change is made: it gets one last mail.
    old_email    text,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX email_changes_by_user ON email_changes (user_id);
CREATE INDEX email_changes_by_time ON email_changes (created_at);
