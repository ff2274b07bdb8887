import Contracts
import Foundation
package import Hummingbird
package import MicroMiddleware

/// Roots and proofs of a tenant's tree, for those who may read its trail.
package struct CheckpointController: Sendable {
    private let store: CheckpointStore
    private let reader: AuditReader
    private let keySet: @Sendable () -> String

    /// - Parameter keySet: the public keys that checkpoints are signed under, as a JWKS.
    package init(store: CheckpointStore, reader: AuditReader, keySet: @escaping @Sendable () -> String) {
        self.store = store
        self.reader = reader
        self.keySet = keySet
    }

    /// Adds `merkle-root` and `merkle-proof` to a group at `api/v1/admin/audit` that requires `audit:read`.
    package func addAdminRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("merkle-root", use: root)
        group.get("merkle-proof", use: proof)
    }

    /// Adds `public/checkpoint-keys` to a group at `api/v1`.
    package func addPublicRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.get("public/checkpoint-keys") { [keySet] _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "public, max-age=300"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: keySet())))
        }
    }

    @Sendable private func root(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MerkleRootView> {
        let size = try Self.number("tree_size", of: request)
        return Envelope(try await checkpoint(treeSize: size, context))
    }

    /// An inclusion proof by `sequence` or `record_id` in the tree of `tree_size` (the latest signed), or a consistency
    /// proof by `first` and `second`.
    @Sendable private func proof(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MerkleProofView> {
        if let first = try Self.number("first", of: request) {
            let second = try await checkpoint(treeSize: try Self.number("second", of: request), context).treeSize
            guard first <= second else { throw APIError.invalid("first", "must not be above second") }
            let ranges = MerkleTree.consistencyRanges(from: first, to: second)
            return Envelope(MerkleProofView(first: first, size: second, path: try await roots(ranges, context)))
        }
        let record = try await record(request, context)
        guard let sequence = record.link?.sequence else { throw APIError(.notFound) }
        let size = try await checkpoint(treeSize: try Self.number("tree_size", of: request), context).treeSize
        guard sequence <= size else {
            throw APIError(
                .conflict, "Record \(sequence) is not signed for yet: the tree has \(size). Try again in a minute.")
        }
        let ranges = MerkleTree.inclusionRanges(of: sequence - 1, in: size)
        return Envelope(MerkleProofView(record, size: size, path: try await roots(ranges, context)))
    }

    private func record(_ request: Request, _ context: AuthenticatedRequestContext) async throws -> AuditRecord {
        let tenant = context.identity.tenantID
        let record: AuditRecord?
        if let sequence = try Self.number("sequence", of: request) {
            record = try await reader.record(at: sequence, tenantID: tenant, deadline: context.deadline)
        } else {
            guard let text = request.uri.queryParameters["record_id"] else {
                throw APIError.invalid("record_id", "record_id or sequence is needed, or first and second")
            }
            guard let id = UUID(uuidString: String(text)) else { throw APIError.invalid("record_id", "must be a UUID") }
            record = try await reader.record(id, tenantID: tenant, deadline: context.deadline)
        }
        guard let record else { throw APIError(.notFound, "There is no such record.") }
        return record
    }

    private func checkpoint(
        treeSize: Int64?, _ context: AuthenticatedRequestContext
    ) async throws -> MerkleRootView {
        let found = try await store.checkpoint(
            of: context.identity.tenantID, treeSize: treeSize, deadline: context.deadline)
        guard let found else {
            throw APIError(.notFound, "There is no signed checkpoint of this size; the first comes within a minute.")
        }
        return MerkleRootView(tenantID: context.identity.tenantID.text, statement: found.statement, found.treeSize)
    }

    private func roots(
        _ ranges: [Range<Int64>], _ context: AuthenticatedRequestContext
    ) async throws -> [String] {
        let roots = try await store.roots(
            of: ranges, tenantID: context.identity.tenantID, deadline: context.deadline)
        guard let roots else { throw APIError(.conflict, "The trail has a hole: run authms audit verify.") }
        return roots.map { Hex.text($0) }
    }

    private static func number(_ name: String, of request: Request) throws -> Int64? {
        guard let text = request.uri.queryParameters[name[...]] else { return nil }
        guard let number = Int64(text), number > 0 else {
            throw APIError.invalid(name, "must be a whole number from 1")
        }
        return number
    }
}

/// A signed root. `statement` is a compact JWS over the same facts: it is what to check.
struct MerkleRootView: Encodable, Sendable {
    let tenantID: String
    let treeSize: Int64
    let statement: String

    init(tenantID: String, statement: String, _ treeSize: Int64) {
        self.tenantID = tenantID
        self.treeSize = treeSize
        self.statement = statement
    }

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case treeSize = "tree_size"
        case statement
    }
}

/// An inclusion proof, or with `first_size` a consistency proof. Hashes are hexadecimal, `path` in the order of RFC 9162.
struct MerkleProofView: Encodable, Sendable {
    var recordID: String?
    var leafIndex: Int64?
    /// The record's hash in the chain: what the leaf is made of.
    var recordHash: String?
    var firstSize: Int64?
    let treeSize: Int64
    let path: [String]

    init(_ record: AuditRecord, size: Int64, path: [String]) {
        recordID = record.id.text
        leafIndex = record.link.map { $0.sequence - 1 }
        recordHash = record.link.map { Hex.text($0.hash) }
        treeSize = size
        self.path = path
    }

    init(first: Int64, size: Int64, path: [String]) {
        firstSize = first
        treeSize = size
        self.path = path
    }

    enum CodingKeys: String, CodingKey {
        case recordID = "record_id"
        case leafIndex = "leaf_index"
        case recordHash = "record_hash"
        case firstSize = "first_size"
        case treeSize = "tree_size"
        case path
    }
}
