import Contracts
package import Foundation
package import MicroMiddleware

/// What the audit service states of a tenant's chain at a moment: so many records, with this root and this head.
///
/// Signed and kept elsewhere it shows a tail that was cut off, and a chain that was written anew from end to end.
package struct Checkpoint: Sendable, Hashable {
    /// The `typ` of the statement's header.
    package static let type = "authms-checkpoint+jwt"

    package let tenantID: UUID
    /// How many records: the sequence of the last.
    package let treeSize: Int64
    package let rootHash: MerkleTree.Hash
    package let chainHash: [UInt8]
    /// Whole seconds.
    package let signedAt: Date
    /// The compact JWS; its payload is the fields above.
    package let statement: String

    /// Signs.
    package init(
        tenantID: UUID, treeSize: Int64, rootHash: MerkleTree.Hash, chainHash: [UInt8], signedAt: Date, ring: KeyRing
    ) throws {
        self.tenantID = tenantID
        self.treeSize = treeSize
        self.rootHash = rootHash
        self.chainHash = chainHash
        self.signedAt = Date(timeIntervalSince1970: signedAt.timeIntervalSince1970.rounded(.down))
        let claims = Claims(
            tenantID: tenantID.text, treeSize: treeSize, rootHash: Hex.text(rootHash),
            chainHash: Hex.text(chainHash), issuedAt: Int64(self.signedAt.timeIntervalSince1970))
        statement = try SignedStatement.sign(claims, type: Self.type, ring: ring)
    }

    /// Reads a statement whose signature holds.
    ///
    /// - Throws: `TokenError`, `DecodingError`.
    package init(statement: String, ring: KeyRing) throws {
        let claims = try SignedStatement.verify(statement, type: Self.type, ring: ring, as: Claims.self)
        guard let tenantID = UUID(uuidString: claims.tenantID), let root = Hex.bytes(claims.rootHash, count: 32),
            let chain = Hex.bytes(claims.chainHash, count: 32), claims.treeSize > 0
        else { throw TokenError.badJSON(.claims) }
        self.tenantID = tenantID
        treeSize = claims.treeSize
        rootHash = root
        chainHash = chain
        signedAt = Date(timeIntervalSince1970: Double(claims.issuedAt))
        self.statement = statement
    }

    private struct Claims: Codable {
        let tenantID: String
        let treeSize: Int64
        let rootHash: String
        let chainHash: String
        let issuedAt: Int64

        enum CodingKeys: String, CodingKey {
            case tenantID = "tenant_id"
            case treeSize = "tree_size"
            case rootHash = "root_hash"
            case chainHash = "chain_hash"
            case issuedAt = "iat"
        }
    }
}
