package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// What is wrong with a tenant's trail, and where first.
package struct TrailFault: Sendable, Hashable, Codable {
    /// `altered`, `missing`, `unlinked`, `truncated`, `beyondHead` as ``ChainFault/Kind``; `inserted`, `reordered` and
    /// `misplaced` (in another month's partition) where the trail tells so much; `rewritten` where the records no
    /// longer make a tree that was signed; `checkpointForged`, `checkpointReplaced`, `checkpointRemoved`;
    /// `droppedUnaccounted` where records are gone as if by the retention policy, and the trail does not tell of it.
    package var kind: String
    package var tenantID: String
    /// The first record that is not as it was written; of a rewritten chain, the first that may not be.
    package var sequence: Int64
    package var recordID: String?
    package var message: String
    /// What the trail's hashes call for at that place, and what is there instead; nil where the message says it all.
    package var expected: String?
    package var found: String?

    enum CodingKeys: String, CodingKey {
        case kind, expected, found
        case tenantID = "tenant_id"
        case sequence
        case recordID = "record_id"
        case message
    }
}

/// What reading a tenant's whole trail came to.
package struct TrailVerification: Sendable, Hashable, Codable {
    package var tenantID: String
    /// How many records from the first are as they were written.
    package var records: Int64
    /// Of those, how many the retention policy has dropped: their hashes are there, and what was signed holds over them.
    package var dropped: Int64
    /// How many signed checkpoints they agree with.
    package var checkpoints: Int
    /// Of those, how many were found in a copy too.
    package var copies: Int
    package var faults: [TrailFault]

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case records, dropped, checkpoints, copies, faults
    }
}

/// Reads a trail from end to end, in constant memory, with read access and public keys alone.
package struct TrailVerifier: Sendable {
    private let database: PostgresClient
    private let ring: KeyRing
    private let copies: CheckpointCopies?

    /// - Parameters:
    ///   - ring: the public keys that checkpoints were signed under.
    ///   - copies: the statements that were kept elsewhere.
    package init(_ database: PostgresClient, ring: KeyRing, copies: CheckpointCopies?) {
        self.database = database
        self.ring = ring
        self.copies = copies
    }

    /// The tenants that the database or the copies know.
    package func tenants(deadline: Deadline) async throws -> [UUID] {
        let known: [UUID] = try await database.query(
            """
            SELECT tenant_id FROM audit_chains UNION SELECT tenant_id FROM audit_checkpoints ORDER BY 1
            """, deadline: deadline
        ).column("tenant_id")
        return Set(known).union(try copies?.tenants() ?? []).sorted { $0.text < $1.text }
    }

    /// Whether the database or the copies have anything of that tenant: of nothing, nothing could be said.
    package func knows(_ tenantID: UUID, deadline: Deadline) async throws -> Bool {
        if try copies?.tenants().contains(tenantID) == true { return true }
        // The records too: those that somebody has taken the head and the checkpoints from are a fault, and not nothing.
        return try await database.query(
            """
            SELECT EXISTS (SELECT FROM audit_chains WHERE tenant_id = \(tenantID))
                OR EXISTS (SELECT FROM audit_checkpoints WHERE tenant_id = \(tenantID))
                OR EXISTS (SELECT FROM audit_records WHERE tenant_id = \(tenantID)) AS known
            """, deadline: deadline
        ).first?.decode(Bool.self, "known") ?? false
    }

    /// - Parameter progress: called every 10,000 records with how many have been read.
    package func verify(
        _ tenantID: UUID, deadline: Deadline, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> TrailVerification {
        // A checkpoint is copied once it is committed, so all that has been copied by now is in what the transaction sees.
        let copied = copies?.length(of: tenantID) ?? 0
        let reading = try await database.withConnection(deadline: deadline) { connection in
            // Records, head and checkpoints as of one moment, while others are written.
            try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            // Page after page by one plan: the planner looks at every month's partition, which takes as long as reading a page.
            try await connection.query("SET LOCAL plan_cache_mode = force_generic_plan")
            let head: TenantChain =
                try await connection.query(
                    "SELECT tenant_id, sequence, hash FROM audit_chains WHERE tenant_id = \(tenantID)"
                ).first() ?? TenantChain(tenantID: tenantID)
            var reading = TrailReading(
                head: head, partitions: try await TrailPartitions(connection),
                signed: SignedTrail(tenantID: tenantID, ring: ring, copies: copies?.reader(of: tenantID, upTo: copied)),
                progress: progress)
            do {
                try await withSecond(connection, deadline: deadline) { second in
                    let pages = TrailPages(tenantID: tenantID, lanes: (connection, second))
                    try await read(&reading, pages, on: connection)
                }
                try await connection.query("COMMIT")
            } catch is TrailReading.FirstFault {
                // Found: the rest is not read. Where a page was under way, the connection is gone with it.
                _ = try? await connection.query("ROLLBACK")
            }
            return reading
        }
        return try await conclude(reading)
    }

    /// A connection that sees what the first one sees, so that the database works for both processors; the first one itself
    /// where the pool has no other.
    private func withSecond(
        _ first: PostgresConnection, deadline: Deadline, _ body: (PostgresConnection) async throws -> Void
    ) async throws {
        guard database.configuration.poolSize > 1 else { return try await body(first) }
        let snapshot: [String] = try await first.query("SELECT pg_export_snapshot() AS name").column("name")
        try await database.withConnection(deadline: deadline) { second in
            try await second.execute(
                script: """
                    BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
                    SET TRANSACTION SNAPSHOT '\(snapshot.joined())';
                    SET LOCAL plan_cache_mode = force_generic_plan
                    """)
            do {
                try await body(second)
            } catch {
                _ = try? await second.query("ROLLBACK")
                throw error
            }
            try await second.query("COMMIT")
        }
    }

    /// Window by window, as far as checkpoints and dropped records are known.
    private func read(
        _ reading: inout TrailReading, _ pages: TrailPages, on connection: PostgresConnection
    ) async throws {
        var position = Int64.min
        while position < .max {
            let bound = try await reading.load(beyond: position, on: connection)
            var window = reading
            do {
                try await pages.read(beyond: position, upTo: bound) { row in try window.take(row) }
            } catch {
                reading = window
                throw error
            }
            window.skipDropped(upTo: bound)
            reading = window
            position = bound
        }
        guard reading.droppedCount > 0 else { return }
        for fault in try await DroppedMonths.unaccounted(of: pages.tenantID, on: connection) {
            reading.signed.add(fault)
        }
    }

    private func conclude(_ reading: TrailReading) async throws -> TrailVerification {
        var signed = reading.signed
        if let diagnosis = reading.diagnosis {
            signed.add(try await diagnosis.fault(reading.fault, others: others(at: diagnosis.record)))
        } else if let found = reading.chain.finish(head: reading.head) {
            signed.add(found)
        }
        signed.finish(records: reading.chain.verified)
        return signed.result(records: reading.chain.verified, dropped: reading.droppedCount)
    }

    /// Further records that claim the place of this one.
    private func others(at record: AuditRecord) async throws -> [UUID] {
        guard let link = record.link else { return [] }
        return try await database.query(
            """
            SELECT id FROM audit_records
            WHERE tenant_id = \(record.tenantID) AND sequence = \(link.sequence) AND id <> \(record.id) LIMIT 10
            """, deadline: .after(.seconds(30))
        ).column("id")
    }
}
