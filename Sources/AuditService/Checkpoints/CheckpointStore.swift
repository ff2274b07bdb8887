package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Why no checkpoint was made.
package enum CheckpointError: Error, Sendable, CustomStringConvertible {
    /// The chain is not what it must be; it is not signed.
    case brokenChain(tenantID: UUID, sequence: Int64)
    /// The last checkpoint's row cannot be continued.
    case unusable(tenantID: UUID, treeSize: Int64)

    package var description: String {
        switch self {
        case .brokenChain(let tenant, let sequence):
            "the chain of tenant \(tenant.text) is broken at record \(sequence): run authms audit verify"
        case .unusable(let tenant, let size):
            "the checkpoint of tenant \(tenant.text) at \(size) cannot be continued: run authms audit verify"
        }
    }
}

/// Makes and reads checkpoints: SQL only. Making is the service's own and acts for all tenants; what is asked of one tenant's
/// acts for that tenant.
package struct CheckpointStore: Sendable {
    /// The most records that one checkpoint adds: a long chain gets several.
    package static let maximumStep = 250_000

    private let database: PostgresClient
    private let ring: KeyRing
    private let now: @Sendable () -> Date

    package init(_ database: PostgresClient, ring: KeyRing, now: @escaping @Sendable () -> Date = { Date() }) {
        self.database = database
        self.ring = ring
        self.now = now
    }

    /// The tenants with records since their last checkpoint, other than that checkpoint's own: one statement, however many
    /// tenants are quiet.
    package func tenantsWithNews(deadline: Deadline) async throws -> [UUID] {
        try await database.query(
            """
            SELECT c.tenant_id FROM audit_chains c LEFT JOIN LATERAL (
                SELECT p.tree_size FROM audit_checkpoints p WHERE p.tenant_id = c.tenant_id
                ORDER BY p.tree_size DESC LIMIT 1
            ) last ON true
            WHERE c.sequence > coalesce(last.tree_size, 0) AND EXISTS (
                SELECT FROM audit_records r
                WHERE r.tenant_id = c.tenant_id AND r.sequence > coalesce(last.tree_size, 0)
                    AND r.action <> \(EventType.checkpointSigned.rawValue)
            )
            ORDER BY 1
            """, deadline: deadline
        ).column("tenant_id")
    }

    /// Checks the records since the last checkpoint, signs the tree that they make, and tells of it in the outbox, in one
    /// transaction.
    ///
    /// - Returns: nil when nothing has happened since but the last checkpoint itself, or another process is at it.
    /// - Throws: ``CheckpointError`` when the chain is broken: then nothing is signed.
    package func make(for tenantID: UUID, deadline: Deadline) async throws -> Checkpoint? {
        try await database.withTransaction(deadline: deadline) { connection in
            try await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            let lock = try await connection.query("SELECT pg_try_advisory_xact_lock(\(Self.lockKey)) AS is_ours")
            guard try lock.first?.decode(Bool.self, "is_ours") == true else { return nil }
            let last = try await latest(of: tenantID, on: connection)
            var frontier = MerkleFrontier()
            if let last {
                guard let read = MerkleFrontier(size: last.size, bytes: last.frontier) else {
                    throw CheckpointError.unusable(tenantID: tenantID, treeSize: last.size)
                }
                frontier = read
            }
            guard try await hasNews(tenantID, after: frontier.size, on: connection) else { return nil }
            let growth = try await grow(
                &frontier, tenantID, from: last?.chainHash ?? StreamLink.genesis, on: connection)
            let checkpoint = try Checkpoint(
                tenantID: tenantID, treeSize: frontier.size, rootHash: frontier.root, chainHash: growth.head,
                signedAt: now(), ring: ring)
            try await connection.query(Self.insertSQL(checkpoint, frontier: frontier.bytes))
            if !growth.blocks.isEmpty {
                try await connection.query(Self.insertSQL(blocks: growth.blocks, of: tenantID))
            }
            try await connection.query(Outbox.insertSQL(try Self.event(checkpoint)))
            return checkpoint
        }
    }

    /// A tenant's checkpoint of a size, or the latest.
    package func checkpoint(
        of tenantID: UUID, treeSize: Int64? = nil, deadline: Deadline
    ) async throws -> (statement: String, treeSize: Int64)? {
        let row = try await database.query(
            """
            SELECT statement, tree_size FROM audit_checkpoints
            WHERE tenant_id = \(tenantID) AND tree_size = coalesce(\(treeSize), tree_size)
            ORDER BY tree_size DESC LIMIT 1
            """, actingFor: tenantID, deadline: deadline
        ).first
        return try row.map { (try $0.decode("statement"), try $0.decode("tree_size")) }
    }

    /// The roots of ranges of a tenant's leaves; nil when a leaf is missing. Reads a row for each 1,024 leaves and some
    /// thousand leaves at most, where the blocks are there: a trail that is older than they are is read leaf by leaf.
    package func roots(
        of ranges: [Range<Int64>], tenantID: UUID, deadline: Deadline
    ) async throws -> [MerkleTree.Hash]? {
        try await database.acting(for: tenantID, deadline: deadline) { connection in
            var roots = MerkleRanges(ranges, usesBlocks: true)
            for blocks in roots.blocks {
                try await connection.stream(
                    """
                    SELECT block, root FROM audit_tree_blocks
                    WHERE tenant_id = \(tenantID) AND block >= \(blocks.lowerBound) AND block < \(blocks.upperBound)
                    ORDER BY block
                    """
                ) { row in
                    roots.add(block: try row.decode("root"), at: try row.decode("block"))
                }
            }
            if !roots.hasAllBlocks { roots = MerkleRanges(ranges) }
            for leaves in roots.leaves {
                try await TenantLeaves(tenantID: tenantID).read(
                    after: leaves.lowerBound, upTo: leaves.upperBound, on: connection
                ) { sequence, hash in
                    roots.add(hash, at: sequence - 1)
                }
            }
            return roots.roots
        }
    }

    // MARK: -

    private struct Latest {
        let size: Int64
        let chainHash: [UInt8]
        let frontier: [UInt8]
    }

    private func latest(of tenantID: UUID, on connection: PostgresConnection) async throws -> Latest? {
        let row = try await connection.query(
            """
            SELECT tree_size, chain_hash, frontier FROM audit_checkpoints WHERE tenant_id = \(tenantID)
            ORDER BY tree_size DESC LIMIT 1
            """
        ).first
        return try row.map {
            Latest(
                size: try $0.decode("tree_size"), chainHash: try $0.decode("chain_hash"),
                frontier: try $0.decode("frontier"))
        }
    }

    /// A checkpoint's own event is no reason for the next one, or there would be no end.
    private func hasNews(_ tenantID: UUID, after size: Int64, on connection: PostgresConnection) async throws -> Bool {
        let rows = try await connection.query(
            """
            SELECT 1 FROM audit_records WHERE tenant_id = \(tenantID) AND sequence > \(size)
                AND action <> \(EventType.checkpointSigned.rawValue) LIMIT 1
            """)
        return !rows.isEmpty
    }

    /// - Returns: the chain's hash at the tree's new end, and the blocks that are complete now.
    private func grow(
        _ frontier: inout MerkleFrontier, _ tenantID: UUID, from start: [UInt8], on connection: PostgresConnection
    ) async throws -> (head: [UInt8], blocks: [(number: Int64, root: MerkleTree.Hash)]) {
        var grown = frontier
        var head = start
        var blocks: [(number: Int64, root: MerkleTree.Hash)] = []
        try await connection.stream(Self.leavesSQL(tenantID, after: frontier.size, limit: Self.maximumStep)) { row in
            guard try row.decode(Int64.self, "sequence") == grown.size + 1,
                try row.decode([UInt8].self, "previous_hash") == head
            else { throw CheckpointError.brokenChain(tenantID: tenantID, sequence: grown.size + 1) }
            head = try row.decode([UInt8].self, "hash")
            if let root = grown.append(head) { blocks.append((grown.size / MerkleTree.blockSize - 1, root)) }
        }
        frontier = grown
        return (head, blocks)
    }

    private static func insertSQL(blocks: [(number: Int64, root: MerkleTree.Hash)], of tenantID: UUID) -> SQL {
        """
        INSERT INTO audit_tree_blocks (tenant_id, block, root)
        SELECT \(tenantID), * FROM unnest(\(blocks.map(\.number)), \(blocks.map(\.root)))
        """
    }

    private static func leavesSQL(_ tenantID: UUID, after size: Int64, limit: Int) -> SQL {
        """
        SELECT sequence, previous_hash, hash FROM audit_records
        WHERE tenant_id = \(tenantID) AND sequence > \(size) ORDER BY sequence LIMIT \(limit)
        """
    }

    private static func insertSQL(_ checkpoint: Checkpoint, frontier: [UInt8]) -> SQL {
        """
        INSERT INTO audit_checkpoints
            (tenant_id, tree_size, root_hash, chain_hash, frontier, signed_at, statement)
        VALUES (\(checkpoint.tenantID), \(checkpoint.treeSize), \(checkpoint.rootHash), \(checkpoint.chainHash),
            \(frontier), \(checkpoint.signedAt), \(checkpoint.statement))
        """
    }

    private static func event(_ checkpoint: Checkpoint) throws -> DomainEvent {
        try DomainEvent(
            type: .checkpointSigned, subject: checkpoint.tenantID.text, tenantID: checkpoint.tenantID,
            data: EventDetail(
                actorType: "service", status: .success,
                details: ["tree_size": "\(checkpoint.treeSize)", "statement": checkpoint.statement]))
    }

    /// The bytes of "chkpt" as a number.
    private static let lockKey: Int64 = 0x63_686B_7074
}
