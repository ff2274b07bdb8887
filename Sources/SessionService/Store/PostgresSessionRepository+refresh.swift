package import ConnectionKit
import Contracts
package import Foundation
import MicroMiddleware
package import Postgres

extension PostgresSessionRepository {
    /// One statement where the token is the present one, which it is unless something is odd: the condition in `WHERE` is
    /// ``Session/verdict(on:at:grace:)`` being `rotate`. Of many at once the first gets it; the others waited for its row
    /// lock, find the generation gone, and are judged by the rule itself.
    ///
    /// A server that was stopped executes what waited in its socket when it is continued, long after the client was
    /// given a token of five minutes and kept its refresh token. So the statement is void once it is too late by the
    /// server's clock; where the clocks differ by more, the rule decides, in a transaction that ends with its client.
    ///
    /// For all tenants: what leads to the row is the signed id of a session, and the row alone says whose it is.
    package func refresh(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) async throws -> RefreshResult {
        let sql = Self.rotation(of: token, lifetime: lifetime, now: now, actor: actor)
        let rotated = try await database.query(sql, deadline: deadline)
        if let row = rotated.first {
            wakeRelay(.soon)
            return .rotated(try Session(row: row))
        }
        let result = try await judge(token, lifetime: lifetime, now: now, actor: actor, deadline: deadline)
        wakeRelay(.now)
        return result
    }

    /// The statement of a refresh that nothing is odd about.
    package static func rotation(
        of token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor
    ) -> SQL {
        let idle = lifetime.idleExpiry(from: now, within: .distantFuture)
        return """
            WITH s AS (
                UPDATE sessions SET generation = generation + 1, exchanged_edition = \(token.edition),
                    rotated_at = \(now),
                    idle_expires_at = least(coalesce(date_trunc('second',
                        \(now) + make_interval(secs => idle_timeout_s)), \(idle)), absolute_expires_at),
                    last_ip = coalesce(\(actor.ip), last_ip)
                WHERE id = \(token.sessionID) AND generation = \(token.generation) AND revoked_at IS NULL
                    AND idle_expires_at > \(now) AND clock_timestamp() < \(now + patience)
                RETURNING *
            ), recorded AS (\(refreshed(actor, at: now)))
            SELECT \(columns) FROM s
            """
    }

    package func takeBack(
        _ token: RefreshClaim, rotated: ClosedRange<Date>, actor: SessionActor, deadline: Deadline
    ) async throws -> Bool {
        let rows = try await database.query(
            """
            WITH s AS (
                UPDATE sessions SET generation = \(token.generation)
                WHERE id = \(token.sessionID) AND generation = \(token.generation + 1) AND revoked_at IS NULL
                    AND exchanged_edition <= \(token.edition)
                    AND rotated_at BETWEEN \(rotated.lowerBound) AND \(rotated.upperBound)
                RETURNING *
            ), recorded AS (\(Self.event(.rotationUndone, actor, at: Date())))
            SELECT s.id FROM s
            """, deadline: deadline)
        wakeRelay(.soon)
        return !rows.isEmpty
    }

    /// How long after it was asked for a rotation may still happen, in seconds: as long as the answer is waited for.
    private static let patience: TimeInterval = 0.9

    /// The event of a rotation, made of the row that `s` returns.
    private static func refreshed(_ actor: SessionActor, at now: Date, message: String? = nil) -> SQL {
        event(.sessionRefreshed, actor, at: now, message: message)
    }

    /// An event of what has become of the row that `s` returns. It tells of which token, so that each one that was undone, or
    /// done over, can be told from one that was done twice.
    private static func event(
        _ type: EventType, _ actor: SessionActor, at now: Date, message: String? = nil
    ) -> SQL {
        """
        INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
        SELECT \(UUID.v7(now: now)), \(type.rawValue)::text, s.id::text, s.tenant_id, \(now),
            json_strip_nulls(json_build_object('actor_id', s.user_id, 'actor_type', 'user', 'session_id', s.id,
                'ip', \(actor.ip)::text, 'user_agent', \(actor.userAgent)::text,
                'request_id', \(actor.requestID)::text, 'status', 'success', 'message', \(message)::text,
                'details', json_build_object(
                    'generation', s.generation::text, 'edition', s.exchanged_edition::text)))
        FROM s
        """
    }

    private func judge(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) async throws -> RefreshResult {
        try await database.withTransaction(deadline: deadline) { connection in
            let locked: SQL =
                "SELECT \(Self.columns) FROM sessions s WHERE s.id = \(token.sessionID) FOR NO KEY UPDATE OF s"
            guard let session = try await connection.query(locked).first.map(Session.init(row:)) else {
                return .unknown
            }
            let verdict = session.verdict(on: token, at: now, grace: lifetime.grace)
            switch verdict {
            case .revoked: return .revoked
            case .expired: return .expired
            case .undecided: return .undecided
            case .repeated: return .repeated(session)
            case .rotate, .ahead, .regained:
                let message = verdict == .regained ? "given_back_by_fallback" : "generation_ahead_of_database"
                var next = session.rotated(
                    from: token.generation, edition: token.edition, at: now, lifetime: lifetime)
                next.lastIP = actor.ip ?? next.lastIP
                try await connection.query(
                    """
                    WITH s AS (
                        UPDATE sessions SET generation = \(next.generation), exchanged_edition = \(next.exchangedEdition),
                            rotated_at = \(next.rotatedAt),
                            idle_expires_at = \(next.idleExpiresAt), last_ip = coalesce(\(actor.ip), last_ip)
                        WHERE id = \(next.id) AND tenant_id = \(next.tenantID) RETURNING *
                    )
                    \(Self.refreshed(actor, at: now, message: message))
                    """)
                return .rotated(next)
            case .reused:
                let ending = SessionEnding(
                    .one(session.id), tenantID: session.tenantID, reason: .refreshTokenReused, now: now,
                    revokedUntil: lifetime.revokedUntil(from: now), actor: actor)
                let event = try actor.event(.refreshTokenReused, session: session, at: now)
                try await connection.query(SQL.outboxInsert(event, from: "(SELECT) AS always", at: "now()"))
                return .reused(try await end(ending, on: connection))
            }
        }
    }
}
