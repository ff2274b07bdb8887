import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres

extension PostgresSessionRepository {
    /// The user's logins one after the other, so that two at once do not both find room for one.
    func insert(
        _ session: Session, within limit: SessionLimit, actor: SessionActor, deadline: Deadline
    ) async throws -> OpenedSession {
        let ended = try await database.withTransaction(deadline: deadline) { connection -> [Revocation]? in
            try await connection.query(
                "SELECT pg_advisory_xact_lock(hashtextextended(\(session.userID.text), 0))")
            guard try await !connection.query(Self.insertion(session, actor: actor)).isEmpty else { return nil }
            let surplus = try await connection.query(
                """
                SELECT id FROM sessions
                WHERE tenant_id = \(session.tenantID) AND user_id = \(session.userID) AND revoked_at IS NULL
                    AND idle_expires_at > \(session.createdAt) AND id <> \(session.id)
                ORDER BY rotated_at DESC, id DESC OFFSET \(limit.maximum - 1)
                """
            ).map { try $0.decode(UUID.self, "id") }
            guard !surplus.isEmpty else { return [] }
            guard limit.atLimit == .endOldest else { throw SessionError.limitReached }
            let ending = SessionEnding(
                .these(surplus), tenantID: session.tenantID, reason: .sessionLimit, now: session.createdAt,
                revokedUntil: limit.revokedUntil, actor: actor)
            return try await end(ending, on: connection)
        }
        guard let ended else { return OpenedSession(try await present(session, deadline: deadline)) }
        wakeRelay(ended.isEmpty ? .soon : .now)
        return OpenedSession(session, ended: ended)
    }
}
