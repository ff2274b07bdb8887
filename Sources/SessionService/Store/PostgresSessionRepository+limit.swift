import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres

extension PostgresSessionRepository {
    /// The user's logins one after the other, so that two at once do not both find room for one.
    func insert(
        _ session: Session, _ insertion: SQL, within limit: SessionLimit, actor: SessionActor, deadline: Deadline
    ) async throws -> OpenedSession {
        let opened = try await database.withTransaction(deadline: deadline) { connection -> OpenedSession? in
            try await connection.query(
                "SELECT pg_advisory_xact_lock(hashtextextended(\(session.userID.text), 0))")
            guard let row = try await connection.query(insertion).first else { return nil }
            var opened = OpenedSession(session, isOnNewDevice: try row.decode(Bool.self, "is_on_new_device"))
            let surplus = try await connection.query(
                """
                SELECT id FROM sessions
                WHERE tenant_id = \(session.tenantID) AND user_id = \(session.userID) AND revoked_at IS NULL
                    AND idle_expires_at > \(session.createdAt) AND id <> \(session.id)
                ORDER BY rotated_at DESC, id DESC OFFSET \(limit.maximum - 1)
                """
            ).map { try $0.decode(UUID.self, "id") }
            guard !surplus.isEmpty else { return opened }
            guard limit.atLimit == .endOldest else { throw SessionError.limitReached }
            let ending = SessionEnding(
                .these(surplus), tenantID: session.tenantID, reason: .sessionLimit, now: session.createdAt,
                revokedUntil: limit.revokedUntil, actor: actor)
            opened.ended = try await end(ending, on: connection)
            return opened
        }
        guard let opened else { return OpenedSession(try await present(session, deadline: deadline)) }
        wakeRelay(opened.ended.isEmpty ? .soon : .now)
        return opened
    }
}
