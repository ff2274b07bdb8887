/// A path pattern of the route document: literal segments, `*` for one segment, a trailing `/**` for the path itself
/// and everything below it.
package struct PathPattern: Sendable {
    private enum Segment: Sendable {
        case literal([UInt8])
        case any
    }

    private let segments: [Segment]
    private let isSubtree: Bool

    /// - Throws: `RouteError` when the pattern does not begin with `/` or has an empty segment.
    package init(_ text: String) throws(RouteError) {
        guard text.utf8.first == Ascii.slash, text.utf8.count > 1 else {
            throw RouteError("the path pattern \"\(text)\" must begin with / and name a segment")
        }
        var parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.contains("") else { throw RouteError("the path pattern \"\(text)\" has an empty segment") }
        isSubtree = parts.last == "**"
        if isSubtree { parts.removeLast() }
        segments = parts.map { $0 == "*" ? .any : .literal(Array($0.utf8)) }
    }

    /// Whether the path at `range` of `bytes` (which begins with its `/`) is one that the pattern names.
    package func matches(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        for segment in segments {
            guard index < range.upperBound, bytes[index] == Ascii.slash else { return false }
            let start = index + 1
            var end = start
            while end < range.upperBound, bytes[end] != Ascii.slash { end += 1 }
            switch segment {
            case .any: if end == start { return false }
            case .literal(let literal): if !Ascii.equal(bytes, start..<end, literal) { return false }
            }
            index = end
        }
        return index == range.upperBound || isSubtree
    }
}
