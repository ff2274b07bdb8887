package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

/// Changing what a role grants, for all who hold it, each with an event of their own.
extension PostgresRoleRepository {
    package func update(
        _ name: String, tenantID: UUID, description: String?, permissions: [String]?, event: DomainEvent,
        check: @Sendable (CustomRole) throws -> Void, holderEvent: @Sendable (RoleChange) throws -> DomainEvent,
        deadline: Deadline
    ) async throws -> Stored<CustomRole> {
        let updated: Stored<CustomRole> = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await OwnerGuard.lock(tenantID, on: connection)
            let role = try await locked(name, tenantID: tenantID, on: connection)
            try check(role)
            let sql: SQL =
                """
                WITH c AS (
                    UPDATE roles SET description = coalesce(\(description), description),
                        permissions = coalesce(\(permissions)::text[], permissions), updated_at = clock_timestamp()
                    WHERE tenant_id = \(tenantID) AND name = \(name) RETURNING *
                ), recorded AS (\(SQL.outboxInsert(event, from: "c")))
                SELECT \(Self.columns) FROM c
                """
            guard let updated = try await connection.query(sql).first.map(CustomRole.init(row:)) else {
                throw IdentityError.roleUnknown
            }
            guard updated.permissions != role.permissions else { return Stored(updated, events: []) }
            let events = try await tellHolders(of: role, tenantID: tenantID, event: holderEvent, on: connection) {
                roles, known in
                var known = known
                known[name] = updated.permissions
                return (roles, known)
            }
            return Stored(updated, events: events)
        }
        wakeRelay(.now)
        return updated
    }

    package func delete(
        _ name: String, tenantID: UUID, event: DomainEvent, check: @Sendable (CustomRole) throws -> Void,
        holderEvent: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) async throws -> [DomainEvent] {
        let events = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await OwnerGuard.lock(tenantID, on: connection)
            let role = try await locked(name, tenantID: tenantID, on: connection)
            try check(role)
            let events = try await tellHolders(of: role, tenantID: tenantID, event: holderEvent, on: connection) {
                roles, known in
                (roles.filter { $0 != name }, known)
            }
            let sql: SQL =
                """
                WITH c AS (DELETE FROM roles WHERE tenant_id = \(tenantID) AND name = \(name) RETURNING name),
                taken AS (DELETE FROM user_roles WHERE tenant_id = \(tenantID) AND role = \(name)),
                uninvited AS (
                    UPDATE invitations SET roles = array_remove(roles, \(name))
                    WHERE tenant_id = \(tenantID) AND used_at IS NULL AND \(name) = ANY (roles)
                )
                \(SQL.outboxInsert(event, from: "c"))
                """
            try await connection.query(sql)
            return events
        }
        wakeRelay(.now)
        return events
    }

    private func locked(
        _ name: String, tenantID: UUID, on connection: PostgresConnection
    ) async throws -> CustomRole {
        let sql: SQL = "SELECT \(Self.columns) FROM roles WHERE tenant_id = \(tenantID) AND name = \(name) FOR UPDATE"
        guard let role = try await connection.query(sql).first.map(CustomRole.init(row:)) else {
            throw IdentityError.roleUnknown
        }
        return role
    }

    /// Writes an event for each who holds the role, before it changes.
    /// - Returns: them, as they are stored.
    private func tellHolders(
        of role: CustomRole, tenantID: UUID, event: (RoleChange) throws -> DomainEvent,
        on connection: PostgresConnection,
        _ outcome: ([String], [String: [String]]) -> (roles: [String], definitions: [String: [String]])
    ) async throws -> [DomainEvent] {
        var known = try await definitions(tenantID: tenantID, on: connection)
        known[role.name] = role.permissions
        let holders = try await connection.query(
            """
            SELECT h.user_id, ARRAY(SELECT r.role FROM user_roles r
                WHERE r.user_id = h.user_id AND r.tenant_id = h.tenant_id ORDER BY 1) AS roles
            FROM user_roles h WHERE h.tenant_id = \(tenantID) AND h.role = \(role.name)
            """)
        guard !holders.isEmpty else { return [] }
        let events = try holders.map { row in
            let before = try row.decode([String].self, "roles")
            let (after, changed) = outcome(before, known)
            var change = try Self.resolve(
                try row.decode(UUID.self, "user_id"), before: before, after: after, definitions: changed)
            change.permissionsBefore = Set(before.flatMap { known[$0] ?? [] }).sorted()
            return try event(change)
        }
        let stored = try await connection.query(
            """
            INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
            SELECT e.id, \(EventType.rolesChanged.rawValue)::text, e.subject, \(tenantID), clock_timestamp(), e.data::json
            FROM unnest(\(events.map(\.id)), \(events.map(\.subject)), \(events.map(\.data))) AS e (id, subject, data)
            RETURNING id, occurred_at
            """)
        var times: [UUID: Date] = [:]
        for row in stored { times[try row.decode(UUID.self, "id")] = try row.decode(Date.self, "occurred_at") }
        return events.map { event in times[event.id].map(event.stored(at:)) ?? event }
    }
}
