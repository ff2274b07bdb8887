import Contracts
import Foundation
import Postgres
import SessionService
import Testing

@Suite("The events of exchanges")
struct ExchangeEventTests {
    @Test("tell which token was exchanged for which, and which is in force again")
    func details() async throws {
        let database = try await SessionStore.database()
        let repository = PostgresSessionRepository(database: database)
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let isUndone = try await repository.takeBack(
            UnansweredRefresh(sessionID: session.id, generation: 0, edition: 0, askedAt: Example.now + 101),
            actor: Example.actor, deadline: Example.deadline)
        #expect(isUndone)
        _ = try await refresh(session, generation: 0, after: 200, in: repository)
        let rows = try await database.query(
            """
            SELECT type || ' ' || (data->'details'->>'generation') || ' ' || (data->'details'->>'edition') AS told
            FROM outbox WHERE type IN (\(EventType.sessionRefreshed.rawValue), \(EventType.rotationUndone.rawValue))
            ORDER BY ordinal
            """, deadline: Example.deadline)
        #expect(
            try rows.column("told", as: String.self) == [
                "session.refreshed 1 0", "session.rotation.undone 0 0", "session.refreshed 1 0",
            ])
    }
}
