import Contracts
import Foundation
package import MicroMiddleware

/// Verifies an NDJSON export without any database: its records in their order, and the signed checkpoints that it holds.
/// Constant memory.
package struct ExportVerifier: Sendable {
    private let ring: KeyRing
    private let copies: CheckpointCopies?

    /// - Parameters:
    ///   - ring: the public keys that checkpoints were signed under.
    ///   - copies: statements that were kept elsewhere: what was signed for and is not in the export is found by them alone.
    package init(ring: KeyRing, copies: CheckpointCopies? = nil) {
        self.ring = ring
        self.copies = copies
    }

    /// - Throws: ``ExportError`` when the file is no export, or does not begin with a tenant's first record: what was
    ///   filtered proves nothing of what was left out.
    package func verify(path: String) throws -> TrailVerification {
        guard var lines = LineReader(path: path), var checkpoints = LineReader(path: path) else {
            throw ExportError("\(path) is not there or may not be read.")
        }
        guard let line = try lines.next() else { throw ExportError("\(path) is empty.") }
        var record: AuditRecord? = try Self.record(line, path, 1)
        guard let tenant = record?.tenantID, record?.link?.sequence == 1 else {
            throw ExportError("\(path) does not begin with record 1: only a whole export can be verified.")
        }
        var chain = ChainVerifier(tenantID: tenant)
        var tree = MerkleFrontier()
        var result = TrailVerification(tenantID: tenant.text, records: 0, checkpoints: 0, copies: 0, faults: [])
        var next = try nextCheckpoint(&checkpoints, tenant, &result)
        var number = 1
        while let current = record, result.faults.isEmpty {
            let before = chain
            record = nil
            while record == nil, let line = try lines.next() {
                number += 1
                if Self.statement(line) == nil { record = try Self.record(line, path, number) }
            }
            if let fault = chain.check(current) {
                let others = record.map { $0.link?.sequence == current.link?.sequence ? [$0.id] : [] } ?? []
                result.faults.append(
                    TrailDiagnosis(current, after: before, head: TenantChain(tenantID: tenant)).fault(
                        fault, others: others))
                break
            }
            tree.append(chain.currentHash)
            while let checkpoint = next, checkpoint.treeSize <= tree.size, result.faults.isEmpty {
                compare(checkpoint, tree, chain, &result)
                next = try nextCheckpoint(&checkpoints, tenant, &result)
            }
        }
        result.records = chain.verified
        if let checkpoint = next, result.faults.isEmpty {
            result.faults.append(
                Self.fault(
                    "truncated", tenant, chain.verified + 1, expected: "\(checkpoint.treeSize) records, as was signed",
                    found: "\(chain.verified)"))
        }
        if result.faults.isEmpty { try anchor(tenant, chain, &result) }
        return result
    }

    /// An export that nobody has signed for proves that it hangs together, and not that it is whole.
    private func anchor(_ tenant: UUID, _ chain: ChainVerifier, _ result: inout TrailVerification) throws {
        let kept = try copies?.statements(of: tenant).compactMap { try? Checkpoint(statement: $0, ring: ring) } ?? []
        result.copies = kept.count { $0.treeSize <= chain.verified }
        if let beyond = kept.max(by: { $0.treeSize < $1.treeSize }), beyond.treeSize > chain.verified {
            result.faults.append(
                Self.fault(
                    "truncated", tenant, chain.verified + 1,
                    expected: "\(beyond.treeSize) records, as a kept copy was signed for",
                    found: "\(chain.verified): the export was made before that, or cut"))
        } else if result.checkpoints == 0 {
            result.faults.append(
                Self.fault(
                    "unanchored", tenant, chain.verified, expected: "a signed checkpoint in the export", found: "none"))
        }
    }

    private func compare(
        _ checkpoint: Checkpoint, _ tree: MerkleFrontier, _ chain: ChainVerifier, _ result: inout TrailVerification
    ) {
        guard checkpoint.rootHash == tree.root, checkpoint.chainHash == chain.currentHash else {
            result.faults.append(
                Self.fault(
                    "rewritten", checkpoint.tenantID, checkpoint.treeSize,
                    expected: "the signed root \(Hex.text(checkpoint.rootHash))", found: Hex.text(tree.root)))
            return
        }
        result.checkpoints += 1
    }

    private func nextCheckpoint(
        _ lines: inout LineReader, _ tenant: UUID, _ result: inout TrailVerification
    ) throws -> Checkpoint? {
        while let line = try lines.next() {
            guard let statement = Self.statement(line) else { continue }
            if let checkpoint = try? Checkpoint(statement: statement, ring: ring), checkpoint.tenantID == tenant {
                return checkpoint
            }
            result.faults.append(
                Self.fault(
                    "checkpointForged", tenant, 0, expected: "a signature of a known key over this tenant's tree",
                    found: "another"))
            return nil
        }
        return nil
    }

    private static func fault(
        _ kind: String, _ tenant: UUID, _ sequence: Int64, expected: String, found: String
    ) -> TrailFault {
        TrailFault(
            kind: kind, tenantID: tenant.text, sequence: sequence, recordID: nil,
            message: "record \(sequence) is \(kind): expected \(expected), found \(found)", expected: expected,
            found: found)
    }

    /// The statement, if the line is a checkpoint's.
    private static func statement(_ line: [UInt8]) -> String? {
        guard line.starts(with: Array(#"{"checkpoint":"#.utf8)) else { return nil }
        return (try? JSONDecoder().decode([String: String].self, from: Data(line)))?["checkpoint"]
    }

    private static func record(_ line: [UInt8], _ path: String, _ number: Int) throws -> AuditRecord {
        do {
            return try JSONDecoder().decode(ExportedRecord.self, from: Data(line)).record
        } catch {
            throw ExportError("Line \(number) of \(path) is no record of an export.")
        }
    }
}

/// Why an export could not be verified; says nothing of the records.
package struct ExportError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
