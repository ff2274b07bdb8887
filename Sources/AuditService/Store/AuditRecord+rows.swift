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
    /// The columns that ``init(row:)`` reads, in their order: the first of the statement.
    static let columns: SQL =
        """
        id, occurred_at, tenant_id, sequence, action, module, operator_id, operator_type, target_type, target_id,
        status, level, message, session_id, ip, user_agent, request_id, metadata::text AS metadata, source,
        source_position, source_hash, recorded_at, payload_hash, previous_hash, hash
        """

    package init(row: PostgresRow) throws {
        var reader = row.reader()
        id = try reader.next()
        occurredAt = EventTime(try reader.next(Date.self))
        tenantID = try reader.next()
        let sequence: Int64 = try reader.next()
        action = try reader.next()
        module = try reader.next()
        operatorID = try reader.next()
        operatorType = try reader.next()
        targetType = try reader.next()
        targetID = try reader.next()
        status = try reader.next()
        level = try reader.next()
        message = try reader.next()
        sessionID = try reader.next()
        ip = try reader.next()
        userAgent = try reader.next()
        requestID = try reader.next()
        metadata = try reader.next()
        source = try reader.next()
        sourcePosition = try reader.next()
        sourceHash = try reader.next()
        recordedAt = EventTime(try reader.next(Date.self))
        link = ChainLink(
            sequence: sequence, payloadHash: try reader.next(), previousHash: try reader.next(), hash: try reader.next()
        )
    }
}

extension EventStatus: PostgresDecodable {}
extension AuditLevel: PostgresDecodable {}
