import Contracts
import Foundation
import MicroMiddleware
import Postgres

/// The checkpoints of one tenant beside the records as they are read: those of the database merged with the copies, a
/// window at a time, so that years of them take no more memory than a day's.
struct SignedTrail {
    /// Checkpoints of the database in memory at once.
    static let window = 1_000
    /// Further faults are not told: the trail is in ruins.
    static let maximumFaults = 1_000

    private let tenantID: UUID
    private let ring: KeyRing
    private var copies: CopyReader?
    /// A copy that was read and lies beyond the window.
    private var pending: Checkpoint?
    /// In the order of their sizes; those already passed are gone.
    private var ahead: ArraySlice<Checkpoint> = []
    /// The size up to which all checkpoints have been read.
    private var end = Int64.min
    private var lastSize: Int64 = 0
    /// The size of the last checkpoint that the records agreed with.
    private var agreed: Int64 = 0
    private var agreedCount = 0
    private var copyCount = 0
    private var faults: [TrailFault] = []

    init(tenantID: UUID, ring: KeyRing, copies: CopyReader?) {
        self.tenantID = tenantID
        self.ring = ring
        self.copies = copies
    }

    /// Reads the next window where the records up to `bound` have been read.
    ///
    /// - Returns: up to which record the checkpoints are known now; `Int64.max` when those are all.
    mutating func load(beyond bound: Int64, on connection: PostgresConnection) async throws -> Int64 {
        guard end <= bound else { return end }
        let rows = try await connection.query(
            """
            SELECT tree_size, root_hash, chain_hash, statement FROM audit_checkpoints
            WHERE tenant_id = \(tenantID) AND tree_size > \(lastSize) ORDER BY tree_size LIMIT \(Self.window)
            """)
        var known: [Int64: Checkpoint] = [:]
        var forged: Set<Int64> = []
        for row in rows {
            lastSize = try row.decode(Int64.self, "tree_size")
            if let checkpoint = try read(row, size: lastSize) {
                known[lastSize] = checkpoint
            } else {
                forged.insert(lastSize)
            }
        }
        let before = end
        end = rows.count == Self.window ? lastSize : .max
        for late in try compareCopies(&known, forged: forged, before: before) {
            try await compareLate(late, on: connection)
        }
        ahead = (ahead + known.values).sorted { $0.treeSize < $1.treeSize }[...]
        return end
    }

    /// - Returns: nil when the row is not what was signed.
    private mutating func read(_ row: PostgresRow, size: Int64) throws -> Checkpoint? {
        guard let checkpoint = try? Checkpoint(statement: try row.decode("statement"), ring: ring) else {
            add("checkpointForged", size, "the checkpoint at \(size) does not bear a signature of a known key")
            return nil
        }
        guard checkpoint.tenantID == tenantID, checkpoint.treeSize == size,
            checkpoint.rootHash == (try row.decode("root_hash")),
            checkpoint.chainHash == (try row.decode("chain_hash"))
        else {
            add("checkpointForged", size, "the checkpoint at \(size) is not what was signed")
            return nil
        }
        return checkpoint
    }

    // MARK: - Copies

    /// Holds the database's checkpoints of the window against the copies: a copy is not changed by whoever changes the
    /// database, so what it says is what counts.
    ///
    /// - Returns: copies of checkpoints of earlier windows: their file is not in order.
    private mutating func compareCopies(
        _ known: inout [Int64: Checkpoint], forged: Set<Int64>, before: Int64
    ) throws -> [Checkpoint] {
        var late: [Checkpoint] = []
        let statements = Dictionary(known.values.map { ($0.statement, $0) }, uniquingKeysWith: { first, _ in first })
        while let copy = try nextCopy(statements) {
            guard copy.treeSize <= end else {
                pending = copy
                break
            }
            guard copy.treeSize > before, late.count < Self.window else {
                late.append(copy)
                if late.count > Self.window { break }
                continue
            }
            switch known[copy.treeSize] {
            case nil:
                if !forged.contains(copy.treeSize) { addRemoved(copy) }
                known[copy.treeSize] = copy
            case let stored? where !Self.agree(stored, copy):
                addReplaced(copy)
                known[copy.treeSize] = copy
            default: copyCount += 1
            }
        }
        return late
    }

    /// The next copy that bears a good signature: those of the window have been checked as the database's own.
    private mutating func nextCopy(_ checked: [String: Checkpoint]) throws -> Checkpoint? {
        if let copy = pending {
            pending = nil
            return copy
        }
        while let statement = try copies?.next() {
            if let known = checked[statement] { return known }
            if let copy = try? Checkpoint(statement: statement, ring: ring), copy.tenantID == tenantID { return copy }
            add("checkpointForged", 0, "a copy of a checkpoint does not bear a signature of a known key")
        }
        return nil
    }

    private mutating func compareLate(_ copy: Checkpoint, on connection: PostgresConnection) async throws {
        let row = try await connection.query(
            """
            SELECT tree_size, root_hash, chain_hash FROM audit_checkpoints
            WHERE tenant_id = \(tenantID) AND tree_size = \(copy.treeSize)
            """
        ).first
        guard let row else { return addRemoved(copy) }
        let (root, head): ([UInt8], [UInt8]) = (try row.decode("root_hash"), try row.decode("chain_hash"))
        if copy.rootHash != root || copy.chainHash != head {
            addReplaced(copy)
        } else {
            copyCount += 1
        }
    }

    private static func agree(_ one: Checkpoint, _ other: Checkpoint) -> Bool {
        one.rootHash == other.rootHash && one.chainHash == other.chainHash
    }

    private mutating func addRemoved(_ copy: Checkpoint) {
        add(
            "checkpointRemoved", copy.treeSize,
            "the checkpoint at \(copy.treeSize) is in the copies, not in the database")
    }

    private mutating func addReplaced(_ copy: Checkpoint) {
        add(
            "checkpointReplaced", copy.treeSize, "the checkpoint at \(copy.treeSize) is not the one in the copies")
    }

    // MARK: - Records

    /// The records up to the tree's size have been read and are linked.
    mutating func reached(_ tree: MerkleFrontier, chainHash: [UInt8]) {
        while let next = ahead.first, next.treeSize <= tree.size {
            ahead.removeFirst()
            if next.rootHash == tree.root, next.chainHash == chainHash {
                agreed = next.treeSize
                agreedCount += 1
            } else if !faults.contains(where: { $0.kind == "rewritten" }) {
                add(
                    "rewritten", agreed + 1,
                    "the records up to \(next.treeSize) are linked, but not those that were signed: expected the tree "
                        + "\(Hex.text(next.rootHash)), found \(Hex.text(tree.root)); records up to \(agreed) are as signed"
                )
            }
        }
    }

    mutating func add(_ fault: ChainFault) {
        add(
            TrailFault(
                kind: fault.kind.rawValue, tenantID: tenantID.text, sequence: fault.sequence,
                recordID: fault.recordID?.text, message: fault.description))
    }

    mutating func add(_ fault: TrailFault) {
        guard faults.count < Self.maximumFaults else { return }
        faults.append(fault)
    }

    /// - Parameter records: how many were in order.
    mutating func finish(records: Int64) {
        let isExplained = faults.contains {
            [
                "altered", "missing", "unlinked", "truncated", "inserted", "reordered", "misplaced", "beyondHead",
            ].contains($0.kind)
        }
        guard !isExplained, let beyond = ahead.last else { return }
        add(
            "truncated", records + 1,
            "\(beyond.treeSize) records were signed for, and \(records) are there: the tail was cut off")
    }

    /// - Parameter dropped: how many of the records are there by their hash alone.
    func result(records: Int64, dropped: Int64) -> TrailVerification {
        TrailVerification(
            tenantID: tenantID.text, records: records, dropped: dropped, checkpoints: agreedCount, copies: copyCount,
            faults: faults.sorted { $0.sequence < $1.sequence })
    }

    private mutating func add(_ kind: String, _ sequence: Int64, _ message: String) {
        add(TrailFault(kind: kind, tenantID: tenantID.text, sequence: sequence, recordID: nil, message: message))
    }
}
