import Contracts
package import Foundation
package import Postgres

/// A month whose records the retention policy has dropped.
package struct DroppedMonth: Sendable, Hashable, PostgresRowDecodable {
    /// `2024-10`
    package let month: String
    package let records: Int64
    package let droppedAt: Date

    package init(month: String, records: Int64, droppedAt: Date) {
        self.month = month
        self.records = records
        self.droppedAt = droppedAt
    }

    package init(row: PostgresRow) throws {
        month = try row.decode("month")
        records = try row.decode("records")
        droppedAt = try row.decode("dropped_at")
    }
}

enum DroppedMonths {
    /// What was dropped of a tenant's records without the trail telling of it. The event may be on its way, or have been
    /// dropped itself, years later.
    static func unaccounted(of tenantID: UUID, on connection: PostgresConnection) async throws -> [TrailFault] {
        let type = EventType.retentionDropped.rawValue
        let rows = try await connection.query(
            """
            SELECT name, first FROM (
                SELECT month, to_char(month, 'YYYY-MM') AS name, min(first_sequence) AS first
                FROM audit_dropped_leaves WHERE tenant_id = \(tenantID) GROUP BY month) gone
            WHERE NOT EXISTS (
                    SELECT FROM audit_records
                    WHERE tenant_id = \(DefaultTenant.id) AND action = \(type) AND target_id = name)
                AND NOT EXISTS (SELECT FROM outbox WHERE type = \(type) AND subject = name)
                AND NOT EXISTS (SELECT FROM stream_events WHERE type = \(type) AND subject = name)
                AND NOT EXISTS (
                    SELECT FROM audit_dropped_months own
                    JOIN audit_dropped_months later ON later.month = date_trunc('month', own.dropped_at)::date
                    WHERE own.month = gone.month)
            ORDER BY month LIMIT 100
            """)
        return try rows.map { row in
            let month = try row.decode(String.self, "name")
            let sequence = try row.decode(Int64.self, "first")
            return TrailFault(
                kind: "droppedUnaccounted", tenantID: tenantID.text, sequence: sequence, recordID: nil,
                message: "the records of \(month) are gone, record \(sequence) first, and no event tells of it")
        }
    }
}
