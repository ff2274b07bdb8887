package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The mfa database: reading, and setting factors up and down. Everything that is asked of a user's factors acts for the tenant
/// that it is asked for, so that the database itself keeps the others' out (migration 0007_row_security), at no round trip more.
package struct PostgresMFARepository: MFARepository {
    let database: PostgresClient
    let outbox: Outbox

    package init(database: PostgresClient, outbox: Outbox) {
        self.database = database
        self.outbox = outbox
    }

    package func factors(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> UserFactors {
        let sql: SQL =
            """
            SELECT \(Self.totpColumns), m.version, m.told_version,
                (SELECT count(*) FROM recovery_codes r
                    WHERE r.user_id = w.user_id AND r.tenant_id = w.tenant_id AND r.used_at IS NULL) AS codes,
                EXISTS (SELECT FROM passkeys p
                    WHERE p.user_id = w.user_id AND p.tenant_id = w.tenant_id) AS has_passkey
            FROM (SELECT \(userID) AS user_id, \(tenantID) AS tenant_id) w
            LEFT JOIN mfa_users m ON m.user_id = w.user_id AND m.tenant_id = w.tenant_id
            LEFT JOIN totp_secrets t ON t.user_id = w.user_id AND t.tenant_id = w.tenant_id
            """
        guard let row = try await database.query(sql, actingFor: tenantID, deadline: deadline).first else {
            return UserFactors()
        }
        var factors = UserFactors()
        if try row.decode(UUID?.self, "id") != nil { factors.totp = try TOTPEnrolment(row: row) }
        factors.hasPasskey = try row.decode(Bool.self, "has_passkey")
        factors.unusedRecoveryCodes = try row.decode(Int.self, "codes")
        factors.version = try row.decode(Int64?.self, "version") ?? 0
        factors.toldVersion = try row.decode(Int64?.self, "told_version") ?? 0
        return factors
    }

    // MARK: - One-time passwords

    package func propose(_ enrolment: TOTPEnrolment, deadline: Deadline) async throws -> Bool {
        let sql: SQL =
            """
            INSERT INTO totp_secrets AS t (id, user_id, tenant_id, key_id, secret, created_at)
            VALUES (\(enrolment.id), \(enrolment.userID), \(enrolment.tenantID), \(enrolment.secret.keyID),
                \(enrolment.secret.bytes), \(enrolment.createdAt))
            ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, key_id = excluded.key_id, secret = excluded.secret,
                created_at = excluded.created_at, last_step = 0
                WHERE t.enabled_at IS NULL AND t.tenant_id = excluded.tenant_id
            RETURNING 1
            """
        do throws(any Error) {
            return try await !database.query(sql, actingFor: enrolment.tenantID, deadline: deadline).isEmpty
        } catch let error as PostgresError where error.isInsufficientPrivilege {
            // Since 15.20, PostgreSQL says so of another tenant's row where it did nothing before.
            return false
        }
    }

    package func enable(
        _ enrolment: TOTPEnrolment, step: Int64, codes: [StoredRecoveryCode], now: Date, again: Bool,
        events: [DomainEvent], deadline: Deadline
    ) async throws -> Bool {
        let (user, tenant) = (enrolment.userID, enrolment.tenantID)
        return try await change(for: tenant, deadline: deadline, events: events) { connection in
            let enabled = try await connection.query(
                """
                UPDATE totp_secrets SET enabled_at = coalesce(enabled_at, \(now)), last_step = greatest(last_step, \(step))
                WHERE id = \(enrolment.id) AND user_id = \(user) AND tenant_id = \(tenant)
                    AND (enabled_at IS NULL OR \(again))
                RETURNING 1
                """)
            guard !enabled.isEmpty else { return false }
            try await Self.replaceCodes(of: user, tenantID: tenant, with: codes, now: now, on: connection)
            try await Self.raiseVersion(of: user, tenantID: tenant, on: connection)
            return true
        }
    }

    package func disableTOTP(
        of userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Bool {
        try await change(for: tenantID, deadline: deadline, events: [event]) { connection in
            let gone = try await connection.query(
                """
                DELETE FROM totp_secrets
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND enabled_at IS NOT NULL RETURNING 1
                """)
            guard !gone.isEmpty else { return false }
            try await Self.dropIdleCodes(of: userID, tenantID: tenantID, on: connection)
            try await Self.raiseVersion(of: userID, tenantID: tenantID, on: connection)
            return true
        }
    }

    // MARK: - Recovery codes

    package func replaceCodes(
        of userID: UUID, tenantID: UUID, with codes: [StoredRecoveryCode], now: Date, event: DomainEvent,
        deadline: Deadline
    ) async throws -> Bool {
        try await change(for: tenantID, deadline: deadline, events: [event]) { connection in
            let factors = try await connection.query(
                """
                SELECT 1 FROM mfa_users m WHERE m.user_id = \(userID) AND m.tenant_id = \(tenantID)
                    AND cardinality(\(Self.methodsOfUser)) > 0
                FOR UPDATE
                """)
            guard !factors.isEmpty else { return false }
            try await Self.replaceCodes(of: userID, tenantID: tenantID, with: codes, now: now, on: connection)
            return true
        }
    }

    package func unusedCode(
        of userID: UUID, tenantID: UUID, hash: [UInt8], deadline: Deadline
    ) async throws -> UUID? {
        try await database.query(
            """
            SELECT id FROM recovery_codes WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND hash = \(hash)
                AND used_at IS NULL
            """, actingFor: tenantID, deadline: deadline
        ).first?.decode(UUID.self, "id")
    }

    // MARK: - Administration

    package func reset(
        _ userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Bool {
        try await change(for: tenantID, deadline: deadline, events: [event]) { connection in
            let known = try await connection.query(
                """
                UPDATE mfa_users SET failures = 0, blocked_until = NULL
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) RETURNING 1
                """)
            guard !known.isEmpty else { return false }
            try await connection.query(
                "DELETE FROM totp_secrets WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
            try await connection.query(
                "DELETE FROM passkeys WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
            try await connection.query(
                "DELETE FROM recovery_codes WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
            try await Self.raiseVersion(of: userID, tenantID: tenantID, on: connection)
            return true
        }
    }

    package func append(_ event: DomainEvent, deadline: Deadline) async throws {
        try await database.query(
            SQL.outboxInsert(event, from: "(SELECT) AS always"), actingFor: event.tenantID, deadline: deadline)
        outbox.wake(.soon)
    }
}

// MARK: - Parts

extension PostgresMFARepository {
    static let totpColumns: SQL =
        "t.id, t.user_id, t.tenant_id, t.key_id, t.secret, t.enabled_at, t.created_at, t.last_used_at"

    /// The names of the methods that stand in for a second factor, of the user of `m`.
    static let methodsOfUser: SQL =
        """
        ARRAY(SELECT 'totp' FROM totp_secrets t
            WHERE t.user_id = m.user_id AND t.tenant_id = m.tenant_id AND t.enabled_at IS NOT NULL
            UNION ALL SELECT 'webauthn'
            WHERE EXISTS (SELECT FROM passkeys p WHERE p.user_id = m.user_id AND p.tenant_id = m.tenant_id))
        """

    /// One transaction that acts for a tenant: what `body` does, and the events if it did anything.
    func change(
        for tenantID: UUID, deadline: Deadline, events: [DomainEvent],
        _ body: (PostgresConnection) async throws -> Bool
    ) async throws -> Bool {
        let changed = try await database.acting(for: tenantID, deadline: deadline) { connection in
            guard try await body(connection) else { return false }
            try await outbox.append(events, on: connection)
            return true
        }
        if changed { outbox.wake(.soon) }
        return changed
    }

    static func raiseVersion(of userID: UUID, tenantID: UUID, on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            INSERT INTO mfa_users AS m (user_id, tenant_id, version)
            VALUES (\(userID), \(tenantID), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ON CONFLICT (user_id) DO UPDATE SET version = greatest(m.version + 1, excluded.version)
            """)
    }

    static func replaceCodes(
        of userID: UUID, tenantID: UUID, with codes: [StoredRecoveryCode], now: Date,
        on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            "DELETE FROM recovery_codes WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
        try await connection.query(
            """
            INSERT INTO recovery_codes (id, user_id, tenant_id, hash, created_at)
            SELECT id, \(userID), \(tenantID), hash, \(now)
            FROM unnest(\(codes.map(\.id)), \(codes.map { Data($0.hash) })) AS c (id, hash)
            """)
    }

    /// Recovery codes stand in for another factor: with the last one they go.
    static func dropIdleCodes(of userID: UUID, tenantID: UUID, on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            DELETE FROM recovery_codes r USING mfa_users m
            WHERE r.user_id = \(userID) AND r.tenant_id = \(tenantID) AND m.user_id = r.user_id
                AND cardinality(\(methodsOfUser)) = 0
            """)
    }
}

extension TOTPEnrolment {
    init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), userID: try row.decode(UUID.self, "user_id"),
            tenantID: try row.decode(UUID.self, "tenant_id"),
            secret: FactorCipher.Sealed(
                keyID: try row.decode(String.self, "key_id"), bytes: try row.decode([UInt8].self, "secret")),
            enabledAt: try row.decode(Date?.self, "enabled_at"),
            createdAt: try row.decode(Date.self, "created_at"),
            lastUsedAt: try row.decode(Date?.self, "last_used_at"))
    }
}
