import Foundation
import Postgres

/// The hashes that were kept of a tenant's dropped records, in the order of their sequences: some at a time.
struct DroppedLeaves {
    /// Runs in memory at once: 32 KiB each at most.
    static let page = 64
    private let tenantID: UUID
    private var runs: ArraySlice<Run> = []
    private var lastFirst: Int64
    /// Of every sequence up to here it is known whether its record was dropped.
    private var end = Int64.min

    private struct Run {
        let first: Int64
        let hashes: [UInt8]
        /// One past the last.
        var end: Int64 { first + Int64(hashes.count / 32) }
    }

    /// - Parameter sequence: nothing at or before this one will be asked for.
    init(tenantID: UUID, after sequence: Int64 = 0) {
        self.tenantID = tenantID
        // A run that began before may reach beyond.
        lastFirst = sequence - 1_024
    }

    /// Reads on where everything up to `bound` has been used.
    ///
    /// - Returns: up to where it is known now what was dropped; `Int64.max` when that is all.
    mutating func load(beyond bound: Int64, on connection: PostgresConnection) async throws -> Int64 {
        while end <= bound {
            let rows = try await connection.query(
                """
                SELECT first_sequence, hashes FROM audit_dropped_leaves
                WHERE tenant_id = \(tenantID) AND first_sequence > \(lastFirst)
                ORDER BY first_sequence LIMIT \(Self.page)
                """)
            let read = try rows.map { Run(first: try $0.decode("first_sequence"), hashes: try $0.decode("hashes")) }
            runs = runs + read
            if let last = read.last { lastFirst = last.first }
            end = read.count == Self.page ? (read.last?.end ?? .max) - 1 : .max
        }
        return end
    }

    /// The hash that was kept of the record; nil when it was not dropped. The sequences that are asked for rise.
    mutating func hash(of sequence: Int64) -> [UInt8]? {
        while let run = runs.first, run.end <= sequence { runs.removeFirst() }
        guard let run = runs.first, run.first <= sequence else { return nil }
        let start = Int(sequence - run.first) * 32
        return Array(run.hashes[start..<(start + 32)])
    }
}

/// A tenant's leaves, of the records that are there and of those that were dropped.
struct TenantLeaves {
    let tenantID: UUID

    /// Hands over the hash of every record after a sequence, up to one, in their order; where one is missing, the next.
    func read(
        after start: Int64, upTo last: Int64, on connection: PostgresConnection,
        _ body: (_ sequence: Int64, _ hash: [UInt8]) throws -> Void
    ) async throws {
        var dropped = DroppedLeaves(tenantID: tenantID, after: start)
        var position = start
        while position < last {
            let bound = min(last, try await dropped.load(beyond: position, on: connection))
            var next = position + 1
            try await connection.stream(
                """
                SELECT sequence, hash FROM audit_records
                WHERE tenant_id = \(tenantID) AND sequence > \(position) AND sequence <= \(bound) ORDER BY sequence
                """
            ) { row in
                let sequence = try row.decode(Int64.self, "sequence")
                while next < sequence, let kept = dropped.hash(of: next) {
                    try body(next, kept)
                    next += 1
                }
                try body(sequence, try row.decode([UInt8].self, "hash"))
                next = sequence + 1
            }
            while next <= bound, let kept = dropped.hash(of: next) {
                try body(next, kept)
                next += 1
            }
            position = bound
        }
    }
}
