import Contracts
import Foundation
import MicroMiddleware
import Postgres

/// The checkpoints of one tenant beside the records as they are read.
struct SignedTrail {
    private let tenantID: UUID
    /// In the order of their sizes; those already passed are gone.
    private var ahead: [Checkpoint] = []
    private var known: [Int64: Checkpoint] = [:]
    /// The size of the last checkpoint that the records agreed with.
    private var agreed: Int64 = 0
    private var agreedCount = 0
    private var copyCount = 0
    private var faults: [TrailFault] = []

    init(tenantID: UUID, ring: KeyRing, connection: PostgresConnection) async throws {
        self.tenantID = tenantID
        let rows = try await connection.query(
            """
            SELECT tree_size, root_hash, chain_hash, statement FROM audit_checkpoints
            WHERE tenant_id = \(tenantID) ORDER BY tree_size
            """)
        for row in rows {
            let size = try row.decode(Int64.self, "tree_size")
            guard let checkpoint = try? Checkpoint(statement: try row.decode("statement"), ring: ring) else {
                add("checkpointForged", size, "the checkpoint at \(size) does not bear a signature of a known key")
                continue
            }
            guard checkpoint.tenantID == tenantID, checkpoint.treeSize == size,
                checkpoint.rootHash == (try row.decode("root_hash")),
                checkpoint.chainHash == (try row.decode("chain_hash"))
            else {
                add("checkpointForged", size, "the checkpoint at \(size) is not what was signed")
                continue
            }
            known[size] = checkpoint
        }
        ahead = known.values.sorted { $0.treeSize < $1.treeSize }
    }

    /// Holds the database's checkpoints against copies: a copy is not changed by whoever changes the database.
    mutating func compare(with copies: [String], ring: KeyRing) {
        for statement in copies {
            guard let copy = try? Checkpoint(statement: statement, ring: ring), copy.tenantID == tenantID else {
                add("checkpointForged", 0, "a copy of a checkpoint does not bear a signature of a known key")
                continue
            }
            let size = copy.treeSize
            switch known[size] {
            case nil:
                add("checkpointRemoved", size, "the checkpoint at \(size) is in the copies, not in the database")
                known[size] = copy
                ahead.append(copy)
            case let stored? where stored.rootHash != copy.rootHash || stored.chainHash != copy.chainHash:
                add("checkpointReplaced", size, "the checkpoint at \(size) is not the one in the copies")
                ahead.removeAll { $0.treeSize == size }
                ahead.append(copy)
            default: copyCount += 1
            }
        }
        ahead.sort { $0.treeSize < $1.treeSize }
    }

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
        faults.append(
            TrailFault(
                kind: fault.kind.rawValue, tenantID: tenantID.text, sequence: fault.sequence,
                recordID: fault.recordID?.text, message: fault.description))
    }

    mutating func add(_ fault: TrailFault) {
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

    func result(records: Int64) -> TrailVerification {
        TrailVerification(
            tenantID: tenantID.text, records: records, checkpoints: agreedCount, copies: copyCount,
            faults: faults.sorted { $0.sequence < $1.sequence })
    }

    private mutating func add(_ kind: String, _ sequence: Int64, _ message: String) {
        faults.append(
            TrailFault(kind: kind, tenantID: tenantID.text, sequence: sequence, recordID: nil, message: message))
    }
}
