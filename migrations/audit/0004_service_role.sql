-- The role that the service works as is not the one that owns the tables: it cannot alter or drop them, nor switch off
-- their triggers. What it may do is here, in one place, and said again by every migration that adds a table.

-- Gives the role what the service needs. The owner calls it after every migration; again does nothing new.
CREATE FUNCTION audit_grant_service(service name) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), service);
    -- The trail: put in and read, nothing else. Partitions are reached through their table alone.
    EXECUTE format('GRANT SELECT, INSERT ON audit_records, audit_checkpoints TO %I', service);
    -- The heads of chains advance; their trigger sees to it.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON audit_chains, audit_streams TO %I', service);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON audit_stream_ahead TO %I', service);
    -- The service's own stream of events.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, stream_events TO %I', service);
    EXECUTE format('GRANT SELECT, UPDATE ON stream_head TO %I', service);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_ensure_partition(date) TO %I', service);
END $$;

REVOKE EXECUTE ON FUNCTION audit_grant_service(name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION audit_ensure_partition(date) FROM PUBLIC;
