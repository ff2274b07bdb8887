-- What a search is for is rare among millions: one kind of event, what failed, what is more than information.
-- Equal and "begins with" are both ranges of this one.
CREATE INDEX audit_records_of_action ON audit_records (tenant_id, action text_pattern_ops, occurred_at);
CREATE INDEX audit_records_failed ON audit_records (tenant_id, occurred_at) WHERE status <> 'success';
CREATE INDEX audit_records_noted ON audit_records (tenant_id, occurred_at) WHERE level <> 'info';
