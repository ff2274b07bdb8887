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
        guard var lines = LineReader(path: path), let checkpoints = LineReader(path: path),
            let start = LineReader(path: path)
        else { throw ExportError("\(path) is not there or may not be read.") }
        let dropped = try DroppedLines(start)
        var number = 0
        func next() throws -> AuditRecord? {
            while let line = try lines.next() {
                number += 1
                if Self.statement(line) == nil, !DroppedLines.isOne(line) { return try Self.record(line, path, number) }
            }
            return nil
        }
        var record = try next()
        guard let tenant = record?.tenantID ?? dropped.tenantID else { throw ExportError("\(path) is empty.") }
        var reading = ExportReading(tenant, dropped: dropped, checkpoints: checkpoints, ring: ring)
        try reading.start()
        try reading.skipDropped(before: record)
        guard reading.chain.verified > 0 || record?.link?.sequence == 1 else {
            throw ExportError("\(path) does not begin with record 1: only a whole export can be verified.")
        }
        while let current = record, reading.result.faults.isEmpty {
            record = try next()
            try reading.take(current, before: record)
        }
        if reading.result.faults.isEmpty { try reading.skipDropped(before: nil) }
        var result = reading.finish()
        if result.faults.isEmpty { try anchor(tenant, reading.chain, &result) }
        return result
    }

    /// An export that nobody has signed for proves that it hangs together, and not that it is whole.
    private func anchor(_ tenant: UUID, _ chain: ChainVerifier, _ result: inout TrailVerification) throws {
        var reader = copies?.reader(of: tenant)
        var beyond: Checkpoint?
        while let statement = try reader?.next() {
            guard let copy = try? Checkpoint(statement: statement, ring: ring) else { continue }
            if copy.treeSize <= chain.verified {
                result.copies += 1
            } else if copy.treeSize > beyond?.treeSize ?? 0 {
                beyond = copy
            }
        }
        if let beyond {
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

    static func fault(
        _ kind: String, _ tenant: UUID, _ sequence: Int64, expected: String, found: String
    ) -> TrailFault {
        TrailFault(
            kind: kind, tenantID: tenant.text, sequence: sequence, recordID: nil,
            message: "record \(sequence) is \(kind): expected \(expected), found \(found)", expected: expected,
            found: found)
    }

    /// The statement, if the line is a checkpoint's.
    static func statement(_ line: [UInt8]) -> String? {
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
