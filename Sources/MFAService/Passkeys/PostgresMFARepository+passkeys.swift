package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Passkeys
import Postgres

extension PostgresMFARepository: PasskeyRepository {
    private static let passkeyColumns: SQL =
        """
        p.id, p.user_id, p.tenant_id, p.credential_id, p.public_key, p.algorithm, p.sign_count, p.transports, p.aaguid,
        p.attestation, p.is_synced, p.name, p.created_at, p.last_used_at
        """

    package func passkeys(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> [Passkey] {
        try await database.query(
            """
            SELECT \(Self.passkeyColumns) FROM passkeys p WHERE p.user_id = \(userID) AND p.tenant_id = \(tenantID)
            ORDER BY p.created_at, p.id
            """, actingFor: tenantID, deadline: deadline
        ).map(Passkey.init(row:))
    }

    package func passkey(credentialID: [UInt8], tenantID: UUID, deadline: Deadline) async throws -> Passkey? {
        try await database.query(
            """
            SELECT \(Self.passkeyColumns) FROM passkeys p
            WHERE p.credential_id = \(credentialID) AND p.tenant_id = \(tenantID)
            """, actingFor: tenantID, deadline: deadline
        ).first.map(Passkey.init(row:))
    }

    package func beginRegistration(
        _ nonce: [UInt8], of userID: UUID, tenantID: UUID, expiresAt: Date, deadline: Deadline
    ) async throws {
        try await database.query(
            """
            INSERT INTO passkey_registrations (nonce, user_id, tenant_id, expires_at)
            VALUES (\(nonce), \(userID), \(tenantID), \(expiresAt))
            """, actingFor: tenantID, deadline: deadline)
    }

    package func takeRegistration(
        _ nonce: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> Bool {
        try await database.query(
            """
            DELETE FROM passkey_registrations
            WHERE nonce = \(nonce) AND user_id = \(userID) AND tenant_id = \(tenantID) AND expires_at > \(now)
            RETURNING 1
            """, actingFor: tenantID, deadline: deadline
        ).isEmpty == false
    }

    package func insert(
        _ passkey: Passkey, codes: [StoredRecoveryCode], events: [DomainEvent], deadline: Deadline
    ) async throws -> Bool {
        let (user, tenant) = (passkey.userID, passkey.tenantID)
        return try await change(for: tenant, deadline: deadline, events: events) { connection in
            // First, so that the row is there to be locked: many at once are counted in turn.
            try await Self.raiseVersion(of: user, tenantID: tenant, on: connection)
            let inserted = try await connection.query(
                """
                INSERT INTO passkeys (id, user_id, tenant_id, credential_id, public_key, algorithm, sign_count,
                    transports, aaguid, attestation, is_synced, name, created_at)
                SELECT \(passkey.id), \(user), \(tenant), \(passkey.credentialID), \(passkey.publicKey),
                    \(passkey.algorithm.rawValue), \(passkey.signCount), \(passkey.transports), \(passkey.aaguid),
                    \(passkey.attestation)::text, \(passkey.isSynced), \(passkey.name)::text, \(passkey.createdAt)
                WHERE (SELECT count(*) FROM passkeys WHERE user_id = \(user)) < \(Passkey.maximumCount)
                ON CONFLICT (credential_id) DO NOTHING
                RETURNING 1
                """)
            guard !inserted.isEmpty else { return false }
            if !codes.isEmpty {
                try await Self.replaceCodes(
                    of: user, tenantID: tenant, with: codes, now: passkey.createdAt, on: connection)
            }
            return true
        }
    }

    package func rename(
        _ id: UUID, of userID: UUID, tenantID: UUID, to name: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Passkey? {
        let sql: SQL =
            """
            WITH p AS (
                UPDATE passkeys SET name = \(name)
                WHERE id = \(id) AND user_id = \(userID) AND tenant_id = \(tenantID) RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "p")))
            SELECT \(Self.passkeyColumns) FROM p
            """
        let row = try await database.query(sql, actingFor: tenantID, deadline: deadline).first
        outbox.wake(.soon)
        return try row.map(Passkey.init(row:))
    }

    package func remove(
        _ id: UUID, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Bool {
        try await change(for: tenantID, deadline: deadline, events: [event]) { connection in
            let gone = try await connection.query(
                """
                DELETE FROM passkeys WHERE id = \(id) AND user_id = \(userID) AND tenant_id = \(tenantID) RETURNING 1
                """)
            guard !gone.isEmpty else { return false }
            try await Self.dropIdleCodes(of: userID, tenantID: tenantID, on: connection)
            try await Self.raiseVersion(of: userID, tenantID: tenantID, on: connection)
            return true
        }
    }

    package func accept(
        _ passkey: Passkey, signCount: Int64, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> PasskeyVerdict {
        let sql: SQL =
            """
            WITH counted AS (
                UPDATE passkeys SET sign_count = \(signCount), last_used_at = \(now)
                WHERE id = \(passkey.id) AND (sign_count < \(signCount) OR (sign_count = 0 AND \(signCount) = 0))
                    AND EXISTS (SELECT FROM challenges WHERE id = \(challenge) AND consumed_at IS NULL)
                RETURNING 1
            ), consumed AS (
                \(Self.consumption(of: challenge, now: now)) AND EXISTS (SELECT FROM counted) RETURNING 1
            ), forgiven AS (
                UPDATE mfa_users SET failures = 0, blocked_until = NULL
                WHERE user_id = \(passkey.userID) AND EXISTS (SELECT FROM consumed)
            ), recorded AS (\(SQL.outboxInsert(event, from: "consumed")))
            SELECT EXISTS (SELECT FROM consumed) AS is_accepted,
                EXISTS (SELECT FROM passkeys WHERE id = \(passkey.id) AND sign_count >= \(signCount)
                    AND sign_count > 0) AND NOT EXISTS (SELECT FROM counted) AS has_fallen
            """
        guard let row = try await database.query(sql, actingFor: passkey.tenantID, deadline: deadline).first else {
            return .refused
        }
        outbox.wake(.soon)
        if try row.decode(Bool.self, "is_accepted") { return .accepted }
        return try row.decode(Bool.self, "has_fallen") ? .counterFell : .refused
    }
}

extension Passkey {
    init(row: PostgresRow) throws {
        let algorithm = try row.decode(Int32.self, "algorithm")
        self.init(
            id: try row.decode(UUID.self, "id"), userID: try row.decode(UUID.self, "user_id"),
            tenantID: try row.decode(UUID.self, "tenant_id"),
            credentialID: try row.decode([UInt8].self, "credential_id"),
            publicKey: try row.decode([UInt8].self, "public_key"),
            algorithm: PasskeyAlgorithm(rawValue: algorithm) ?? .es256,
            signCount: try row.decode(Int64.self, "sign_count"),
            transports: try row.decode([String].self, "transports"), aaguid: try row.decode(UUID.self, "aaguid"),
            attestation: try row.decode(String.self, "attestation"),
            isSynced: try row.decode(Bool.self, "is_synced"), name: try row.decode(String.self, "name"),
            createdAt: try row.decode(Date.self, "created_at"),
            lastUsedAt: try row.decode(Date?.self, "last_used_at"))
    }
}
