package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresCodeRepository: EmailChangeRepository {
    package func requestEmailChange(
        _ email: Identifier, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws {
        let sql: SQL =
            """
            WITH kept AS (
                INSERT INTO email_changes (id, user_id, tenant_id, email, email_key)
                SELECT \(event.id), u.id, u.tenant_id, \(email.text)::text, \(email.key)::text FROM users u
                WHERE u.id = \(userID) AND u.tenant_id = \(tenantID) AND u.status = 'active' RETURNING id
            ) \(SQL.outboxInsert(event, from: "kept"))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.now)
    }

    package func issueEmailChange(_ code: NewCode, deadline: Deadline) async throws -> StoredCode? {
        let sql: SQL =
            """
            INSERT INTO codes (id, user_id, tenant_id, purpose, target, target_key, salt, expires_at)
            SELECT e.id, e.user_id, e.tenant_id, 'email_change', e.email, e.email_key, \(code.salt)::bytea,
                \(code.expiresAt)::timestamptz
            FROM email_changes e JOIN users u ON u.id = e.user_id
            WHERE e.id = \(code.id) AND u.status = 'active'
                AND NOT EXISTS (SELECT 1 FROM users o WHERE o.tenant_id = e.tenant_id AND o.email_key = e.email_key)
                AND (
                    SELECT count(*) FROM codes c
                    WHERE c.user_id = u.id AND c.purpose = 'email_change' AND c.id <> e.id
                        AND c.created_at > now() - interval '1 hour'
                ) < \(OneTimeCodes.hourlyLimit)
            ON CONFLICT (id) DO UPDATE SET expires_at = codes.expires_at
            RETURNING id, user_id, tenant_id, target, salt
            """
        return try await database.query(sql, deadline: deadline).first.map(StoredCode.init(row:))
    }

    package func attemptEmailChange(
        of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> [StoredCode] {
        let sql: SQL =
            """
            WITH tried AS (
                UPDATE codes SET attempts = attempts + 1
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND purpose = 'email_change' AND used_at IS NULL
                    AND expires_at > now() AND attempts < \(OneTimeCodes.attemptLimit)
                RETURNING id, user_id, tenant_id, target, salt
            ), recorded AS (\(SQL.outboxInsert(event, from: "(SELECT) AS always")))
            SELECT id, user_id, tenant_id, target, salt FROM tried
            """
        let rows = try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
        return try rows.map(StoredCode.init(row:))
    }

    package func changeEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async throws -> Bool {
        // Codes that went to the old address are worth nothing any more: they name another address.
        let sql: SQL =
            """
            WITH used AS (
                UPDATE codes SET used_at = clock_timestamp()
                WHERE id = \(code.id) AND used_at IS NULL AND expires_at > now() RETURNING id, user_id
            ), before AS (
                UPDATE email_changes e SET old_email = u.email FROM used, users u
                WHERE e.id = used.id AND u.id = used.user_id RETURNING e.user_id, e.email, e.email_key
            ), changed AS (
                UPDATE users u SET email = before.email, email_key = before.email_key,
                    email_verified_at = clock_timestamp(), updated_at = clock_timestamp()
                FROM before WHERE u.id = before.user_id AND u.status = 'active' RETURNING u.id
            ), recorded AS (\(SQL.outboxInsert(event, from: "changed")))
            SELECT id FROM changed
            """
        do throws(PostgresError) {
            let rows = try await database.query(sql, deadline: deadline)
            wakeRelay(.soon)
            return !rows.isEmpty
        } catch {
            guard error.isUniqueViolation, error.constraint == "users_email_taken" else { throw error }
            throw IdentityError.alreadyRegistered(.email)
        }
    }

    package func replacedEmail(_ changeID: UUID, deadline: Deadline) async throws -> String? {
        let sql: SQL = "SELECT old_email FROM email_changes WHERE id = \(changeID)"
        return try await database.query(sql, deadline: deadline).first?.decode(String?.self, "old_email")
    }
}
