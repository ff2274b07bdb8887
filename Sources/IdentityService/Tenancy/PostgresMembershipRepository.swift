package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Memberships, in the identity database.
package struct PostgresMembershipRepository: MembershipRepository {
    private let database: PostgresClient
    private let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func memberships(of userID: UUID, deadline: Deadline) async throws -> [MembershipInTenant] {
        let sql: SQL =
            """
            SELECT \(IdentityRows.tenantColumns), m.user_id, m.status, m.created_at,
                u.tenant_id = m.tenant_id AS is_home,
                ARRAY(SELECT r.role FROM user_roles r
                    WHERE r.user_id = m.user_id AND r.tenant_id = m.tenant_id ORDER BY 1) AS roles
            FROM memberships m JOIN tenants t ON t.id = m.tenant_id JOIN users u ON u.id = m.user_id
            WHERE m.user_id = \(userID) AND u.status <> 'deleted'
            ORDER BY is_home DESC, m.created_at, m.tenant_id LIMIT \(Membership.mostListed)
            """
        return try await database.query(sql, deadline: deadline).map { row in
            let tenant = try Tenant(row: row)
            return MembershipInTenant(
                membership: Membership(
                    userID: try row.decode(UUID.self, "user_id"), tenantID: tenant.id,
                    status: Membership.Status(rawValue: try row.decode(String.self, "status")) ?? .suspended,
                    roles: try row.decode([String].self, "roles"),
                    createdAt: try row.decode(Date.self, "created_at")),
                tenant: tenant, isHome: try row.decode(Bool.self, "is_home"))
        }
    }

    package func accept(
        _ code: InvitationCode, userID: UUID, event: @Sendable (Membership) throws -> DomainEvent, deadline: Deadline
    ) async throws -> Membership {
        let membership = try await database.withTransaction(deadline: deadline) { connection in
            let row = try await connection.query(
                """
                WITH i AS (
                    UPDATE invitations SET used_at = clock_timestamp(), used_by = u.id
                    FROM tenants t, users u
                    WHERE code_hash = \(code.hash) AND used_at IS NULL AND revoked_at IS NULL
                        AND expires_at > clock_timestamp() AND cardinality(roles) <= \(Membership.maximumRoles)
                        AND t.id = invitations.tenant_id AND t.status = 'active'
                        AND u.id = \(userID) AND u.status = 'active'
                        AND (invitations.email_key IS NULL OR invitations.email_key = u.email_key)
                    RETURNING invitations.tenant_id, roles
                ), m AS (
                    INSERT INTO memberships (user_id, tenant_id) SELECT \(userID), i.tenant_id FROM i
                    ON CONFLICT DO NOTHING RETURNING tenant_id, created_at
                ), granted AS (
                    INSERT INTO user_roles (user_id, tenant_id, role)
                    SELECT \(userID), m.tenant_id, unnest(i.roles) FROM i, m ON CONFLICT DO NOTHING
                )
                SELECT m.tenant_id, m.created_at, i.roles FROM i, m
                """
            ).first
            guard let row else { throw IdentityError.invitationInvalid }
            let membership = Membership(
                userID: userID, tenantID: try row.decode(UUID.self, "tenant_id"), status: .active,
                roles: try row.decode([String].self, "roles"), createdAt: try row.decode(Date.self, "created_at"))
            try await connection.query(SQL.outboxInsert(try event(membership), from: "(SELECT) AS always"))
            return membership
        }
        wakeRelay(.soon)
        return membership
    }

    package func setStatus(
        _ status: Membership.Status, of userID: UUID, tenantID: UUID, from present: [Membership.Status],
        event: DomainEvent, deadline: Deadline
    ) async throws -> DomainEvent? {
        let stored: DomainEvent? = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await OwnerGuard.lock(tenantID, on: connection)
            if status != .active {
                try await OwnerGuard.require(anotherThan: userID, tenantID: tenantID, on: connection)
            }
            let sql: SQL =
                """
                WITH m AS (
                    UPDATE memberships SET status = \(status.rawValue), updated_at = clock_timestamp()
                    WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND status = ANY (\(present.map(\.rawValue)))
                    RETURNING user_id
                )
                \(SQL.outboxInsert(event, from: "m")) RETURNING occurred_at
                """
            return try await connection.query(sql).first.map {
                event.stored(at: try $0.decode(Date.self, "occurred_at"))
            }
        }
        wakeRelay(.now)
        return stored
    }

    package func remove(
        _ userID: UUID, tenantID: UUID, from present: [Membership.Status], event: DomainEvent, deadline: Deadline
    ) async throws -> DomainEvent {
        let stored = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await OwnerGuard.lock(tenantID, on: connection)
            try await OwnerGuard.require(anotherThan: userID, tenantID: tenantID, on: connection)
            let sql: SQL =
                """
                WITH m AS (
                    DELETE FROM memberships m USING users u
                    WHERE m.user_id = \(userID) AND m.tenant_id = \(tenantID) AND u.id = m.user_id
                        AND u.tenant_id <> m.tenant_id AND m.status = ANY (\(present.map(\.rawValue)))
                    RETURNING m.user_id
                ), taken AS (
                    DELETE FROM user_roles r USING m WHERE r.user_id = m.user_id AND r.tenant_id = \(tenantID)
                )
                \(SQL.outboxInsert(event, from: "m")) RETURNING occurred_at
                """
            if let row = try await connection.query(sql).first {
                return event.stored(at: try row.decode(Date.self, "occurred_at"))
            }
            let suspended = try await connection.query(
                """
                SELECT FROM memberships WHERE user_id = \(userID) AND tenant_id = \(tenantID)
                    AND status = \(Membership.Status.suspended.rawValue)
                """)
            throw suspended.isEmpty ? IdentityError.userUnknown : .accountDisabled
        }
        wakeRelay(.now)
        return stored
    }
}
