import ConnectionKit
import Contracts
import Foundation
import Postgres

extension PostgresClient {
    /// Runs `body` in a transaction that sees and changes rows of one tenant alone: the database's own policies see to it,
    /// whatever the statements say (migration 0008_row_security).
    func acting<Value>(
        for tenantID: UUID, deadline: Deadline, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await withTransaction(deadline: deadline) { connection in
            try await connection.act(for: tenantID)
            return try await body(connection)
        }
    }
}

extension PostgresConnection {
    /// Narrows the rest of the transaction to one tenant.
    func act(for tenantID: UUID) async throws(PostgresError) {
        try await query("SELECT set_config('authms.tenant_id', \(tenantID.text), true)")
    }

    /// Opens the rest of the transaction again to what belongs to no tenant.
    func actForNobody() async throws(PostgresError) {
        try await query("SELECT set_config('authms.tenant_id', '', true)")
    }
}
