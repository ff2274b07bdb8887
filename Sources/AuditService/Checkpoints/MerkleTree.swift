import Crypto

/// The Merkle tree of RFC 9162 section 2.1.1 over SHA-256: hashes of leaves and nodes.
package enum MerkleTree {
    package typealias Hash = [UInt8]

    /// Perfect subtrees of so many leaves are remembered: 1,024.
    package static let blockLevel = 10
    package static let blockSize = Int64(1) << blockLevel

    /// The root of a tree without leaves.
    package static let empty: Hash = Array(SHA256.hash(data: [UInt8]()))

    package static func leaf(_ data: [UInt8]) -> Hash {
        Array(SHA256.hash(data: [0] + data))
    }

    package static func node(_ left: Hash, _ right: Hash) -> Hash {
        Array(SHA256.hash(data: [1] + left + right))
    }

    /// The leaves under each node of the inclusion proof of a leaf, in the proof's order (RFC 9162 section 2.1.3.1).
    ///
    /// - Precondition: `0 <= index < size`.
    package static func inclusionRanges(of index: Int64, in size: Int64) -> [Range<Int64>] {
        precondition(index >= 0 && index < size, "the leaf is in the tree")
        var ranges: [Range<Int64>] = []
        var (start, end) = (Int64(0), size)
        while end - start > 1 {
            let middle = start + split(end - start)
            if index < middle {
                ranges.append(middle..<end)
                end = middle
            } else {
                ranges.append(start..<middle)
                start = middle
            }
        }
        return ranges.reversed()
    }

    /// The leaves under each node of the consistency proof between two trees, in the proof's order (RFC 9162
    /// section 2.1.4.1). Empty when they are the same.
    ///
    /// - Precondition: `0 < first <= second`.
    package static func consistencyRanges(from first: Int64, to second: Int64) -> [Range<Int64>] {
        precondition(first > 0 && first <= second, "the first tree is a part of the second")
        var ranges: [Range<Int64>] = []
        var (start, end) = (Int64(0), second)
        var isWhole = true
        while first < end {
            let middle = start + split(end - start)
            if first <= middle {
                ranges.append(middle..<end)
                end = middle
            } else {
                ranges.append(start..<middle)
                start = middle
                isWhole = false
            }
        }
        if !isWhole { ranges.append(start..<end) }
        return ranges.reversed()
    }

    /// The largest power of two below `count`, which is 2 or more.
    private static func split(_ count: Int64) -> Int64 {
        1 << (Int64.bitWidth - 1 - (count - 1).leadingZeroBitCount)
    }
}

/// A tree that grows at its end, known by the roots of its perfect subtrees alone: 63 hashes at most.
package struct MerkleFrontier: Sendable, Hashable {
    /// How many leaves.
    package private(set) var size: Int64 = 0
    /// The largest first; as many as `size` has bits that are set.
    private var peaks: [MerkleTree.Hash] = []

    package init() {}

    /// Reads ``bytes``.
    package init?(size: Int64, bytes: [UInt8]) {
        guard size >= 0, bytes.count == size.nonzeroBitCount * 32 else { return nil }
        self.size = size
        peaks = stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<($0 + 32)]) }
    }

    package var bytes: [UInt8] { peaks.flatMap(\.self) }

    /// - Returns: the root of the perfect subtree of ``MerkleTree/blockSize`` leaves that is complete with this one.
    @discardableResult
    package mutating func append(_ data: [UInt8]) -> MerkleTree.Hash? {
        carry(MerkleTree.leaf(data), level: 0)
    }

    /// Appends ``MerkleTree/blockSize`` leaves, of which the root is known.
    ///
    /// - Precondition: `size` is a multiple of that.
    package mutating func append(block root: MerkleTree.Hash) {
        precondition(size % MerkleTree.blockSize == 0, "a block begins where one ends")
        carry(root, level: MerkleTree.blockLevel)
    }

    @discardableResult
    private mutating func carry(_ root: MerkleTree.Hash, level: Int) -> MerkleTree.Hash? {
        var hash = root
        var level = level
        var rest = size >> level
        let added = Int64(1) << level
        var block: MerkleTree.Hash?
        while rest & 1 == 1, let left = peaks.popLast() {
            hash = MerkleTree.node(left, hash)
            rest >>= 1
            level += 1
            if level == MerkleTree.blockLevel { block = hash }
        }
        peaks.append(hash)
        size += added
        return block
    }

    package var root: MerkleTree.Hash {
        guard var hash = peaks.last else { return MerkleTree.empty }
        for left in peaks.dropLast().reversed() { hash = MerkleTree.node(left, hash) }
        return hash
    }
}
