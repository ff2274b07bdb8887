package import ConnectionKit
import Contracts
package import Foundation
import MicroMiddleware
package import Postgres

/// How long the trail is kept.
package struct RetentionPolicy: Sendable, Hashable {
    /// Whole months that are kept besides the one that runs; nil is for ever.
    package var keepMonths: Int?
    /// The least that may be asked for: the database's owner says it.
    package let floorMonths: Int
    /// When and by whom the policy was set; nil where it is the configuration's.
    package let changedAt: Date?
    package let changedBy: String?
}

/// Says how long the trail is kept, and lets go of what is older: whole months, never a single record, and only what has
/// been signed for. Of each record that goes its hash stays.
package struct AuditRetention: Sendable {
    private let database: PostgresClient
    private let configuredMonths: Int?

    /// - Parameter configuredMonths: what holds until an administrator has said otherwise; nil is for ever.
    package init(_ database: PostgresClient, configuredMonths: Int?) {
        self.database = database
        self.configuredMonths = configuredMonths
    }

    /// The policy that holds. A configuration below the floor is raised to it.
    package func policy(deadline: Deadline) async throws -> RetentionPolicy {
        let row = try await database.query(
            "SELECT keep_months, floor_months, changed_at, changed_by FROM audit_retention", deadline: deadline
        ).first
        guard let row else { return RetentionPolicy(keepMonths: nil, floorMonths: 1, changedAt: nil, changedBy: nil) }
        let floor = try row.decode(Int.self, "floor_months")
        let changedAt = try row.decode(Date?.self, "changed_at")
        return RetentionPolicy(
            keepMonths: changedAt == nil
                ? configuredMonths.map { max($0, floor) } : try row.decode(Int?.self, "keep_months"),
            floorMonths: floor, changedAt: changedAt, changedBy: try row.decode("changed_by"))
    }

    /// Sets the policy; that it was is in the trail.
    ///
    /// - Parameter keepMonths: the floor or more; nil is for ever.
    package func set(
        keepMonths: Int?, by actor: UUID, requestID: String?, deadline: Deadline
    ) async throws {
        let event = try DomainEvent(
            type: .retentionChanged, subject: "retention-policy", tenantID: DefaultTenant.id,
            data: EventDetail(
                actorID: actor, requestID: requestID, status: .success,
                message: "the audit trail is kept \(keepMonths.map { "for \($0) months" } ?? "for ever")",
                details: ["keep_months": keepMonths.map(String.init) ?? "for ever"]))
        try await database.withTransaction(deadline: deadline) { connection in
            try await connection.query(
                """
                UPDATE audit_retention
                SET keep_months = \(keepMonths), changed_at = now(), changed_by = \(actor.text)
                """)
            try await connection.query(Outbox.insertSQL(event))
        }
    }

    /// The months that were dropped, the latest first, 120 at most.
    package func dropped(deadline: Deadline) async throws -> [DroppedMonth] {
        try await database.query(
            """
            SELECT to_char(month, 'YYYY-MM') AS month, records, dropped_at FROM audit_dropped_months
            ORDER BY audit_dropped_months.month DESC LIMIT 120
            """, deadline: deadline
        ).decode()
    }

    /// Drops every month that the policy no longer keeps, the oldest first, each in a transaction of its own together with
    /// the event that tells of it.
    ///
    /// - Returns: what went.
    /// - Throws: `PostgresError` where a month cannot go yet: its records are not signed for, or somebody reads them.
    package func apply(now: Date = Date(), deadline: Deadline) async throws -> [DroppedMonth] {
        guard let keep = try await policy(deadline: deadline).keepMonths else { return [] }
        let rows = try await database.query(
            """
            SELECT month::timestamptz AS month FROM (
                SELECT to_date(right(relname::text, 7), 'YYYY_MM') AS month
                FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                WHERE inhparent = 'audit_records'::regclass AND relname ~ '^audit_records_[0-9]{4}_[0-9]{2}$') months
            WHERE month + INTERVAL '1 month'
                <= date_trunc('month', \(now)::timestamptz AT TIME ZONE 'UTC') - make_interval(months => \(keep)::int)
            ORDER BY month
            """, deadline: deadline)
        var gone: [DroppedMonth] = []
        for row in rows {
            let month = String(EventTime(try row.decode(Date.self, "month")).text.prefix(7))
            if let dropped = try await drop(month, keepMonths: keep, deadline: deadline) { gone.append(dropped) }
        }
        return gone
    }

    private func drop(_ month: String, keepMonths: Int, deadline: Deadline) async throws -> DroppedMonth? {
        try await database.withTransaction(deadline: deadline) { connection in
            // Copying the hashes of a large month takes longer than any other statement.
            try await connection.query("SET LOCAL statement_timeout = '10min'")
            let row = try await connection.query(
                "SELECT audit_drop_month(\(month + "-01")::date, \(keepMonths)::int) AS records, now() AS dropped_at"
            ).first
            guard let row, let records = try row.decode(Int64?.self, "records") else { return nil }
            let event = try DomainEvent(
                type: .retentionDropped, subject: month, tenantID: DefaultTenant.id,
                data: EventDetail(
                    actorType: "service", status: .success,
                    message: "\(records) audit records of \(month) were dropped; their hashes are kept",
                    details: ["records": "\(records)", "keep_months": "\(keepMonths)"]))
            try await connection.query(Outbox.insertSQL(event))
            return DroppedMonth(month: month, records: records, droppedAt: try row.decode("dropped_at"))
        }
    }
}
