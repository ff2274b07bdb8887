-- Signed checkpoints of each tenant's chain: an RFC 9162 tree over the records' hashes. They outlive the records.

CREATE TABLE audit_checkpoints (
    tenant_id uuid NOT NULL,
    -- How many records the tree has: the sequence of the last.
    tree_size bigint NOT NULL CHECK (tree_size > 0),
    root_hash bytea NOT NULL CHECK (octet_length(root_hash) = 32),
    -- The hash of the chain at that record.
    chain_hash bytea NOT NULL CHECK (octet_length(chain_hash) = 32),
    -- The roots of the tree's perfect subtrees, from which it grows on.
    frontier bytea NOT NULL,
    signed_at timestamptz(3) NOT NULL,
    -- What was signed, as a compact JWS.
    statement text NOT NULL,
    PRIMARY KEY (tenant_id, tree_size)
);

CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_checkpoints_keep BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_checkpoints FROM CURRENT_USER;
