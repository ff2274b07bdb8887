package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
package import Postgres

extension PostgresSessionRepository {
    package func sessions(
        _ filter: SessionFilter, tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) async throws -> (sessions: [Session], total: Int) {
        let condition = Self.condition(filter, tenantID: tenantID, now: now)
        return try await database.acting(for: tenantID, deadline: deadline) { connection in
            let rows = try await connection.query(Self.page(condition, offset: offset, limit: limit))
            let count = Self.count(condition, bound: offset + limit + Page.countedAhead)
            let total = try await connection.query(count).first?.decode(Int.self, "total")
            return (try rows.map(Session.init(row:)), total ?? 0)
        }
    }

    /// A page of the sessions that a condition selects, the newest first.
    package static func page(_ condition: SQL, offset: Int, limit: Int) -> SQL {
        """
        SELECT \(columns) FROM sessions s WHERE \(condition)
        ORDER BY s.created_at DESC, s.id DESC OFFSET \(offset) LIMIT \(limit)
        """
    }

    /// How many it selects as `total`, counted up to `bound`.
    package static func count(_ condition: SQL, bound: Int) -> SQL {
        """
        SELECT count(*) AS total FROM (
            SELECT FROM sessions s WHERE \(condition) ORDER BY s.created_at DESC, s.id DESC LIMIT \(bound)) AS counted
        """
    }

    /// What a filter selects among `sessions s`.
    package static func condition(_ filter: SessionFilter, tenantID: UUID, now: Date) -> SQL {
        var all: [SQL] = ["s.tenant_id = \(tenantID)"]
        switch filter.status {
        case .active: all.append("s.revoked_at IS NULL AND s.idle_expires_at > \(now)")
        case .revoked: all.append("s.revoked_at IS NOT NULL AND \(isSession)")
        case .expired: all.append("s.revoked_at IS NULL AND s.idle_expires_at <= \(now)")
        case .all: all.append(isSession)
        }
        if let user = filter.userID { all.append("s.user_id = \(user)") }
        if let ip = filter.ip { all.append("(s.ip = \(ip) OR s.last_ip = \(ip))") }
        if let device = filter.device { all.append("strpos(lower(s.device), lower(\(device)::text)) > 0") }
        return SQL(joining: all, separator: " AND ")
    }

    /// What is no tombstone (``Session/isTombstone``), among `sessions s`. What has not been ended is none.
    private static let isSession: SQL = "s.absolute_expires_at > s.created_at"

    package func statistics(of tenantID: UUID, now: Date, deadline: Deadline) async throws -> SessionStatistics {
        let alive: SQL = "tenant_id = \(tenantID) AND revoked_at IS NULL AND idle_expires_at > \(now)"
        let yesterday = now - 86_400
        return try await database.acting(for: tenantID, deadline: deadline) { connection in
            func counts(_ sql: SQL) async throws -> [String: Int] {
                var counts: [String: Int] = [:]
                for row in try await connection.query(sql) {
                    let name = try row.decode(String.self, "name")
                    counts[name] = try row.decode(Int.self, "count")
                }
                return counts
            }
            let totals = try await connection.query(
                """
                SELECT count(*) AS sessions, count(DISTINCT user_id) AS users,
                    (SELECT count(*) FROM sessions s
                        WHERE s.tenant_id = \(tenantID) AND s.created_at > \(yesterday) AND \(Self.isSession)) AS opened
                FROM sessions WHERE \(alive)
                """
            ).first
            return SessionStatistics(
                activeSessions: try totals?.decode(Int.self, "sessions") ?? 0,
                activeUsers: try totals?.decode(Int.self, "users") ?? 0,
                byDevice: try await counts(
                    """
                    SELECT device AS name, count(*) AS count FROM sessions WHERE \(alive)
                    GROUP BY device ORDER BY count DESC LIMIT 50
                    """),
                openedToday: try totals?.decode(Int.self, "opened") ?? 0,
                endedToday: try await counts(
                    """
                    SELECT s.revoked_reason AS name, count(*) AS count FROM sessions s
                    WHERE s.tenant_id = \(tenantID) AND s.revoked_at > \(yesterday) AND \(Self.isSession)
                    GROUP BY s.revoked_reason
                    """))
        }
    }

    package func revocations(
        of tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) async throws -> (revocations: [Revocation], total: Int) {
        let found: SQL = "FROM revocations WHERE tenant_id = \(tenantID) AND expires_at > \(now)"
        return try await database.acting(for: tenantID, deadline: deadline) { connection in
            let rows = try await connection.query(
                """
                SELECT sequence, kind, subject, issued_before, expires_at,
                    CASE WHEN within_tenant THEN tenant_id END AS bound_tenant \(found)
                ORDER BY expires_at DESC, id OFFSET \(offset) LIMIT \(limit)
                """)
            let count: SQL =
                """
                SELECT count(*) AS total FROM (SELECT \(found) LIMIT \(offset + limit + Page.countedAhead)) AS counted
                """
            let total = try await connection.query(count).first?.decode(Int.self, "total")
            return (try rows.map(Revocation.init(row:)), total ?? 0)
        }
    }
}

extension Revocation {
    init(row: PostgresRow) throws {
        self.init(
            sequence: try row.decode(Int64.self, "sequence"),
            kind: Kind(rawValue: try row.decode(String.self, "kind")) ?? .session,
            subjectID: try row.decode(UUID.self, "subject"),
            tenantID: try row.decode(UUID?.self, "bound_tenant"),
            issuedBefore: try row.decode(Date?.self, "issued_before"),
            expiresAt: try row.decode(Date.self, "expires_at"))
    }
}
