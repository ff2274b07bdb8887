package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Deletions in the identity database.
package struct PostgresDeletionRepository: DeletionRepository {
    let database: PostgresClient
    let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func delete(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<Deletion>? {
        let deletion = try await database.withTransaction(deadline: deadline) { connection -> Stored<Deletion>? in
            try await OwnerGuard.requireOthers(than: userID, homeTenantID: tenantID, on: connection)
            return try await Self.begin(userID, tenantID: tenantID, event: event, on: connection)
        }
        wakeRelay(.now)
        return deletion
    }

    /// Begins a deletion in the transaction of `connection`, whoever wants it: the event makes the other services erase what
    /// they hold, and each tells when it has.
    /// - Returns: `nil` when the tenant has no such account any more.
    static func begin(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, on connection: PostgresConnection
    ) async throws -> Stored<Deletion>? {
        let found = try await connection.query(
            """
            SELECT email FROM users WHERE id = \(userID) AND tenant_id = \(tenantID) AND status <> 'deleted' FOR UPDATE
            """
        ).first
        guard let found else { return nil }
        let address = try found.decode(String?.self, "email")
        let row = try await connection.query(
            """
            WITH begun AS (
                INSERT INTO deletions (id, user_id, tenant_id, email, erased)
                VALUES (\(event.id), \(userID), \(tenantID), \(address), '{identity}')
                RETURNING id, requested_at, erased, completed_at
            ), recorded AS (\(SQL.outboxInsert(event, from: "begun")) RETURNING occurred_at)
            SELECT * FROM begun, recorded
            """
        ).first
        for statement in Self.erasure(of: userID, tenantID) { try await connection.query(statement) }
        return try row.map { row in
            Stored(try Deletion(row: row), events: [event.stored(at: try row.decode(Date.self, "occurred_at"))])
        }
    }

    package func finishDeletion(
        of userID: UUID, tenantID: UUID, eventID: UUID, deadline: Deadline
    ) async throws {
        try await database.withTransaction(deadline: deadline) { connection in
            try await connection.query(
                """
                INSERT INTO deletions (id, user_id, tenant_id, email, erased)
                SELECT \(eventID), u.id, u.tenant_id, u.email, '{identity}' FROM users u
                WHERE u.id = \(userID) AND u.tenant_id = \(tenantID) AND u.status = 'deleted'
                ON CONFLICT DO NOTHING
                """)
            for statement in Self.erasure(of: userID, tenantID) { try await connection.query(statement) }
        }
    }

    package func recordErasure(
        of userID: UUID, tenantID: UUID, by service: String, completion: DomainEvent, deadline: Deadline
    ) async throws {
        let needed = Deletion.services.sorted()
        let sql: SQL =
            """
            WITH noted AS (
                UPDATE deletions SET erased = array_append(erased, \(service)),
                    completed_at = CASE WHEN array_append(erased, \(service)) @> \(needed)::text[] THEN now() END
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND NOT \(service) = ANY (erased)
                RETURNING completed_at
            ), done AS (SELECT 1 FROM noted WHERE completed_at IS NOT NULL)
            \(SQL.outboxInsert(completion, from: "done"))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
    }

    package func deletion(_ id: UUID, deadline: Deadline) async throws -> Deletion? {
        let sql: SQL = "SELECT id, requested_at, erased, completed_at FROM deletions WHERE id = \(id)"
        return try await database.query(sql, deadline: deadline).first.map(Deletion.init(row:))
    }

    package func takeLastAddress(of userID: UUID, forget: Bool, deadline: Deadline) async throws -> String? {
        let sql: SQL =
            forget
            ? "UPDATE deletions SET email = NULL WHERE user_id = \(userID) RETURNING email"
            : "SELECT email FROM deletions WHERE user_id = \(userID)"
        return try await database.query(sql, deadline: deadline).first?.decode(String?.self, "email")
    }

    /// What is left is an id that says that it is deleted. Its username is one that nobody can register.
    private static func erasure(of userID: UUID, _ tenantID: UUID) -> [SQL] {
        [
            // Those that the user took, in whatever tenant, and those that wait for the address. First, while it is known.
            // An address that is not verified may be somebody else's, whose invitations stay.
            """
            DELETE FROM invitations WHERE used_by = \(userID) OR email_key = (
                SELECT email_key FROM users
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND email_verified_at IS NOT NULL)
            """,
            """
            UPDATE users SET status = 'deleted', email = NULL, email_key = NULL, email_verified_at = NULL, phone = NULL,
                phone_key = NULL, phone_verified_at = NULL, name = NULL, username = 'deleted',
                username_key = 'deleted:' || id::text, last_login_at = NULL, updated_at = clock_timestamp()
            WHERE id = \(userID) AND tenant_id = \(tenantID) AND username_key IS DISTINCT FROM 'deleted:' || id::text
            """,
            "DELETE FROM passwords WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            "DELETE FROM password_history WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            "DELETE FROM codes WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            "DELETE FROM email_changes WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            "DELETE FROM exports WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            "DELETE FROM second_factors WHERE user_id = \(userID)",
            "DELETE FROM remembered_devices WHERE user_id = \(userID)",
            // In other tenants, too, where the user is a guest.
            "DELETE FROM user_roles WHERE user_id = \(userID)", "DELETE FROM memberships WHERE user_id = \(userID)",
        ]
    }
}

extension Deletion {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), requestedAt: try row.decode(Date.self, "requested_at"),
            erased: Set(try row.decode([String].self, "erased")),
            completedAt: try row.decode(Date?.self, "completed_at"))
    }
}
