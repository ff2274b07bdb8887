package import ConnectionKit
package import Contracts
internal import Foundation
package import Postgres

/// What a service remembers of its cache and its ramp in its own database: it outlives Redis.
package struct WarmupLedger: Sendable {
    /// The row, and the server that it was read from.
    package struct Page: Sendable {
        /// `nil` before the first mark.
        package var written: DatabaseMark?
        package var present: DatabaseMark
        package var generation: String?
        /// The p95 statement time of an ordinary moment.
        package var steady: Duration?
        /// Cache hits a second in an ordinary moment.
        package var usualHits: Double
        package var state: WarmupState
    }

    private let database: PostgresClient

    package init(_ database: PostgresClient) {
        self.database = database
    }

    /// - Returns: `nil` while the server is a standby.
    package func read(deadline: Deadline) async throws -> Page? {
        let row = try await database.query(
            """
            SELECT system, timeline, marked_at, generation, steady_us, usual_hits, state::text, revision,
                clock_timestamp() AS present_at, (SELECT system_identifier::text FROM pg_control_system()) AS present_system,
                CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END
                    AS present_timeline
            FROM warmup WHERE singleton
            """, deadline: deadline
        ).first
        guard let row, let timeline = try row.decode(String?.self, "present_timeline") else { return nil }
        var written: DatabaseMark?
        if let system = try row.decode(String?.self, "system"), let at = try row.decode(Date?.self, "marked_at"),
            let timeline = try row.decode(String?.self, "timeline")
        {
            written = DatabaseMark(system: system, timeline: timeline, markedAt: at)
        }
        let state = try row.decode(String?.self, "state").flatMap {
            try? StrictJSON.decode(WarmupState.self, from: Array($0.utf8))
        }
        return Page(
            written: written,
            present: DatabaseMark(
                system: try row.decode(String.self, "present_system"), timeline: timeline,
                markedAt: try row.decode(Date.self, "present_at")),
            generation: try row.decode(String?.self, "generation"),
            steady: try row.decode(Int64?.self, "steady_us").map { .microseconds($0) },
            usualHits: try row.decode(Double.self, "usual_hits"), state: state ?? WarmupState())
    }

    /// Marks the database, and writes what is known; an older ramp never replaces a newer one.
    package func mark(
        _ present: DatabaseMark, generation: String?, steady: Duration?, usualHits: Double, state: WarmupState,
        deadline: Deadline
    ) async throws {
        try await database.query(
            """
            UPDATE warmup SET system = \(present.system), timeline = \(present.timeline),
                marked_at = greatest(marked_at, \(present.markedAt)), generation = coalesce(\(generation), generation),
                steady_us = coalesce(\(steady.map { Int64($0 / .microseconds(1)) }), steady_us), usual_hits = \(usualHits),
                state = CASE WHEN revision < \(state.revision) THEN \(try Self.json(state))::jsonb ELSE state END,
                revision = greatest(revision, \(state.revision))
            WHERE singleton
            """, deadline: deadline)
    }

    /// Writes a ramp that has begun or been ended, and the event that tells of it.
    package func record(_ state: WarmupState, event: DomainEvent, deadline: Deadline) async throws {
        try await database.query(
            """
            WITH changed AS (
                UPDATE warmup SET state = \(try Self.json(state))::jsonb, revision = \(state.revision)
                WHERE singleton AND revision < \(state.revision) RETURNING revision
            )
            \(SQL.outboxInsert(event, from: "changed"))
            """, deadline: deadline)
    }

    private static func json(_ state: WarmupState) throws -> String {
        String(decoding: try StrictJSON.encode(state), as: UTF8.self)
    }
}
