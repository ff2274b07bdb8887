-- Pictures, and what custom fields a tenant has.

CREATE TABLE avatars (
    user_id      uuid        PRIMARY KEY REFERENCES profiles (user_id) ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL,
    content_type text        NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp')),
    width        int         NOT NULL CHECK (width BETWEEN 1 AND 4096),
    height       int         NOT NULL CHECK (height BETWEEN 1 AND 4096),
    content      bytea       NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 4194304),
    changed_at   timestamptz NOT NULL DEFAULT now()
);
-- It is compressed already.
ALTER TABLE avatars ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE custom_field_schemas (
    tenant_id  uuid        PRIMARY KEY,
    fields     jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    changed_at timestamptz NOT NULL DEFAULT now()
);
