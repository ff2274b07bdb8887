import AuditService
import Contracts
import Crypto
import Testing

@Suite("The Merkle tree of RFC 9162")
struct MerkleTreeTests {
    /// MTH of section 2.1.1, word for word.
    private static func root(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        guard leaves.count > 1 else {
            return leaves.first.map { Array(SHA256.hash(data: [0] + $0)) } ?? Array(SHA256.hash(data: [UInt8]()))
        }
        var k = 1
        while k * 2 < leaves.count { k *= 2 }
        let middle = leaves.startIndex + k
        return Array(SHA256.hash(data: [1] + root(leaves[..<middle]) + root(leaves[middle...])))
    }

    private static let leaves: [[UInt8]] = (0..<70).map { [UInt8]($0 % 3 == 0 ? [] : [UInt8($0), 7]) }

    private static func roots(_ ranges: [Range<Int64>], of size: Int) throws -> [[UInt8]] {
        var pass = MerkleRanges(ranges)
        for (index, leaf) in leaves[..<size].enumerated() { pass.add(leaf, at: Int64(index)) }
        return try #require(pass.roots)
    }

    @Test("A tree that grew leaf by leaf has the root of the definition, also when it was stored on the way")
    func grows() throws {
        var frontier = MerkleFrontier()
        #expect(frontier.root == Self.root([]))
        for (index, leaf) in Self.leaves.enumerated() {
            frontier.append(leaf)
            #expect(frontier.root == Self.root(Self.leaves[...index]))
            frontier = try #require(MerkleFrontier(size: frontier.size, bytes: frontier.bytes))
        }
        #expect(MerkleFrontier(size: 3, bytes: [UInt8](repeating: 0, count: 32)) == nil)
    }

    /// The published vectors of Certificate Transparency's reference implementation: eight leaves, one root.
    @Test("The root of the known eight leaves is the known one")
    func vector() {
        let leaves = [
            "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ]
        var frontier = MerkleFrontier()
        for leaf in leaves { frontier.append(Hex.bytes(leaf, count: leaf.count / 2) ?? []) }
        #expect(Hex.text(frontier.root) == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
    }

    /// Section 2.1.3.2.
    @Test("Every inclusion proof leads to the root")
    func inclusion() throws {
        for size in [1, 2, 3, 7, 8, 70] {
            for index in 0..<size {
                let path = try Self.roots(MerkleTree.inclusionRanges(of: Int64(index), in: Int64(size)), of: size)
                var (fn, sn, hash) = (index, size - 1, MerkleTree.leaf(Self.leaves[index]))
                for node in path {
                    if fn & 1 == 1 || fn == sn {
                        hash = MerkleTree.node(node, hash)
                        while fn & 1 == 0, fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
                    } else {
                        hash = MerkleTree.node(hash, node)
                    }
                    (fn, sn) = (fn >> 1, sn >> 1)
                }
                #expect(sn == 0 && hash == Self.root(Self.leaves[..<size]), "\(index) in \(size)")
            }
        }
    }

    /// Section 2.1.4.2.
    @Test("Every consistency proof leads to both roots")
    func consistency() throws {
        for second in [2, 3, 7, 8, 70] {
            for first in 1..<second {
                var path = try Self.roots(
                    MerkleTree.consistencyRanges(from: Int64(first), to: Int64(second)), of: second)
                if first & (first - 1) == 0 { path.insert(Self.root(Self.leaves[..<first]), at: 0) }
                var (fn, sn) = (first - 1, second - 1)
                while fn & 1 == 1 { (fn, sn) = (fn >> 1, sn >> 1) }
                var (fr, sr) = (path[0], path[0])
                for node in path.dropFirst() {
                    if fn & 1 == 1 || fn == sn {
                        (fr, sr) = (MerkleTree.node(node, fr), MerkleTree.node(node, sr))
                        while fn & 1 == 0, fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
                    } else {
                        sr = MerkleTree.node(sr, node)
                    }
                    (fn, sn) = (fn >> 1, sn >> 1)
                }
                #expect(sn == 0 && fr == Self.root(Self.leaves[..<first]) && sr == Self.root(Self.leaves[..<second]))
            }
        }
        #expect(MerkleTree.consistencyRanges(from: 5, to: 5).isEmpty)
    }
}
