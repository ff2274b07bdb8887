package import ConnectionKit
import Contracts
package import Foundation
import MicroMiddleware
package import Postgres

/// Reads a tenant's records for an export, a page at a time, in the order of the chain: constant memory. Every page is a
/// short read of its own, so that a slow reader holds neither a connection nor old rows; what is read cannot change. Each acts for
/// the tenant.
package struct AuditExporter: Sendable {
    /// Records in memory at a time.
    package static let page = 500
    private let database: PostgresClient

    package init(_ database: PostgresClient) {
        self.database = database
    }

    /// Where the tenant's chain ends now: later records are not part of the export.
    package func head(of tenant: UUID, deadline: Deadline) async throws -> Int64 {
        try await database.query(
            "SELECT sequence FROM audit_chains WHERE tenant_id = \(tenant)", actingFor: tenant, deadline: deadline
        ).first?.decode(Int64.self, "sequence") ?? 0
    }

    /// The next page after a sequence; empty at the end.
    package func records(
        _ query: AuditQuery, after sequence: Int64, upTo head: Int64, deadline: Deadline
    ) async throws -> [AuditRecord] {
        try await database.query(
            """
            SELECT \(AuditRecord.columns) FROM audit_records
            WHERE \(query.condition) AND sequence > \(sequence) AND sequence <= \(head)
            ORDER BY sequence LIMIT \(Self.page)
            """, actingFor: query.tenantID, deadline: deadline
        ).decode()
    }

    /// What is kept of the tenant's records that the retention policy has dropped: the next runs of hashes.
    package func dropped(
        of tenant: UUID, after sequence: Int64, upTo head: Int64, deadline: Deadline
    ) async throws -> [DroppedRun] {
        try await database.query(
            """
            SELECT tenant_id, first_sequence, hashes FROM audit_dropped_leaves
            WHERE tenant_id = \(tenant) AND first_sequence > \(sequence) AND first_sequence <= \(head)
            ORDER BY first_sequence LIMIT 50
            """, actingFor: tenant, deadline: deadline
        ).decode()
    }

    /// The statements of the tenant's next signed checkpoints over more than `size` and at most `head` records.
    package func checkpoints(
        of tenant: UUID, after size: Int64, upTo head: Int64, deadline: Deadline
    ) async throws -> [(size: Int64, statement: String)] {
        let rows = try await database.query(
            """
            SELECT tree_size, statement FROM audit_checkpoints
            WHERE tenant_id = \(tenant) AND tree_size > \(size) AND tree_size <= \(head)
            ORDER BY tree_size LIMIT \(Self.page)
            """, actingFor: tenant, deadline: deadline)
        return try rows.map { (try $0.decode("tree_size"), try $0.decode("statement")) }
    }
}

/// How an export is written.
package enum ExportFormat: String, Sendable, Hashable, CaseIterable {
    /// One JSON object a line; with everything that a verification needs.
    case ndjson
    /// RFC 4180, for spreadsheets.
    case csv

    var contentType: String {
        switch self {
        case .ndjson: "application/x-ndjson; charset=utf-8"
        case .csv: "text/csv; charset=utf-8; header=present"
        }
    }
}

/// Rows of RFC 4180 that no spreadsheet takes for a formula.
package enum CSV {
    static let header: [String] = [
        "sequence", "id", "timestamp", "tenant_id", "action", "module", "operator_id", "operator_type", "target_type",
        "target_id", "status", "level", "message", "session_id", "ip", "user_agent", "request_id", "metadata", "source",
        "source_sequence", "recorded_at", "hash",
    ]

    static func fields(_ record: AuditRecord) -> [String] {
        [
            record.link.map { "\($0.sequence)" } ?? "", record.id.text, record.occurredAt.text, record.tenantID.text,
            record.action, record.module, record.operatorID ?? "", record.operatorType, record.targetType,
            record.targetID, record.status.rawValue, record.level.rawValue, record.message, record.sessionID ?? "",
            record.ip ?? "", record.userAgent ?? "", record.requestID ?? "", record.metadata, record.source,
            "\(record.sourcePosition)", record.recordedAt.text, record.link.map { Hex.text($0.hash) } ?? "",
        ]
    }

    /// A row with its line end. A field that begins as a formula would (`= + - @`, tab, carriage return) gets an
    /// apostrophe before it, as OWASP's page on CSV injection says.
    package static func row(_ fields: [String]) -> String {
        fields.map(escaped).joined(separator: ",") + "\r\n"
    }

    private static func escaped(_ field: String) -> String {
        var text = field
        if let first = field.unicodeScalars.first, "=+-@\t\r\n".unicodeScalars.contains(first) { text = "'" + text }
        guard text.unicodeScalars.contains(where: { "\",\r\n'".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
