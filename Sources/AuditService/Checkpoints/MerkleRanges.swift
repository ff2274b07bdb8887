/// The roots of several ranges of leaves, from one pass over the blocks that lie within them and one over the leaves that
/// remain, each in their order.
package struct MerkleRanges: Sendable {
    private struct Part {
        let range: Range<Int64>
        var frontier = MerkleFrontier()
        /// Whole blocks at its beginning; a range that does not begin with one has none.
        var blocks: Range<Int64>
        /// The leaves that are to be read.
        var leaves: Range<Int64> { (range.lowerBound + Int64(blocks.count) * MerkleTree.blockSize)..<range.upperBound }
    }

    /// By their lower bounds.
    private var parts: [Part]
    /// Where in `parts` the range is that was given first, second …
    private let order: [Int]
    private var position = 0

    /// - Parameters:
    ///   - ranges: disjoint and not empty, in any order.
    ///   - usesBlocks: without them everything is read leaf by leaf.
    package init(_ ranges: [Range<Int64>], usesBlocks: Bool = false) {
        let sorted = ranges.indices.sorted { ranges[$0].lowerBound < ranges[$1].lowerBound }
        parts = sorted.map { index in
            let range = ranges[index]
            let size = MerkleTree.blockSize
            let isAligned = usesBlocks && range.lowerBound % size == 0
            let first = range.lowerBound / size
            return Part(range: range, blocks: first..<(isAligned ? range.upperBound / size : first))
        }
        var order = [Int](repeating: 0, count: ranges.count)
        for (place, index) in sorted.enumerated() { order[index] = place }
        self.order = order
    }

    /// Which blocks are to be given to ``add(block:at:)``: the rising runs of their numbers.
    package var blocks: [Range<Int64>] { parts.map(\.blocks).filter { !$0.isEmpty } }

    /// Which leaves are to be given to ``add(_:at:)`` then: rising, neighbours joined.
    package var leaves: [Range<Int64>] {
        parts.map(\.leaves).filter { !$0.isEmpty }.reduce(into: []) { joined, next in
            if let last = joined.last, next.lowerBound - last.upperBound <= 1 {
                joined[joined.count - 1] = last.lowerBound..<next.upperBound
            } else {
                joined.append(next)
            }
        }
    }

    /// Takes the next block; their numbers rise.
    package mutating func add(block root: MerkleTree.Hash, at number: Int64) {
        guard let index = parts.firstIndex(where: { $0.blocks.contains(number) }),
            parts[index].frontier.size == (number - parts[index].blocks.lowerBound) * MerkleTree.blockSize
        else { return }
        parts[index].frontier.append(block: root)
    }

    /// Whether every block was there.
    package var hasAllBlocks: Bool {
        parts.allSatisfy { $0.frontier.size >= Int64($0.blocks.count) * MerkleTree.blockSize }
    }

    /// Takes the next leaf; the indices rise.
    package mutating func add(_ data: [UInt8], at index: Int64) {
        while position < parts.count, parts[position].range.upperBound <= index { position += 1 }
        guard position < parts.count, parts[position].leaves.contains(index) else { return }
        parts[position].frontier.append(data)
    }

    /// The roots in the order of the ranges; nil when leaves were missing.
    package var roots: [MerkleTree.Hash]? {
        guard parts.allSatisfy({ Int64($0.range.count) == $0.frontier.size }) else { return nil }
        return order.map { parts[$0].frontier.root }
    }
}
