package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Roles and who holds them, in the identity database.
package struct PostgresRoleRepository: RoleRepository {
    let database: PostgresClient
    let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func roles(tenantID: UUID, deadline: Deadline) async throws -> [CustomRole] {
        let sql: SQL =
            """
            SELECT \(Self.columns) FROM roles WHERE tenant_id = \(tenantID) ORDER BY name
            LIMIT \(CustomRole.maximumCount)
            """
        return try await database.query(sql, actingFor: tenantID, deadline: deadline).map(CustomRole.init(row:))
    }

    package func insert(_ role: CustomRole, event: DomainEvent, deadline: Deadline) async throws {
        try await IdentityRows.naming {
            try await database.acting(for: role.tenantID, deadline: deadline) { connection in
                try await OwnerGuard.lock(role.tenantID, on: connection)
                let count = try await connection.query(
                    "SELECT count(*) AS total FROM roles WHERE tenant_id = \(role.tenantID)"
                ).first?.decode(Int.self, "total")
                guard count ?? 0 < CustomRole.maximumCount else {
                    throw IdentityError.invalid("name", "is one too many: a tenant has at most 100 roles of its own")
                }
                let sql: SQL =
                    """
                    WITH c AS (
                        INSERT INTO roles (tenant_id, name, description, permissions, created_at, updated_at)
                        VALUES (\(role.tenantID), \(role.name), \(role.description), \(role.permissions),
                            \(role.createdAt), \(role.updatedAt)) RETURNING name
                    )
                    \(SQL.outboxInsert(event, from: "c"))
                    """
                try await connection.query(sql)
            }
        }
        wakeRelay(.soon)
    }

    package func assign(
        to userID: UUID, tenantID: UUID, change: @Sendable ([String]) -> [String],
        event: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) async throws -> Stored<RoleChange> {
        let made: Stored<RoleChange> = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await OwnerGuard.lock(tenantID, on: connection)
            let before = try await held(by: userID, tenantID: tenantID, on: connection)
            let after = Set(change(before)).sorted()
            try Membership.requireRoom(for: after, holding: before)
            let definitions = try await definitions(tenantID: tenantID, on: connection)
            let made = try Self.resolve(userID, before: before, after: after, definitions: definitions)
            guard before != after else { return Stored(made, events: []) }
            let recorded = try event(made)
            if before.contains(BuiltInRole.owner.rawValue), !after.contains(BuiltInRole.owner.rawValue) {
                try await OwnerGuard.require(anotherThan: userID, tenantID: tenantID, on: connection)
            }
            let row = try await connection.query(
                """
                WITH gone AS (
                    DELETE FROM user_roles
                    WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND role <> ALL (\(after))
                ), given AS (
                    INSERT INTO user_roles (user_id, tenant_id, role) SELECT \(userID), \(tenantID), unnest(\(after))
                    ON CONFLICT DO NOTHING
                )
                \(SQL.outboxInsert(recorded, from: "(SELECT) AS always")) RETURNING occurred_at
                """
            ).first
            let storedAt = try row?.decode(Date.self, "occurred_at")
            return Stored(made, events: [storedAt.map(recorded.stored(at:)) ?? recorded])
        }
        wakeRelay(.now)
        return made
    }

    // MARK: - Parts

    private func held(by userID: UUID, tenantID: UUID, on connection: PostgresConnection) async throws -> [String] {
        let row = try await connection.query(
            """
            SELECT ARRAY(SELECT r.role FROM user_roles r
                WHERE r.user_id = m.user_id AND r.tenant_id = m.tenant_id ORDER BY 1) AS roles
            FROM memberships m JOIN users u ON u.id = m.user_id
            WHERE m.user_id = \(userID) AND m.tenant_id = \(tenantID) AND u.status <> 'deleted' FOR UPDATE OF m
            """
        ).first
        guard let row else { throw IdentityError.userUnknown }
        return try row.decode([String].self, "roles")
    }

    /// Every role of the tenant's own, with what it grants.
    func definitions(tenantID: UUID, on connection: PostgresConnection) async throws -> [String: [String]] {
        let rows = try await connection.query("SELECT name, permissions FROM roles WHERE tenant_id = \(tenantID)")
        return try rows.reduce(into: [:]) { known, row in
            known[try row.decode(String.self, "name")] = try row.decode([String].self, "permissions")
        }
    }

    static func resolve(
        _ userID: UUID, before: [String], after: [String], definitions: [String: [String]]
    ) throws -> RoleChange {
        let added = Set(after).subtracting(before)
        let unknown = added.filter { BuiltInRole(rawValue: $0) == nil && definitions[$0] == nil }
        guard unknown.isEmpty else {
            throw IdentityError.invalid("roles", "has no such role: \(unknown.sorted().joined(separator: ", "))")
        }
        func permissions(_ roles: some Sequence<String>) -> [String] {
            Set(roles.flatMap { definitions[$0] ?? [] }).sorted()
        }
        let differing = Set(before).symmetricDifference(after)
        return RoleChange(
            userID: userID, before: before, after: after, permissionsBefore: permissions(before),
            permissionsAfter: permissions(after),
            granted: Authority(roles: Array(differing), extra: permissions(differing)))
    }

    static let columns: SQL = "tenant_id, name, description, permissions, created_at, updated_at"
}

extension CustomRole {
    init(row: PostgresRow) throws {
        self.init(
            name: try row.decode(String.self, "name"), tenantID: try row.decode(UUID.self, "tenant_id"),
            description: try row.decode(String.self, "description"),
            permissions: try row.decode([String].self, "permissions"),
            createdAt: try row.decode(Date.self, "created_at"), updatedAt: try row.decode(Date.self, "updated_at"))
    }
}
