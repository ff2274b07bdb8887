import Contracts
import Foundation
import Postgres

extension AuditStore {
    /// Notes whom identity says to be deleted, and of whose erasure this service's own records tell: in the same transaction, so that none is
    /// forgotten, and nothing is erased before its record is there.
    func noteErasures(_ records: [AuditRecord], on connection: PostgresConnection) async throws {
        let deleted = records.filter {
            $0.action == EventType.userDeleted.rawValue && $0.source == EventSource.identity.uri
        }.compactMap { record in UUID(uuidString: record.targetID).map { ($0, record.tenantID) } }
        if !deleted.isEmpty {
            try await connection.query(
                """
                INSERT INTO erased_users (user_id, tenant_id)
                SELECT * FROM unnest(\(deleted.map(\.0)), \(deleted.map(\.1))) ON CONFLICT DO NOTHING
                """)
        }
        let told = records.filter {
            $0.action == EventType.payloadsErased.rawValue && $0.source == EventSource.audit.uri
        }
        if !told.isEmpty {
            try await connection.query(
                """
                INSERT INTO audit_erasures (tenant_id, user_id, record_id, occurred_at)
                SELECT * FROM unnest(\(told.map(\.tenantID)), \(told.map(\.targetID)), \(told.map(\.id)),
                    \(told.map(\.occurredAt.date))) ON CONFLICT DO NOTHING
                """)
        }
    }
}
