-- Which report told identity of a user last, and the number of the last one that identity has confirmed. What identity was
-- told before there were numbers is told once more.
ALTER TABLE mfa_users ADD COLUMN told_report bigint NOT NULL DEFAULT 0, ADD COLUMN is_due boolean NOT NULL DEFAULT true;
ALTER TABLE mfa_users ALTER COLUMN is_due SET DEFAULT false;

CREATE INDEX mfa_users_due ON mfa_users (user_id) WHERE is_due;

CREATE TABLE identity_reports (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    last      bigint  NOT NULL DEFAULT 0
);

INSERT INTO identity_reports DEFAULT VALUES;
