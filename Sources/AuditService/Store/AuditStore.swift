package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
package import Postgres

/// Writes the trail: SQL only.
///
/// One writer at a time, by an advisory lock for the length of a transaction, so that chains and streams advance without
/// holes however many processes take events in. It acts for all tenants: a batch is of many, and one transaction.
package struct AuditStore: Sendable {
    private let database: PostgresClient
    private let partitions: AuditPartitions

    package init(_ database: PostgresClient) {
        self.database = database
        partitions = AuditPartitions(database)
    }

    /// What one batch changed.
    package struct Outcome: Sendable, Hashable {
        /// Records that are new.
        package var stored = 0
        /// Events that were there already.
        package var duplicates = 0
        /// The streams of the batch as they stand now.
        package var streams: [String: StreamProgress] = [:]
    }

    /// Stores the events that are new, chains them, and advances their streams, all in one transaction.
    ///
    /// - Parameter healed: whether they were fetched from their source because they had not arrived.
    /// - Throws: ``AuditError`` when an event is none of ours or is not intact: nothing is stored then.
    package func store(
        _ events: [CloudEvent], healed: Bool = false, deadline: Deadline, now: Date = Date()
    ) async throws -> Outcome {
        for event in events {
            guard EventSource(uri: event.source) != nil else { throw AuditError.unknownSource(event.source) }
            guard StreamLink.isIntact(event) else {
                throw AuditError.brokenLink(source: event.source, position: event.position)
            }
        }
        guard !events.isEmpty else { return Outcome() }
        try await partitions.ensure(events.map(\.event.time), deadline: deadline)
        return try await database.withTransaction(deadline: deadline) { connection in
            try await connection.query("SELECT pg_advisory_xact_lock(\(Self.lockKey))")
            return try await store(events, healed: healed, at: EventTime(now), on: connection)
        }
    }

    private func store(
        _ events: [CloudEvent], healed: Bool, at now: EventTime, on connection: PostgresConnection
    ) async throws -> Outcome {
        var outcome = Outcome()
        var known = try await knownIDs(events, on: connection)
        var streams = try await loadStreams(Set(events.map(\.source)), on: connection)
        var chains = try await loadChains(Set(events.map(\.event.tenantID)), on: connection)
        let before = streams
        var records: [AuditRecord] = []
        records.reserveCapacity(events.count)
        for event in events {
            guard known.insert(event.id).inserted else {
                outcome.duplicates += 1
                continue
            }
            var record = AuditRecord(event, recordedAt: now)
            chains[record.tenantID, default: TenantChain(tenantID: record.tenantID)].append(&record)
            records.append(record)
            streams[event.source, default: StreamProgress(source: event.source)].add(
                StreamPlace(
                    position: event.position, eventID: event.id, previousHash: event.previousHash, hash: event.hash))
        }
        outcome.stored = records.count
        outcome.streams = streams
        guard !records.isEmpty else { return outcome }
        let touched = Set(records.map(\.tenantID))
        try await connection.query(Self.insertSQL(records))
        try await connection.query(Self.chainsSQL(chains.values.filter { touched.contains($0.tenantID) }))
        let counts = healed ? Dictionary(grouping: records, by: \.source).mapValues(\.count) : [:]
        for (source, stream) in streams where stream != before[source] {
            try await save(stream, before: before[source], healed: counts[source] ?? 0, on: connection)
        }
        return outcome
    }

    /// The bytes of "audit" as a number.
    static let lockKey: Int64 = 0x61_7564_6974

    private func knownIDs(_ events: [CloudEvent], on connection: PostgresConnection) async throws -> Set<UUID> {
        let times = events.map(\.event.time)
        guard let first = times.min(), let last = times.max() else { return [] }
        let rows = try await connection.query(
            """
            SELECT id FROM audit_records
            WHERE id = ANY(\(events.map(\.id))) AND occurred_at BETWEEN \(first.date) AND \(last.date)
            """)
        return Set(try rows.column("id", as: UUID.self))
    }

    private func loadChains(
        _ tenants: Set<UUID>, on connection: PostgresConnection
    ) async throws -> [UUID: TenantChain] {
        let rows = try await connection.query(
            "SELECT tenant_id, sequence, hash FROM audit_chains WHERE tenant_id = ANY(\(Array(tenants)))")
        return try rows.reduce(into: [:]) { chains, row in
            let chain = try TenantChain(row: row)
            chains[chain.tenantID] = chain
        }
    }
}

// MARK: - Streams

extension AuditStore {
    private func loadStreams(
        _ sources: Set<String>, on connection: PostgresConnection
    ) async throws -> [String: StreamProgress] {
        let ahead = try await connection.query(
            """
            SELECT source, position, event_id, previous_hash, hash FROM audit_stream_ahead
            WHERE source = ANY(\(Array(sources)))
            """)
        var places: [String: [Int64: StreamPlace]] = [:]
        for row in ahead {
            let place = StreamPlace(
                position: try row.decode("position"), eventID: try row.decode("event_id"),
                previousHash: try row.decode("previous_hash"), hash: try row.decode("hash"))
            places[try row.decode(String.self, "source"), default: [:]][place.position] = place
        }
        let rows = try await connection.query(
            """
            SELECT source, complete_to, hash, highest_position, conflict, conflict_position FROM audit_streams
            WHERE source = ANY(\(Array(sources)))
            """)
        return try rows.reduce(into: [:]) { streams, row in
            let source = try row.decode(String.self, "source")
            streams[source] = try StreamProgress(row: row, ahead: places[source] ?? [:])
        }
    }

    private func save(
        _ stream: StreamProgress, before: StreamProgress?, healed: Int, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO audit_streams
                (source, complete_to, hash, highest_position, conflict, conflict_position, healed_events)
            VALUES (\(stream.source), \(stream.completeTo), \(stream.hash), \(stream.highest),
                \(stream.conflict?.reason), \(stream.conflict?.position), \(healed))
            ON CONFLICT (source) DO UPDATE SET complete_to = EXCLUDED.complete_to, hash = EXCLUDED.hash,
                highest_position = EXCLUDED.highest_position, conflict = EXCLUDED.conflict,
                conflict_position = EXCLUDED.conflict_position,
                healed_events = audit_streams.healed_events + EXCLUDED.healed_events
            """)
        let old = before?.ahead ?? [:]
        let gone = old.keys.filter { stream.ahead[$0] == nil }
        if !gone.isEmpty {
            try await connection.query(
                """
                DELETE FROM audit_stream_ahead WHERE source = \(stream.source) AND position = ANY(\(Array(gone)))
                """)
        }
        let new = stream.ahead.values.filter { old[$0.position] == nil }
        if !new.isEmpty {
            try await connection.query(
                """
                INSERT INTO audit_stream_ahead (source, position, event_id, previous_hash, hash)
                SELECT \(stream.source), * FROM unnest(\(new.map(\.position)), \(new.map(\.eventID)),
                    \(new.map(\.previousHash)), \(new.map(\.hash)))
                """)
        }
    }

    /// Where a source's stream stands in the trail.
    package func progress(of source: EventSource, deadline: Deadline) async throws -> StreamProgress {
        let row = try await database.query(
            """
            SELECT source, complete_to, hash, highest_position, conflict, conflict_position FROM audit_streams
            WHERE source = \(source.uri)
            """, deadline: deadline
        ).first
        return try row.map { try StreamProgress(row: $0, ahead: [:]) } ?? StreamProgress(source: source.uri)
    }

    /// Records what a source says of its head, and what of it contradicts the trail.
    package func saveHead(
        of source: EventSource, position: Int64, conflict: StreamProgress.Conflict?, deadline: Deadline
    ) async throws {
        try await database.query(
            """
            INSERT INTO audit_streams (source, head_position, head_checked_at, conflict, conflict_position)
            VALUES (\(source.uri), \(position), now(), \(conflict?.reason), \(conflict?.position))
            ON CONFLICT (source) DO UPDATE SET head_position = EXCLUDED.head_position,
                head_checked_at = EXCLUDED.head_checked_at,
                conflict = COALESCE(audit_streams.conflict, EXCLUDED.conflict),
                conflict_position = COALESCE(audit_streams.conflict_position, EXCLUDED.conflict_position)
            """, deadline: deadline)
    }
}

extension StreamProgress {
    fileprivate init(row: PostgresRow, ahead: [Int64: StreamPlace]) throws {
        let reason: String? = try row.decode("conflict")
        let position: Int64? = try row.decode("conflict_position")
        self.init(
            source: try row.decode("source"), completeTo: try row.decode("complete_to"), hash: try row.decode("hash"),
            highest: try row.decode("highest_position"), ahead: ahead,
            conflict: reason.map { Conflict(position: position ?? 0, reason: $0) })
    }
}

extension TenantChain: PostgresRowDecodable {
    package init(row: PostgresRow) throws {
        self.init(
            tenantID: try row.decode("tenant_id"), sequence: try row.decode("sequence"), hash: try row.decode("hash"))
    }
}
