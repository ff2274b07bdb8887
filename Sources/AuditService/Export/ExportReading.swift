import Contracts
import Foundation
import MicroMiddleware

/// How far an export has been read, and what was found.
struct ExportReading {
    private let tenant: UUID
    private let ring: KeyRing
    private var dropped: DroppedLines
    private var checkpoints: LineReader
    private var next: Checkpoint?
    private var tree = MerkleFrontier()
    private(set) var chain: ChainVerifier
    private(set) var result: TrailVerification

    init(_ tenant: UUID, dropped: DroppedLines, checkpoints: LineReader, ring: KeyRing) {
        self.tenant = tenant
        self.dropped = dropped
        self.checkpoints = checkpoints
        self.ring = ring
        chain = ChainVerifier(tenantID: tenant)
        result = TrailVerification(
            tenantID: tenant.text, records: 0, dropped: 0, checkpoints: 0, copies: 0, faults: [])
    }

    /// Reads the first checkpoint.
    mutating func start() throws {
        next = try nextCheckpoint()
    }

    /// - Parameter following: the record after it in the file, which may claim the same place.
    mutating func take(_ record: AuditRecord, before following: AuditRecord?) throws {
        try skipDropped(before: record)
        guard result.faults.isEmpty else { return }
        let before = chain
        if let fault = chain.check(record) {
            let others = following.map { $0.link?.sequence == record.link?.sequence ? [$0.id] : [] } ?? []
            let head = TenantChain(tenantID: tenant)
            result.faults.append(TrailDiagnosis(record, after: before, head: head).fault(fault, others: others))
            return
        }
        try advance()
    }

    /// Steps over the dropped records before one, or all that are left.
    mutating func skipDropped(before record: AuditRecord?) throws {
        let last = record.map { ($0.link?.sequence ?? 1) - 1 } ?? .max
        while result.faults.isEmpty, chain.verified < last, let kept = try dropped.hash(of: chain.verified + 1) {
            chain.skip(kept)
            result.dropped += 1
            try advance()
        }
    }

    /// What was found when all has been read.
    func finish() -> TrailVerification {
        var result = result
        result.records = chain.verified
        if let checkpoint = next, result.faults.isEmpty {
            result.faults.append(
                ExportVerifier.fault(
                    "truncated", tenant, chain.verified + 1, expected: "\(checkpoint.treeSize) records, as was signed",
                    found: "\(chain.verified)"))
        }
        return result
    }

    private mutating func advance() throws {
        tree.append(chain.currentHash)
        while let checkpoint = next, checkpoint.treeSize <= tree.size, result.faults.isEmpty {
            compare(checkpoint)
            next = try nextCheckpoint()
        }
    }

    private mutating func compare(_ checkpoint: Checkpoint) {
        guard checkpoint.rootHash == tree.root, checkpoint.chainHash == chain.currentHash else {
            result.faults.append(
                ExportVerifier.fault(
                    "rewritten", checkpoint.tenantID, checkpoint.treeSize,
                    expected: "the signed root \(Hex.text(checkpoint.rootHash))", found: Hex.text(tree.root)))
            return
        }
        result.checkpoints += 1
    }

    private mutating func nextCheckpoint() throws -> Checkpoint? {
        while let line = try checkpoints.next() {
            guard let statement = ExportVerifier.statement(line) else { continue }
            if let checkpoint = try? Checkpoint(statement: statement, ring: ring), checkpoint.tenantID == tenant {
                return checkpoint
            }
            result.faults.append(
                ExportVerifier.fault(
                    "checkpointForged", tenant, 0, expected: "a signature of a known key over this tenant's tree",
                    found: "another"))
            return nil
        }
        return nil
    }
}
