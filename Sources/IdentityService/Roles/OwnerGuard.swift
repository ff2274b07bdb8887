import Contracts
import Foundation
import Postgres

/// Keeps at least one active owner in every tenant that has any.
enum OwnerGuard {
    /// Makes whatever could take an owner away wait for its turn: to be called first in such a transaction. It does not
    /// stand in the way of registrations.
    /// - Throws: ``IdentityError/tenantUnknown``
    static func lock(_ tenantID: UUID, on connection: PostgresConnection) async throws {
        let tenant = try await connection.query("SELECT FROM tenants WHERE id = \(tenantID) FOR NO KEY UPDATE")
        guard !tenant.isEmpty else { throw IdentityError.tenantUnknown }
    }

    /// - Throws: ``IdentityError/lastOwner`` when the user is an active owner and nobody else is.
    static func require(
        anotherThan userID: UUID, tenantID: UUID, on connection: PostgresConnection
    ) async throws {
        let owners = try await connection.query(
            """
            SELECT r.user_id FROM user_roles r
            JOIN users u ON u.id = r.user_id AND u.status = 'active'
            JOIN memberships m ON m.user_id = r.user_id AND m.tenant_id = r.tenant_id AND m.status = 'active'
            WHERE r.tenant_id = \(tenantID) AND r.role = \(BuiltInRole.owner.rawValue) LIMIT 2
            """
        ).column("user_id", as: UUID.self)
        guard owners != [userID] else { throw IdentityError.lastOwner }
    }

    /// The same for an account that ends, which is missed wherever its user is an owner, in other tenants too.
    /// - Throws: ``IdentityError/lastOwner``
    static func requireOthers(
        than userID: UUID, homeTenantID: UUID, on connection: PostgresConnection
    ) async throws {
        // In the order of their ids, so that two of these never wait for each other.
        let owned = try await connection.query(
            """
            SELECT r.tenant_id FROM user_roles r JOIN users u ON u.id = r.user_id
            WHERE r.user_id = \(userID) AND u.tenant_id = \(homeTenantID) AND r.role = \(BuiltInRole.owner.rawValue)
            ORDER BY 1
            """
        ).column("tenant_id", as: UUID.self)
        for tenant in owned { try await lock(tenant, on: connection) }
        for tenant in owned { try await require(anotherThan: userID, tenantID: tenant, on: connection) }
    }
}
