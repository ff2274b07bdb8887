package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// What is wrong with a tenant's trail, and where first.
package struct TrailFault: Sendable, Hashable, Codable {
    /// `altered`, `missing`, `unlinked`, `truncated`, `beyondHead` as ``ChainFault/Kind``; `inserted`, `reordered` and
    /// `misplaced` (in another month's partition) where the trail tells so much; `rewritten` where the records no
    /// longer make a tree that was signed; `checkpointForged`, `checkpointReplaced`, `checkpointRemoved`.
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
    /// How many signed checkpoints they agree with.
    package var checkpoints: Int
    /// Of those, how many were found in a copy too.
    package var copies: Int
    package var faults: [TrailFault]

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case records, checkpoints, copies, faults
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

    /// - Parameter progress: called every 10,000 records with how many have been read.
    package func verify(
        _ tenantID: UUID, deadline: Deadline, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> TrailVerification {
        try await database.withConnection(deadline: deadline) { connection in
            // Records, head and checkpoints as of one moment, while others are written.
            try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            var signed = try await SignedTrail(tenantID: tenantID, ring: ring, connection: connection)
            signed.compare(with: try copies?.statements(of: tenantID) ?? [], ring: ring)
            let head: TenantChain =
                try await connection.query(
                    "SELECT tenant_id, sequence, hash FROM audit_chains WHERE tenant_id = \(tenantID)"
                ).first() ?? TenantChain(tenantID: tenantID)
            var chain = ChainVerifier(tenantID: tenantID)
            var frontier = MerkleFrontier()
            var fault: ChainFault?
            var diagnosis: TrailDiagnosis?
            do {
                try await connection.stream(
                    """
                    SELECT \(AuditRecord.columns), tableoid::regclass::text AS partition FROM audit_records
                    WHERE tenant_id = \(tenantID) ORDER BY sequence
                    """
                ) { row in
                    let record = try AuditRecord(row: row)
                    let before = chain
                    fault = chain.check(record)
                    if fault != nil {
                        diagnosis = TrailDiagnosis(record, after: before, head: head)
                        throw FirstFault()
                    }
                    let partition: String = try row.decode("partition")
                    guard partition.hasSuffix(AuditPartitions.name(of: record.occurredAt)) else {
                        diagnosis = TrailDiagnosis(record, in: partition)
                        throw FirstFault()
                    }
                    frontier.append(chain.currentHash)
                    signed.reached(frontier, chainHash: chain.currentHash)
                    if frontier.size % 10_000 == 0 { progress(frontier.size) }
                }
                try await connection.query("COMMIT")
            } catch is FirstFault {
                // Found: the rest is not read, and the connection with it is gone.
            }
            if let diagnosis {
                signed.add(try await diagnosis.fault(fault, others: others(at: diagnosis.record)))
            } else if let found = chain.finish(head: head) {
                signed.add(found)
            }
            signed.finish(records: chain.verified)
            return signed.result(records: chain.verified)
        }
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

    private struct FirstFault: Error {}
}
