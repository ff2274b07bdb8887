internal import ConnectionKit
package import Contracts
internal import Foundation
package import Postgres

/// How far a source's stream has come.
package struct StreamHead: Sendable, Hashable {
    /// The last position given; 0 before the first.
    package let position: Int64
    /// The hash at that position.
    package let hash: [UInt8]
    /// Everything up to here is confirmed by the broker.
    package let publishedPosition: Int64
    /// Everything up to here is known to be in the audit trail.
    package let reconciledPosition: Int64
}

/// A source's numbered stream, in the database that it grows in: SQL only.
package struct EventStream: Sendable {
    package let source: EventSource

    package init(source: EventSource) {
        self.source = source
    }

    /// Numbers the oldest rows of the outbox: moves them into the stream, each with the next position and a link to the
    /// one before. One transaction under the lock of the head's row, so that two relays cannot fork the stream.
    ///
    /// - Returns: what has been numbered, in order; empty when nothing waits.
    package func number(atMost limit: Int, on connection: PostgresConnection) async throws -> [CloudEvent] {
        try await connection.withTransaction { connection in
            let head = try await connection.query("SELECT position, hash FROM stream_head FOR UPDATE")
            let rows = try await connection.query(
                """
                SELECT ordinal, id, type, subject, tenant_id, occurred_at, data::text AS data
                FROM outbox ORDER BY ordinal LIMIT \(limit)
                """)
            guard let head = head.first, !rows.isEmpty else { return [] }
            let start = try head.decode(Int64.self, "position")
            let linked = try link(rows, after: start, hash: try head.decode([UInt8].self, "hash"))
            try await move(linked, ordinals: try rows.column("ordinal"), after: start, on: connection)
            return linked
        }
    }

    private func link(
        _ rows: PostgresResult, after start: Int64, hash: [UInt8]
    ) throws(PostgresError) -> [CloudEvent] {
        var linked: [CloudEvent] = []
        linked.reserveCapacity(rows.count)
        var (position, previous) = (start, hash)
        for row in rows {
            let event = try DomainEvent(streamRow: row)
            position += 1
            let hash = StreamLink.hash(source: source.uri, position: position, event: event, previous: previous)
            linked.append(
                CloudEvent(event: event, source: source.uri, position: position, previousHash: previous, hash: hash))
            previous = hash
        }
        return linked
    }

    private func move(
        _ events: [CloudEvent], ordinals: [Int64], after start: Int64, on connection: PostgresConnection
    ) async throws {
        guard let last = events.last else { return }
        let result = try await connection.query(
            """
            WITH link AS (
                SELECT * FROM unnest(\(ordinals), \(events.map(\.previousHash)), \(events.map(\.hash)))
                    WITH ORDINALITY AS link(ordinal, previous_hash, hash, number)
            ), taken AS (
                DELETE FROM outbox WHERE ordinal = ANY(\(ordinals))
                RETURNING ordinal, id, type, subject, tenant_id, occurred_at, data
            ), moved AS (
                INSERT INTO stream_events
                    (position, id, type, subject, tenant_id, occurred_at, data, previous_hash, hash)
                SELECT \(start) + link.number, id, type, subject, tenant_id, occurred_at, data,
                    link.previous_hash, link.hash
                FROM taken JOIN link USING (ordinal)
                ORDER BY link.number
                RETURNING position
            ), advanced AS (
                UPDATE stream_head SET position = \(last.position), hash = \(last.hash)
            )
            SELECT count(*) AS moved FROM moved
            """)
        guard try result.first?.decode(Int.self, "moved") == events.count else {
            throw EventStreamError(description: "rows vanished from the outbox while they were being numbered")
        }
    }

    /// The head of the stream, and whether rows wait to be numbered; by the index, because after a burst the table is
    /// mostly rows that are gone and not yet vacuumed.
    package func state(on connection: PostgresConnection) async throws -> (head: StreamHead, isWaiting: Bool) {
        let row = try await connection.query(
            """
            SELECT position, hash, published_position, reconciled_position,
                (SELECT ordinal FROM outbox ORDER BY ordinal LIMIT 1) IS NOT NULL AS is_waiting
            FROM stream_head
            """
        ).first
        guard let row else { throw EventStreamError(description: "stream_head has no row") }
        return (try StreamHead(row: row), try row.decode(Bool.self, "is_waiting"))
    }

    /// The events after a position, in order: at most `limit`, and no more once `byteLimit` of data has been passed.
    package static func eventsSQL(after position: Int64, limit: Int) -> SQL {
        """
        SELECT position, id, type, subject, tenant_id, occurred_at, data::text AS data, previous_hash, hash
        FROM stream_events WHERE position > \(position) ORDER BY position LIMIT \(limit)
        """
    }

    /// The events in rows of ``eventsSQL(after:limit:)``.
    package func events(_ rows: PostgresResult) throws -> [CloudEvent] {
        try rows.map { row in
            CloudEvent(
                event: try DomainEvent(streamRow: row), source: source.uri,
                position: try row.decode(Int64.self, "position"),
                previousHash: try row.decode([UInt8].self, "previous_hash"), hash: try row.decode([UInt8].self, "hash"))
        }
    }

    /// Records that the broker has confirmed everything up to a position.
    package static func publishedSQL(upTo position: Int64) -> SQL {
        """
        UPDATE stream_head SET published_position = \(position)
        WHERE published_position < \(position)
        """
    }

    /// Records that the audit trail is complete up to a position.
    package static func reconciledSQL(upTo position: Int64) -> SQL {
        """
        UPDATE stream_head SET reconciled_position = LEAST(\(position), position)
        WHERE reconciled_position < LEAST(\(position), position)
        """
    }

    /// The most that one ``dropSQL(olderThan:)`` drops.
    package static let dropLimit = 10_000

    /// Drops what is published, in the audit trail, and older than the replay window.
    package static func dropSQL(olderThan age: Duration) -> SQL {
        """
        DELETE FROM stream_events WHERE position IN (
            SELECT event.position FROM stream_events event, stream_head head
            WHERE event.position <= LEAST(head.published_position, head.reconciled_position)
                AND event.numbered_at < now() - make_interval(secs => \(Double(age.components.seconds)))
            ORDER BY event.position LIMIT \(dropLimit))
        """
    }

    /// How many events wait to be published, and for how long the oldest of them has.
    package static let backlogSQL: SQL =
        """
        SELECT head.position - head.published_position + (SELECT count(*) FROM outbox) AS backlog,
            COALESCE(EXTRACT(EPOCH FROM now() - LEAST(
                (SELECT occurred_at FROM stream_events WHERE stream_events.position = head.published_position + 1),
                (SELECT occurred_at FROM outbox ORDER BY ordinal LIMIT 1))), 0)::float8 AS oldest_age
        FROM stream_head head
        """
}

/// A stream that is not as it must be.
package struct EventStreamError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

extension StreamHead: PostgresRowDecodable {
    package init(row: PostgresRow) throws {
        position = try row.decode("position")
        hash = try row.decode("hash")
        publishedPosition = try row.decode("published_position")
        reconciledPosition = try row.decode("reconciled_position")
    }
}

extension DomainEvent {
    /// From a row of outbox or stream_events, `data` cast to text.
    fileprivate init(streamRow row: PostgresRow) throws(PostgresError) {
        self.init(
            id: try row.decode("id"), type: EventType(rawValue: try row.decode("type")),
            subject: try row.decode("subject"), tenantID: try row.decode("tenant_id"),
            time: EventTime(try row.decode(Date.self, "occurred_at")), json: try row.decode("data"))
    }
}
