-- What administrators list: a user's sessions, ended ones too, and what has been ended.
-- A rotation changes none of these columns, so a refresh stays heap-only.
CREATE INDEX sessions_of_user_by_creation ON sessions (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX sessions_ended ON sessions (tenant_id, created_at DESC, id DESC) WHERE revoked_at IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (tenant_id, revoked_at) WHERE revoked_at IS NOT NULL;
