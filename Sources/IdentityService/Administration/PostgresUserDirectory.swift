package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The members of tenants, in the identity database.
package struct PostgresUserDirectory: UserDirectory {
    private let database: PostgresClient
    private let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func users(
        tenantID: UUID, filter: UserFilter, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (users: [User], total: Int) {
        let search = UserSearch(filter, tenantID: tenantID)
        return try await database.acting(for: tenantID, deadline: deadline) { connection in
            let few = try await Self.few(search, on: connection)
            if let few, few.isEmpty { return ([], 0) }
            let users = try await connection.query(search.page(among: few, offset: offset, limit: limit))
                .map(User.init(row:))
            if let few, search.isOneProbe { return (users, few.count) }
            let count = search.count(among: few, bound: offset + limit + Page.countedAhead)
            return (users, try await connection.query(count).first?.decode(Int.self, "total") ?? 0)
        }
    }

    /// The members that some filter selects, where they are few.
    private static func few(_ search: UserSearch, on connection: PostgresConnection) async throws -> [UUID]? {
        for probe in search.probes(bound: UserSearch.fewest + 1) {
            let ids = try await connection.query(probe).column("id", as: UUID.self)
            if ids.count <= UserSearch.fewest { return ids }
        }
        return nil
    }

    package func update(
        _ userID: UUID, tenantID: UUID, changes: UserChanges, event: DomainEvent, moved: DomainEvent,
        deadline: Deadline
    ) async throws -> User? {
        let sql: SQL =
            """
            WITH before AS (
                SELECT id, tenant_id, email FROM users
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND email_key <> \(changes.email?.key)::text
            ), u AS (
                UPDATE users SET name = \(changes.name.sql(of: "name")),
                    email_verified_at = CASE WHEN \(changes.email?.key)::text IS DISTINCT FROM email_key
                        AND \(changes.email?.key)::text IS NOT NULL THEN NULL ELSE email_verified_at END,
                    phone_verified_at = CASE WHEN \(changes.phone?.key)::text IS DISTINCT FROM phone_key
                        AND \(changes.phone?.key)::text IS NOT NULL THEN NULL ELSE phone_verified_at END,
                    email = coalesce(\(changes.email?.text), email),
                    email_key = coalesce(\(changes.email?.key), email_key),
                    username = coalesce(\(changes.username?.text), username),
                    username_key = coalesce(\(changes.username?.key), username_key),
                    phone = coalesce(\(changes.phone?.text), phone),
                    phone_key = coalesce(\(changes.phone?.key), phone_key), updated_at = clock_timestamp()
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND status <> 'deleted' RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "u"))), kept AS (
                INSERT INTO email_changes (id, user_id, tenant_id, email, email_key, old_email)
                SELECT \(event.id), before.id, before.tenant_id, u.email, u.email_key, before.email
                FROM before JOIN u ON u.id = before.id RETURNING id
            ), told AS (\(SQL.outboxInsert(moved, from: "kept")))
            SELECT \(IdentityRows.userColumns) FROM u JOIN memberships m ON m.user_id = u.id AND m.tenant_id = u.tenant_id
            """
        let row = try await IdentityRows.naming {
            try await database.query(sql, actingFor: tenantID, deadline: deadline)
        }.first
        wakeRelay(.soon)
        return try row.map(User.init(row:))
    }

    package func setStatus(
        _ status: User.Status, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<User>? {
        let sql: SQL =
            """
            WITH u AS (
                UPDATE users SET status = \(status.rawValue), updated_at = clock_timestamp()
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND status NOT IN ('deleted', \(status.rawValue))
                RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "u")) RETURNING occurred_at)
            SELECT \(IdentityRows.userColumns), (SELECT occurred_at FROM recorded) AS occurred_at
            FROM u JOIN memberships m ON m.user_id = u.id AND m.tenant_id = u.tenant_id
            """
        let changed: Stored<User>? = try await database.withTransaction(deadline: deadline) { connection in
            if status != .active {
                try await OwnerGuard.requireOthers(than: userID, homeTenantID: tenantID, on: connection)
            }
            try await connection.act(for: tenantID)
            return try await connection.query(sql).first.map { row in
                Stored(try User(row: row), events: [event.stored(at: try row.decode(Date.self, "occurred_at"))])
            }
        }
        wakeRelay(.now)
        return changed
    }

    package func resetPassword(
        of userID: UUID, tenantID: UUID, hash: String, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Date? {
        let sql: SQL =
            """
            WITH changed AS (
                UPDATE passwords SET hash = \(hash), must_change = true, expires_at = \(expiresAt),
                    changed_at = clock_timestamp()
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) RETURNING changed_at
            ), recorded AS (\(SQL.outboxInsert(event, from: "changed", at: "changed_at")))
            SELECT changed_at FROM changed
            """
        let row = try await database.query(sql, actingFor: tenantID, deadline: deadline).first
        wakeRelay(.now)
        return try row?.decode(Date.self, "changed_at")
    }

    package func delete(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, because reason: DomainEvent?, deadline: Deadline
    ) async throws -> DomainEvent {
        let stored = try await database.withTransaction(deadline: deadline) { connection in
            try await OwnerGuard.requireOthers(than: userID, homeTenantID: tenantID, on: connection)
            // Whether it is the tenant's is for the database's policies to say; what goes with the account is in other
            // tenants as well.
            try await connection.act(for: tenantID)
            let own = try await connection.query(
                "SELECT id FROM users WHERE id = \(userID) AND tenant_id = \(tenantID) FOR UPDATE")
            guard !own.isEmpty else { throw IdentityError.userUnknown }
            try await connection.actForNobody()
            if let reason { try await connection.query(SQL.outboxInsert(reason, from: "(SELECT) AS always")) }
            let begun = try await PostgresDeletionRepository.begin(
                userID, tenantID: tenantID, event: event, on: connection)
            guard let stored = begun?.events.first else { throw IdentityError.userUnknown }
            return stored
        }
        wakeRelay(.now)
        return stored
    }
}
