package import Contracts
import Foundation
package import Postgres

extension AuditStore {
    /// One statement for any number of records.
    static func insertSQL(_ records: [AuditRecord]) -> SQL {
        let links = records.compactMap(\.link)
        precondition(links.count == records.count, "records are chained before they are stored")
        return """
            INSERT INTO audit_records (id, occurred_at, tenant_id, sequence, action, module, operator_id,
                operator_type, target_type, target_id, status, level, message, session_id, ip, user_agent, request_id,
                metadata, source, source_position, source_hash, recorded_at, payload_hash, previous_hash, hash)
            SELECT id, occurred_at, tenant_id, sequence, action, module, operator_id,
                operator_type, target_type, target_id, status, level, message, session_id, ip, user_agent, request_id,
                metadata::json, source, source_position, source_hash, recorded_at, payload_hash, previous_hash, hash
            FROM unnest(\(records.map(\.id)), \(records.map(\.occurredAt.date)), \(records.map(\.tenantID)),
                \(links.map(\.sequence)), \(records.map(\.action)), \(records.map(\.module)),
                \(records.map(\.operatorID)), \(records.map(\.operatorType)), \(records.map(\.targetType)),
                \(records.map(\.targetID)), \(records.map(\.status.rawValue)), \(records.map(\.level.rawValue)),
                \(records.map(\.message)), \(records.map(\.sessionID)), \(records.map(\.ip)),
                \(records.map(\.userAgent)), \(records.map(\.requestID)), \(records.map(\.metadata)),
                \(records.map(\.source)), \(records.map(\.sourcePosition)), \(records.map(\.sourceHash)),
                \(records.map(\.recordedAt.date)), \(links.map(\.payloadHash)), \(links.map(\.previousHash)),
                \(links.map(\.hash)))
                AS record(id, occurred_at, tenant_id, sequence, action, module, operator_id,
                    operator_type, target_type, target_id, status, level, message, session_id, ip, user_agent,
                    request_id, metadata, source, source_position, source_hash, recorded_at, payload_hash,
                    previous_hash, hash)
            """
    }

    /// One statement for any number of chains.
    static func chainsSQL(_ chains: [TenantChain]) -> SQL {
        """
        INSERT INTO audit_chains (tenant_id, sequence, hash)
        SELECT * FROM unnest(\(chains.map(\.tenantID)), \(chains.map(\.sequence)), \(chains.map(\.hash)))
        ON CONFLICT (tenant_id) DO UPDATE SET sequence = EXCLUDED.sequence, hash = EXCLUDED.hash
        """
    }
}

extension AuditRecord: PostgresRowDecodable {
    /// The columns that ``init(row:)`` reads.
    static let columns: SQL =
        """
        id, occurred_at, tenant_id, sequence, action, module, operator_id, operator_type, target_type, target_id,
        status, level, message, session_id, ip, user_agent, request_id, metadata::text AS metadata, source,
        source_position, source_hash, recorded_at, payload_hash, previous_hash, hash
        """

    package init(row: PostgresRow) throws {
        id = try row.decode("id")
        occurredAt = EventTime(try row.decode(Date.self, "occurred_at"))
        tenantID = try row.decode("tenant_id")
        action = try row.decode("action")
        module = try row.decode("module")
        operatorID = try row.decode("operator_id")
        operatorType = try row.decode("operator_type")
        targetType = try row.decode("target_type")
        targetID = try row.decode("target_id")
        status = try row.decode("status")
        level = try row.decode("level")
        message = try row.decode("message")
        sessionID = try row.decode("session_id")
        ip = try row.decode("ip")
        userAgent = try row.decode("user_agent")
        requestID = try row.decode("request_id")
        metadata = try row.decode("metadata")
        source = try row.decode("source")
        sourcePosition = try row.decode("source_position")
        sourceHash = try row.decode("source_hash")
        recordedAt = EventTime(try row.decode(Date.self, "recorded_at"))
        link = ChainLink(
            sequence: try row.decode("sequence"), payloadHash: try row.decode("payload_hash"),
            previousHash: try row.decode("previous_hash"), hash: try row.decode("hash"))
    }
}

extension EventStatus: PostgresDecodable {}
extension AuditLevel: PostgresDecodable {}
