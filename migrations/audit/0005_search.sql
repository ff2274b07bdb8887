-- What an investigation begins with: everything that one request, or one session, has done.

CREATE INDEX audit_records_of_request ON audit_records (tenant_id, request_id, occurred_at) WHERE request_id IS NOT NULL;
CREATE INDEX audit_records_of_session ON audit_records (tenant_id, session_id, occurred_at) WHERE session_id IS NOT NULL;
