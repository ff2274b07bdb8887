package import ConnectionKit
package import Contracts
import Foundation
import Postgres

/// The mfa database: what identity has to know, and the keys that secrets are under. The service's own work, for all tenants.
extension PostgresMFARepository {
    package func untold(limit: Int, deadline: Deadline) async throws -> [SecondFactorState] {
        try await database.query(
            """
            SELECT m.user_id, m.tenant_id, m.version, \(Self.methodsOfUser) AS methods
            FROM mfa_users m WHERE m.told_version < m.version OR m.is_due LIMIT \(limit)
            """, deadline: deadline
        ).map { row in
            SecondFactorState(
                userID: try row.decode(UUID.self, "user_id"), tenantID: try row.decode(UUID.self, "tenant_id"),
                methods: try row.decode([String].self, "methods").compactMap(MFAMethod.init(rawValue:)),
                version: try row.decode(Int64.self, "version"))
        }
    }

    package func lastReport(deadline: Deadline) async throws -> Int64 {
        try await database.query("SELECT last FROM identity_reports", deadline: deadline).first?
            .decode(Int64.self, "last") ?? 0
    }

    package func markTold(_ states: [SecondFactorState], report: Int64, deadline: Deadline) async throws {
        try await database.query(
            """
            WITH heard AS (UPDATE identity_reports SET last = greatest(last, \(report)))
            UPDATE mfa_users m SET told_version = greatest(m.told_version, told.version), told_report = \(report),
                is_due = false
            FROM unnest(\(states.map(\.userID)), \(states.map(\.version))) AS told (user_id, version)
            WHERE m.user_id = told.user_id AND (m.told_version < told.version OR m.is_due)
            """, deadline: deadline)
    }

    package func forgetTold(after last: Int64, deadline: Deadline) async throws -> Int {
        try await database.query(
            "UPDATE mfa_users SET is_due = true WHERE told_report > \(last) AND NOT is_due", deadline: deadline
        ).affectedRows
    }

    package func keyIDsInUse(deadline: Deadline) async throws -> [String] {
        // From key to key along the index, rather than over every row.
        try await database.query(
            """
            WITH RECURSIVE k AS (
                SELECT min(key_id) AS key_id FROM totp_secrets
                UNION ALL
                SELECT (SELECT min(key_id) FROM totp_secrets WHERE key_id > k.key_id) FROM k WHERE k.key_id IS NOT NULL
            )
            SELECT key_id FROM k WHERE key_id IS NOT NULL
            """, deadline: deadline
        ).map { try $0.decode(String.self, "key_id") }
    }

    package func enrolments(
        notUnder keyID: String, limit: Int, deadline: Deadline
    ) async throws -> [TOTPEnrolment] {
        try await database.query(
            "SELECT \(Self.totpColumns) FROM totp_secrets t WHERE t.key_id <> \(keyID) LIMIT \(limit)",
            deadline: deadline
        ).map(TOTPEnrolment.init(row:))
    }

    package func reseal(
        _ enrolment: TOTPEnrolment, as sealed: FactorCipher.Sealed, deadline: Deadline
    ) async throws -> Bool {
        try await database.query(
            """
            UPDATE totp_secrets SET key_id = \(sealed.keyID), secret = \(sealed.bytes)
            WHERE id = \(enrolment.id) AND key_id = \(enrolment.secret.keyID) AND secret = \(enrolment.secret.bytes)
            RETURNING 1
            """, deadline: deadline
        ).count == 1
    }
}
