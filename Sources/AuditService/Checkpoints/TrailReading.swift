import Contracts
import Foundation
import Postgres

/// How far a tenant's trail has been read, and what was found: the chain, the tree over it, and what was signed of it.
struct TrailReading {
    /// Found: what comes after says nothing more.
    struct FirstFault: Error {}

    let head: TenantChain
    private(set) var chain: ChainVerifier
    var signed: SignedTrail
    private(set) var fault: ChainFault?
    private(set) var diagnosis: TrailDiagnosis?
    /// How many records were stepped over, since the retention policy has dropped them.
    private(set) var droppedCount: Int64 = 0

    private let partitions: TrailPartitions
    private let progress: @Sendable (Int64) -> Void
    private var scan: RecordScan
    private var frontier = MerkleFrontier()
    private var dropped: DroppedLeaves

    init(
        head: TenantChain, partitions: TrailPartitions, signed: SignedTrail,
        progress: @escaping @Sendable (Int64) -> Void
    ) {
        self.head = head
        self.partitions = partitions
        self.signed = signed
        self.progress = progress
        chain = ChainVerifier(tenantID: head.tenantID)
        scan = RecordScan(tenantID: head.tenantID)
        dropped = DroppedLeaves(tenantID: head.tenantID)
    }

    /// Reads on what belongs to the records, where everything up to `bound` has been used.
    ///
    /// - Returns: up to which record all of it is known now.
    mutating func load(beyond bound: Int64, on connection: PostgresConnection) async throws -> Int64 {
        let signedEnd = try await signed.load(beyond: bound, on: connection)
        return min(signedEnd, try await dropped.load(beyond: bound, on: connection))
    }

    /// The next record: its columns, and `partition`, the id of the table that it lies in.
    ///
    /// - Throws: ``FirstFault`` when it is not as it was written.
    mutating func take(_ row: PostgresRow) throws {
        if let found = scan.check(row, sequence: chain.verified + 1, previous: chain.currentHash),
            partitions.holds(found.time_ms, in: found.partition)
        {
            chain.follow(found.hash)
            advance()
            return
        }
        let record = try AuditRecord(row: row)
        skipDropped(upTo: (record.link?.sequence ?? 1) - 1)
        let before = chain
        fault = chain.check(record)
        if fault != nil {
            diagnosis = TrailDiagnosis(record, after: before, head: head)
            throw FirstFault()
        }
        if let place = partitions.misplacement(of: record, in: try row.decode("partition")) {
            diagnosis = TrailDiagnosis(record, in: place)
            throw FirstFault()
        }
        advance()
    }

    /// Steps over the records that were dropped, up to one, by the hashes that were kept of them.
    mutating func skipDropped(upTo sequence: Int64) {
        while chain.verified < sequence, let kept = dropped.hash(of: chain.verified + 1) {
            chain.skip(kept)
            droppedCount += 1
            advance()
        }
    }

    private mutating func advance() {
        frontier.append(chain.currentHash)
        signed.reached(frontier, chainHash: chain.currentHash)
        if frontier.size % 10_000 == 0 { progress(frontier.size) }
    }
}
