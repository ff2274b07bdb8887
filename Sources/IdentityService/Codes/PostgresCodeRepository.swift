package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Codes in the identity database.
package struct PostgresCodeRepository: CodeRepository {
    let database: PostgresClient
    let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func recordRequest(
        _ event: DomainEvent, about identifier: Identifier, tenantID: UUID, deadline: Deadline
    ) async throws {
        let sql: SQL =
            """
            WITH found AS (\(Self.activeUser(identifier, tenantID))) \(Self.insertion(event))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.now)
    }

    package func issue(_ code: NewCode, deadline: Deadline) async throws -> StoredCode? {
        let sql: SQL =
            """
            INSERT INTO codes (id, user_id, tenant_id, purpose, target, target_key, salt, expires_at, asked_from)
            SELECT \(code.id), u.id, u.tenant_id, \(code.purpose.rawValue)::text, u.email, u.email_key,
                \(code.salt)::bytea, \(code.expiresAt)::timestamptz, \(code.askedFrom)::text
            FROM users u CROSS JOIN LATERAL (
                SELECT count(*) AS of_all, count(*) FILTER (WHERE c.asked_from = \(code.askedFrom)::text) AS of_address
                FROM codes c
                WHERE c.user_id = u.id AND c.purpose = \(code.purpose.rawValue) AND c.id <> \(code.id)
                    AND c.created_at > now() - interval '1 hour'
            ) earlier
            WHERE u.id = \(code.userID) AND u.tenant_id = \(code.tenantID) AND u.status = 'active'
                AND u.email_key IS NOT NULL
                AND (\(code.purpose != .emailVerification) OR u.email_verified_at IS NULL)
                AND earlier.of_all < \(OneTimeCodes.hourlyLimit)
                AND earlier.of_address < \(OneTimeCodes.hourlyLimitOfAddress)
            ON CONFLICT (id) DO UPDATE SET expires_at = codes.expires_at
            RETURNING id, user_id, tenant_id, target, salt
            """
        return try await database.query(sql, deadline: deadline).first.map(StoredCode.init(row:))
    }

    package func attempt(
        _ purpose: CodePurpose, identifier: Identifier, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> [StoredCode] {
        let sql: SQL =
            """
            WITH found AS (\(Self.activeUser(identifier, tenantID))), tried AS (
                UPDATE codes c SET attempts = c.attempts + 1 FROM found
                WHERE c.user_id = found.id AND c.purpose = \(purpose.rawValue) AND c.used_at IS NULL
                    AND c.expires_at > now() AND c.attempts < \(OneTimeCodes.attemptLimit)
                    AND c.target_key = found.email_key
                RETURNING c.id, c.user_id, c.tenant_id, c.target, c.salt
            ), recorded AS (\(Self.insertion(event)))
            SELECT id, user_id, tenant_id, target, salt FROM tried
            """
        let rows = try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
        return try rows.map(StoredCode.init(row:))
    }

    package func resetPassword(
        with code: StoredCode, newHash: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Date? {
        // The user's other codes are used up with it. Of an address that the user has left a code is worth nothing: whoever has
        // that mailbox now, or ever had it, must not get in by it.
        let sql: SQL =
            """
            WITH used AS (
                UPDATE codes c SET used_at = clock_timestamp() FROM users u
                WHERE c.id = \(code.id) AND c.used_at IS NULL AND c.expires_at > now()
                    AND u.id = c.user_id AND u.email_key = c.target_key
                RETURNING c.user_id, c.tenant_id
            ), others AS (
                UPDATE codes c SET used_at = clock_timestamp() FROM used
                WHERE c.user_id = used.user_id AND c.purpose = 'password_reset' AND c.id <> \(code.id)
                    AND c.used_at IS NULL
            ), verified AS (
                UPDATE users u SET email_verified_at = clock_timestamp() FROM used
                WHERE u.id = used.user_id AND u.email_verified_at IS NULL
            ), changed AS (
                UPDATE passwords p SET hash = \(newHash), must_change = false, expires_at = NULL,
                    changed_at = clock_timestamp()
                FROM used WHERE p.user_id = used.user_id AND p.tenant_id = used.tenant_id
                RETURNING p.changed_at
            ), recorded AS (\(SQL.outboxInsert(event, from: "changed", at: "changed_at")))
            SELECT changed_at FROM changed
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.now)
        return try row?.decode(Date.self, "changed_at")
    }

    package func verifyEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async throws -> UUID? {
        let sql: SQL =
            """
            WITH used AS (
                UPDATE codes SET used_at = clock_timestamp()
                WHERE id = \(code.id) AND used_at IS NULL AND expires_at > now() RETURNING user_id, target_key
            ), verified AS (
                UPDATE users u SET email_verified_at = coalesce(email_verified_at, clock_timestamp()) FROM used
                WHERE u.id = used.user_id AND u.email_key = used.target_key AND u.status = 'active' RETURNING u.id
            ), recorded AS (\(SQL.outboxInsert(event, from: "verified")))
            SELECT id FROM verified
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.soon)
        return try row?.decode(UUID.self, "id")
    }

    package func isSent(
        _ eventID: UUID, to userID: UUID, kind: MailKind, hourlyLimit: Int, deadline: Deadline
    ) async throws -> Bool {
        let sql: SQL =
            """
            SELECT EXISTS (SELECT 1 FROM sent_mails WHERE event_id = \(eventID)) OR (
                SELECT count(*) FROM sent_mails
                WHERE user_id = \(userID) AND kind = \(kind.rawValue) AND sent_at > now() - interval '1 hour'
            ) >= \(hourlyLimit) AS is_enough
            """
        return try await database.query(sql, deadline: deadline).first?.decode(Bool.self, "is_enough") ?? false
    }

    package func markSent(_ eventID: UUID, to userID: UUID, kind: MailKind, deadline: Deadline) async throws {
        let sql: SQL =
            """
            INSERT INTO sent_mails (event_id, user_id, kind) VALUES (\(eventID), \(userID), \(kind.rawValue))
            ON CONFLICT DO NOTHING
            """
        try await database.query(sql, deadline: deadline)
    }

    package func passwordHistory(
        of userID: UUID, tenantID: UUID, limit: Int, deadline: Deadline
    ) async throws -> [String] {
        guard limit > 0 else { return [] }
        let sql: SQL =
            """
            SELECT hash FROM password_history WHERE user_id = \(userID) AND tenant_id = \(tenantID)
            ORDER BY replaced_at DESC LIMIT \(limit)
            """
        return try await database.query(sql, deadline: deadline).map { try $0.decode(String.self, "hash") }
    }

    // MARK: - Fragments

    private static func activeUser(_ identifier: Identifier, _ tenantID: UUID) -> SQL {
        let column: SQL =
            switch identifier.kind {
            case .email: "email_key"
            case .username: "username_key"
            case .phone: "phone_key"
            }
        return """
            SELECT u.id, u.email_key FROM users u
            WHERE u.tenant_id = \(tenantID) AND u.\(column) = \(identifier.key) AND u.status = 'active'
            """
    }

    /// One row, whether or not `found` has one: the time of a commit must not tell. A tenant that does not exist gets its
    /// row in the default tenant's name.
    private static func insertion(_ event: DomainEvent) -> SQL {
        """
        INSERT INTO outbox (id, type, subject, tenant_id, data)
        SELECT \(event.id), \(event.type.rawValue)::text,
            coalesce((SELECT id FROM found), '00000000-0000-0000-0000-000000000000')::text,
            coalesce((SELECT id FROM tenants WHERE id = \(event.tenantID)), \(DefaultTenant.id)), \(event.data)::json
        """
    }
}

extension StoredCode {
    init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), userID: try row.decode(UUID.self, "user_id"),
            tenantID: try row.decode(UUID.self, "tenant_id"), target: try row.decode(String.self, "target"),
            salt: try row.decode([UInt8].self, "salt"))
    }
}
