package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

/// The mfa database: challenges, and what answers them. Each answer is one statement, so that of many at once one wins.
extension PostgresMFARepository {
    package func open(_ challenge: Challenge, deadline: Deadline) async throws -> Challenge {
        // Doing nothing would return no row.
        let sql: SQL =
            """
            INSERT INTO challenges AS c (id, user_id, tenant_id, nonce, expires_at)
            VALUES (\(challenge.id), \(challenge.userID), \(challenge.tenantID), \(challenge.nonce),
                \(challenge.expiresAt))
            ON CONFLICT (id) DO UPDATE SET attempts = c.attempts
                WHERE c.user_id IS NOT DISTINCT FROM excluded.user_id AND c.tenant_id = excluded.tenant_id
            RETURNING nonce
            """
        let row: PostgresRow?
        do throws(any Error) {
            row = try await database.query(sql, actingFor: challenge.tenantID, deadline: deadline).first
        } catch let error as PostgresError where error.isInsufficientPrivilege {
            row = nil  // another tenant's, under its own policy
        }
        guard let row else { throw MFAError.challengeOver }
        return Challenge(
            id: challenge.id, userID: challenge.userID, tenantID: challenge.tenantID,
            nonce: try row.decode([UInt8].self, "nonce"), expiresAt: challenge.expiresAt)
    }

    package func claimAttempt(
        _ challengeID: UUID, userID: UUID, tenantID: UUID, guessable: Bool, now: Date, deadline: Deadline
    ) async throws -> AttemptClaim {
        let sql: SQL =
            """
            WITH blocked AS (
                SELECT blocked_until FROM mfa_users
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND \(guessable) AND blocked_until > \(now)
            ), claimed AS (
                UPDATE challenges SET attempts = attempts + 1
                WHERE id = \(challengeID) AND (user_id IS NULL OR user_id = \(userID)) AND tenant_id = \(tenantID)
                    AND consumed_at IS NULL AND expires_at > \(now) AND attempts < \(Challenge.maximumAttempts)
                    AND NOT EXISTS (SELECT FROM blocked)
                RETURNING nonce
            ), counted AS (
                UPDATE mfa_users SET failures = failures + 1, blocked_until = CASE
                    WHEN failures + 1 >= \(AttemptLadder.free) THEN \(now)::timestamptz
                        + least(\(AttemptLadder.maximumSeconds), \(AttemptLadder.firstSeconds)
                            * power(2, least(failures + 1 - \(AttemptLadder.free), 16))) * interval '1 second' END
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND \(guessable)
                    AND (blocked_until IS NULL OR blocked_until <= \(now)) AND EXISTS (SELECT FROM claimed)
                RETURNING user_id
            )
            SELECT (SELECT nonce FROM claimed) AS nonce, (SELECT blocked_until FROM blocked) AS blocked_until,
                EXISTS (SELECT FROM counted) OR NOT \(guessable) AS is_counted
            """
        guard let row = try await database.query(sql, actingFor: tenantID, deadline: deadline).first else {
            return .challengeOver
        }
        if let until = try row.decode(Date?.self, "blocked_until") { return .blocked(until: until) }
        guard let nonce = try row.decode([UInt8]?.self, "nonce") else { return .challengeOver }
        // Others that came at the same moment have used up what may be tried in a row.
        guard try row.decode(Bool.self, "is_counted") else {
            return .blocked(until: now.addingTimeInterval(Double(AttemptLadder.firstSeconds)))
        }
        return .granted(nonce: nonce)
    }

    package func acceptStep(
        _ step: Int64, of enrolment: TOTPEnrolment, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Bool {
        let (user, tenant) = (enrolment.userID, enrolment.tenantID)
        let accepted = try await database.acting(for: tenant, deadline: deadline) { connection in
            // A restored database does not know what was accepted after its time. No step that had begun by now, nor the
            // next, which clocks ahead of ours may have used.
            try await connection.query(
                """
                UPDATE database_incarnation SET name = present_incarnation(),
                    totp_floor = greatest(totp_floor, \(TOTP.step(at: now) + TOTP.skew))
                WHERE name <> present_incarnation()
                """)
            return try await connection.query(
                """
                WITH stepped AS (
                    UPDATE totp_secrets SET last_step = \(step), last_used_at = \(now)
                    WHERE id = \(enrolment.id) AND user_id = \(user) AND tenant_id = \(tenant)
                        AND enabled_at IS NOT NULL AND last_step < \(step)
                        AND (SELECT totp_floor FROM database_incarnation) < \(step)
                    RETURNING 1
                ), consumed AS (
                    \(Self.consumption(of: challenge, now: now)) AND EXISTS (SELECT FROM stepped) RETURNING 1
                ), forgiven AS (
                    UPDATE mfa_users SET failures = 0, blocked_until = NULL
                    WHERE user_id = \(user) AND EXISTS (SELECT FROM consumed)
                ), recorded AS (\(SQL.outboxInsert(event, from: "consumed")))
                SELECT 1 AS done FROM consumed
                """
            ).isEmpty == false
        }
        outbox.wake(.soon)
        return accepted
    }

    package func acceptCode(
        _ codeID: UUID, of userID: UUID, tenantID: UUID, challenge: UUID, now: Date, events: [DomainEvent],
        deadline: Deadline
    ) async throws -> Bool {
        try await change(for: tenantID, deadline: deadline, events: events) { connection in
            try await connection.query(
                """
                WITH used AS (
                    UPDATE recovery_codes SET used_at = \(now)
                    WHERE id = \(codeID) AND user_id = \(userID) AND tenant_id = \(tenantID) AND used_at IS NULL
                        AND EXISTS (SELECT FROM challenges WHERE id = \(challenge) AND consumed_at IS NULL)
                    RETURNING 1
                ), consumed AS (
                    \(Self.consumption(of: challenge, now: now)) AND EXISTS (SELECT FROM used) RETURNING 1
                ), forgiven AS (
                    UPDATE mfa_users SET failures = 0, blocked_until = NULL
                    WHERE user_id = \(userID) AND EXISTS (SELECT FROM consumed)
                )
                SELECT 1 AS done FROM consumed
                """
            ).isEmpty == false
        }
    }

    /// Without its end, for conditions to be added.
    static func consumption(of challenge: UUID, now: Date) -> SQL {
        "UPDATE challenges SET consumed_at = \(now) WHERE id = \(challenge) AND consumed_at IS NULL"
    }
}

/// How long somebody must wait after wrong one-time passwords: never for good, and never for recovery codes and passkeys.
package enum AttemptLadder {
    /// So many in a row cost no wait.
    package static let free = 5
    /// The first wait, in seconds; each one after it is twice as long.
    package static let firstSeconds = 30
    package static let maximumSeconds = 900

    /// Seconds to wait after so many wrong ones in a row.
    package static func seconds(after failures: Int) -> Int {
        failures < free ? 0 : min(maximumSeconds, firstSeconds << min(failures - free, 16))
    }
}
