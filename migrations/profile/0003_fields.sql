-- What a profile holds. A deleted profile keeps its row, emptied: its version goes on counting, so that an ETag of before
-- the deletion never fits again.

ALTER TABLE profiles
    ADD COLUMN version     bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    ADD COLUMN fields      jsonb  NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(fields) = 'object'),
    ADD COLUMN preferences jsonb  NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(preferences) = 'object'),
    ADD COLUMN privacy     jsonb  NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(privacy) = 'object');

CREATE INDEX profiles_by_tenant ON profiles (tenant_id, user_id);
