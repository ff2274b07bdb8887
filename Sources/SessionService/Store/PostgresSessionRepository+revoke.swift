package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresSessionRepository {
    package func revoke(_ ending: SessionEnding, deadline: Deadline) async throws -> [Revocation] {
        let revocations = try await database.acting(for: ending.tenantID, deadline: deadline) { connection in
            let heardBefore = try await heardBefore(ending.cause, of: ending.tenantID, on: connection)
            return try await end(ending, heardBefore: heardBefore, on: connection)
        }
        wakeRelay(.now)
        return revocations
    }

    /// When an event of identity was first heard of in a tenant; nil where that is now. Of two at once the one waits for the
    /// other.
    func heardBefore(
        _ cause: SessionCause?, of tenantID: UUID, on connection: PostgresConnection
    ) async throws -> Date? {
        guard let cause else { return nil }
        let noted = try await connection.query(
            """
            INSERT INTO applied_events (event_id, tenant_id, applied_at)
            VALUES (\(cause.eventID), \(tenantID), \(cause.heardAt)) ON CONFLICT DO NOTHING RETURNING event_id
            """)
        guard noted.isEmpty else { return nil }
        // A statement of its own sees what the one before has waited for.
        return try await connection.query(
            "SELECT applied_at FROM applied_events WHERE event_id = \(cause.eventID) AND tenant_id = \(tenantID)"
        ).first?.decode(Date.self, "applied_at")
    }

    /// The insertion waits for one of the same id that is under way: so there is an end after it, to whichever of them is there.
    package func revoke(
        _ ending: SessionEnding, absent: Session, deadline: Deadline
    ) async throws -> [Revocation] {
        let snapshot = String(decoding: try StrictJSON.encode(absent.user), as: UTF8.self)
        let revocations = try await database.acting(for: ending.tenantID, deadline: deadline) { connection in
            let ended = try await end(ending, on: connection)
            guard ended.isEmpty else { return ended }
            try await connection.query(
                """
                INSERT INTO sessions (id, tenant_id, user_id, rotated_at, idle_expires_at, absolute_expires_at, auth_time,
                    amr, user_snapshot, device, origin, created_at)
                VALUES (\(absent.id), \(absent.tenantID), \(absent.userID), \(absent.rotatedAt), \(absent.idleExpiresAt),
                    \(absent.absoluteExpiresAt), \(absent.authenticatedAt), \(absent.methods), \(snapshot)::jsonb,
                    \(absent.device), \(absent.origin.rawValue), \(absent.createdAt))
                ON CONFLICT (id) DO NOTHING
                """)
            return try await end(ending, on: connection)
        }
        wakeRelay(.now)
        return revocations
    }

    package func revokeUser(_ userID: UUID, _ ending: SessionEnding, deadline: Deadline) async throws -> [Revocation] {
        let revocations = try await database.acting(for: ending.tenantID, deadline: deadline) { connection in
            if let heardBefore = try await heardBefore(ending.cause, of: ending.tenantID, on: connection) {
                return try await end(ending, heardBefore: heardBefore, on: connection)
            }
            let sequence = try await connection.query("SELECT pg_current_xact_id()::text::bigint AS sequence")
                .first?.decode(Int64.self, "sequence")
            let user = Revocation(
                sequence: sequence ?? 0, kind: .user, subjectID: userID, tenantID: ending.boundTenantID,
                issuedBefore: ending.now, expiresAt: ending.revokedUntil)
            try await record([(user, userID)], ending, on: connection)
            return [user] + (try await end(ending, on: connection))
        }
        wakeRelay(.now)
        return revocations
    }

    package func revokeTenant(
        _ tenantID: UUID, _ ending: SessionEnding, deadline: Deadline
    ) async throws -> (Revocation?, Int) {
        let ended: (Revocation?, Int) = try await database.acting(for: tenantID, deadline: deadline) { connection in
            let heardBefore = try await heardBefore(ending.cause, of: tenantID, on: connection)
            var concerned = Self.openedBy(heardBefore)
            if heardBefore != nil, let cause = ending.cause { concerned += " AND auth_time <= \(cause.time)" }
            let rows = try await connection.query(
                """
                UPDATE sessions SET revoked_at = \(ending.now), revoked_reason = \(ending.reason.rawValue)
                WHERE tenant_id = \(tenantID) AND revoked_at IS NULL AND idle_expires_at > \(ending.now) AND \(concerned)
                """)
            guard heardBefore == nil else { return (nil, Int(rows.affectedRows)) }
            let sequence = try await connection.query("SELECT pg_current_xact_id()::text::bigint AS sequence")
                .first?.decode(Int64.self, "sequence")
            let revocation = Revocation(
                sequence: sequence ?? 0, kind: .tenant, subjectID: tenantID, issuedBefore: ending.now,
                expiresAt: ending.revokedUntil)
            try await record([(revocation, nil)], ending, on: connection)
            return (revocation, Int(rows.affectedRows))
        }
        wakeRelay(.now)
        return ended
    }

    /// Of all tenants, as is what verifiers must refuse (``revocations(after:limit:now:deadline:)``).
    package func tenants(ofUser userID: UUID, deadline: Deadline) async throws -> [UUID] {
        try await database.query(
            "SELECT DISTINCT tenant_id FROM sessions WHERE user_id = \(userID) AND revoked_at IS NULL LIMIT 100",
            deadline: deadline
        ).column("tenant_id")
    }

    /// Ends what the selection names and is alive, with its revocations and events, in the transaction of `connection`.
    /// - Parameter heardBefore: when its cause came for the first time, where it has come before.
    func end(
        _ ending: SessionEnding, heardBefore: Date? = nil, on connection: PostgresConnection
    ) async throws -> [Revocation] {
        let rows = try await connection.query(
            """
            UPDATE sessions SET revoked_at = \(ending.now), revoked_reason = \(ending.reason.rawValue)
            WHERE tenant_id = \(ending.tenantID) AND revoked_at IS NULL AND \(Self.condition(ending.selection))
                AND \(Self.openedBy(heardBefore))
            RETURNING id, user_id, pg_current_xact_id()::text::bigint AS sequence
            """)
        let ended = try rows.map { row in
            let revocation = Revocation(
                sequence: try row.decode(Int64.self, "sequence"), kind: .session,
                subjectID: try row.decode(UUID.self, "id"), issuedBefore: nil, expiresAt: ending.revokedUntil)
            return (revocation, Optional(try row.decode(UUID.self, "user_id")))
        }
        try await record(ended, ending, on: connection)
        return ended.map(\.0)
    }

    /// The sessions that something concerns which comes once more.
    private static func openedBy(_ heardBefore: Date?) -> SQL {
        guard let heardBefore else { return "true" }
        return "(origin = 'adopted' OR created_at <= \(heardBefore + SessionCause.patience))"
    }

    private static func condition(_ selection: SessionSelection) -> SQL {
        switch selection {
        case .one(let id): return "id = \(id)"
        case .these(let ids): return "id = ANY(\(ids))"
        case .oneOf(let user, let id): return "id = \(id) AND user_id = \(user)"
        case .all(let user, let except, let before):
            var sql: SQL = "user_id = \(user)"
            if let except { sql += " AND id <> \(except)" }
            if let before { sql += " AND auth_time <= \(before)" }
            return sql
        }
    }

    /// Stores revocations, and an event for each, in one statement.
    func record(
        _ ended: [(revocation: Revocation, owner: UUID?)], _ ending: SessionEnding, on connection: PostgresConnection
    ) async throws {
        guard !ended.isEmpty else { return }
        let events = try ended.map {
            try ending.actor.event(
                $0.revocation, tenantID: ending.tenantID, owner: $0.owner, reason: ending.reason, at: ending.now)
        }
        let revocations = ended.map(\.revocation)
        try await connection.query(
            """
            WITH stored AS (
                INSERT INTO revocations (id, kind, subject, issued_before, tenant_id, within_tenant, expires_at)
                SELECT r.id, r.kind, r.subject, r.issued_before, \(ending.tenantID), r.within_tenant,
                    \(ending.revokedUntil)
                FROM unnest(\(events.map(\.id)), \(revocations.map(\.kind.rawValue)),
                    \(revocations.map(\.subjectID)), \(revocations.map(\.issuedBefore))::timestamptz[],
                    \(revocations.map { $0.tenantID != nil })) AS r (id, kind, subject, issued_before, within_tenant)
            )
            INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
            SELECT e.id, \(EventType.sessionRevoked.rawValue)::text, e.subject, \(ending.tenantID), \(ending.now),
                e.data::json
            FROM unnest(\(events.map(\.id)), \(events.map(\.subject)), \(events.map(\.data)))
                AS e (id, subject, data)
            """)
    }

    /// All that is visible; but the cursor stops short of the oldest transaction that still runs (anywhere in the
    /// cluster), since its rows may yet appear behind others. So a reader may see a row again, and never misses one.
    package func revocations(
        after sequence: Int64, limit: Int, now: Date, deadline: Deadline
    ) async throws -> RevocationPage {
        let rows = try await database.query(
            """
            WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running)
            SELECT h.oldest_running, r.sequence, r.kind, r.subject, r.issued_before, r.expires_at,
                CASE WHEN r.within_tenant THEN r.tenant_id END AS bound_tenant
            FROM horizon h LEFT JOIN LATERAL (
                SELECT * FROM revocations WHERE sequence > \(sequence) AND expires_at > \(now)
                ORDER BY sequence FETCH FIRST \(limit) ROWS WITH TIES
            ) r ON true
            ORDER BY r.sequence
            """, deadline: deadline)
        let horizon = try rows.first?.decode(Int64.self, "oldest_running") ?? 1
        let revocations = try rows.filter { !$0.isNull("sequence") }.map(Revocation.init(row:))
        let isFull = revocations.count >= limit
        let reached = isFull ? revocations.last?.sequence ?? sequence : horizon - 1
        let next = min(reached, horizon - 1)
        return RevocationPage(revocations: revocations, next: next, hasMore: isFull && next > sequence)
    }
}
