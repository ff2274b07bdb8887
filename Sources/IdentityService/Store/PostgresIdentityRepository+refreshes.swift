package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresIdentityRepository: UnansweredRefreshStore {
    package func note(
        _ refresh: UnansweredRefresh, until expiry: Date, event: DomainEvent?, deadline: Deadline
    ) async throws -> [Date] {
        let recorded: SQL = event.map { ", recorded AS (\(SQL.outboxInsert($0, from: "(SELECT) AS always")))" } ?? ""
        let rows = try await database.query(
            """
            WITH earlier AS (
                SELECT asked_at FROM unanswered_refreshes
                WHERE session_id = \(refresh.sessionID) AND generation = \(refresh.generation)
                ORDER BY asked_at DESC LIMIT 8
            ), kept AS (
                INSERT INTO unanswered_refreshes (session_id, generation, edition, asked_at, expires_at)
                VALUES (\(refresh.sessionID), \(refresh.generation), \(refresh.edition), \(refresh.askedAt), \(expiry))
            )\(recorded)
            SELECT asked_at FROM earlier ORDER BY asked_at
            """, deadline: deadline)
        if event != nil { wakeRelay(.soon) }
        return try rows.map { try $0.decode(Date.self, "asked_at") }
    }

    package func unansweredRefreshes(limit: Int, deadline: Deadline) async throws -> [NotedRefresh] {
        let rows = try await database.query(
            "SELECT id, session_id, generation, edition, asked_at FROM unanswered_refreshes ORDER BY id LIMIT \(limit)",
            deadline: deadline)
        return try rows.map { row in
            NotedRefresh(
                id: try row.decode(Int64.self, "id"),
                refresh: UnansweredRefresh(
                    sessionID: try row.decode(UUID.self, "session_id"),
                    generation: try row.decode(Int64.self, "generation"),
                    edition: try row.decode(Int64.self, "edition"),
                    askedAt: try row.decode(Date.self, "asked_at")))
        }
    }

    package func unansweredBacklog(deadline: Deadline) async throws -> UnansweredBacklog {
        let row = try await database.query(
            """
            SELECT (SELECT count(*) FROM (
                    SELECT FROM unanswered_refreshes LIMIT \(UnansweredBacklog.mostCounted)) AS counted) AS count,
                (SELECT asked_at FROM unanswered_refreshes ORDER BY id LIMIT 1) AS oldest
            """, deadline: deadline
        ).first
        return UnansweredBacklog(
            count: try row?.decode(Int.self, "count") ?? 0, oldest: try row?.decode(Date?.self, "oldest"))
    }

    package func settle(_ ids: [Int64], deadline: Deadline) async throws {
        try await database.query("DELETE FROM unanswered_refreshes WHERE id = ANY(\(ids))", deadline: deadline)
    }
}
