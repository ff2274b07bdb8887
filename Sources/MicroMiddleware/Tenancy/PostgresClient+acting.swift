package import ConnectionKit
internal import Contracts
package import Foundation
package import Postgres

/// Acting for a tenant: from then on a transaction sees and changes rows of that tenant alone, whatever its statements say.
/// The policies of the service's own database see to it (the migration `row_security` of each), by the setting
/// `authms.tenant_id`. A transaction that sets nothing acts for all tenants: the service itself.
extension PostgresClient {
    /// Runs one statement that sees and changes rows of one tenant alone. It costs the round trip that it costs anyway.
    @discardableResult
    package func query(
        _ sql: SQL, actingFor tenantID: UUID, deadline: Deadline
    ) async throws(PostgresError) -> PostgresResult {
        try await query(sql, precededBy: .acting(for: tenantID), deadline: deadline)
    }

    /// Runs `body` in a transaction that sees and changes rows of one tenant alone; otherwise as
    /// `withTransaction(deadline:_:)`, in as many round trips.
    package func acting<Value>(
        for tenantID: UUID, deadline: Deadline, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await withTransaction(beginningWith: .acting(for: tenantID), deadline: deadline, body)
    }
}

extension PostgresConnection {
    /// Narrows the rest of the transaction to one tenant.
    package func act(for tenantID: UUID) async throws(PostgresError) {
        try await query(.acting(for: tenantID))
    }

    /// Opens the rest of the transaction again to what belongs to no tenant.
    package func actForNobody() async throws(PostgresError) {
        try await query("SELECT set_config('authms.tenant_id', '', true)")
    }
}

extension SQL {
    /// Until the end of the transaction.
    fileprivate static func acting(for tenantID: UUID) -> SQL {
        "SELECT set_config('authms.tenant_id', \(tenantID.text), true)"
    }
}
