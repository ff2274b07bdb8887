/// A request target (RFC 9112 §3.2) that passed the gateway's strict reading, cut where routing needs it.
///
/// The gateway does not normalise: two readings of one path are how requests slip past a rule, so whatever another
/// reader could take for a different path is refused. That is: an empty segment, a dot segment, a backslash, a
/// control or non-ASCII byte, a fragment, a broken percent-encoding, and a percent-encoding of an unreserved
/// character, of `/`, `\`, `%` or of a control (RFC 3986 §6.2.2).
package struct RequestTarget: Equatable, Sendable {
    /// Offset of the first byte of the path: not 0 only for the absolute form (`http://host/path`).
    package var pathStart: Int
    /// Offset one past the path: the `?` or the end.
    package var pathEnd: Int

    /// Reads a target, or returns nil when it must be answered with 400.
    package static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> RequestTarget? {
        guard let start = pathStart(of: bytes), start < bytes.count, bytes[start] == Ascii.slash else { return nil }
        var index = start + 1
        var segmentStart = index
        while index < bytes.count {
            let byte = bytes[index]
            if byte == Ascii.slash {
                guard isPlainSegment(bytes, segmentStart..<index) else { return nil }
                segmentStart = index + 1
            } else if byte == Ascii.percent {
                guard isHarmlessEscape(bytes, at: index) else { return nil }
                index += 2
            } else if byte == Ascii.question {
                break
            } else if !isPathByte(byte) {
                return nil
            }
            index += 1
        }
        // A trailing slash is allowed here (the service decides what it means), two are not.
        guard index == segmentStart || isPlainSegment(bytes, segmentStart..<index) else { return nil }
        guard isCleanQuery(bytes, from: index) else { return nil }
        return RequestTarget(pathStart: start, pathEnd: index)
    }

    /// The offset where the path begins: 0, or past the authority of an absolute-form target.
    private static func pathStart(of bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        if first == Ascii.slash { return 0 }
        for scheme in ["http://", "https://"] where Ascii.hasPrefix(bytes, scheme, ignoringCase: true) {
            var index = scheme.utf8.count
            while index < bytes.count, bytes[index] != Ascii.slash {
                guard isPathByte(bytes[index]), bytes[index] != UInt8(ascii: "@") else { return nil }
                index += 1
            }
            return index == scheme.utf8.count ? nil : index
        }
        return nil
    }

    /// A segment is neither empty nor `.` nor `..`.
    private static func isPlainSegment(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        switch range.count {
        case 0: false
        case 1: bytes[range.lowerBound] != Ascii.dot
        case 2: !(bytes[range.lowerBound] == Ascii.dot && bytes[range.lowerBound + 1] == Ascii.dot)
        default: true
        }
    }

    /// `pchar` of RFC 3986 without `;`, whose path parameters no service of ours has.
    private static func isPathByte(_ byte: UInt8) -> Bool {
        if Ascii.isUnreserved(byte) { return true }
        return switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "="),
            UInt8(ascii: ":"), UInt8(ascii: "@"):
            true
        default: false
        }
    }

    /// Whether the escape at `index` encodes a byte that had to be encoded and that no reader takes for structure.
    private static func isHarmlessEscape(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        guard index + 2 < bytes.count, let high = Ascii.hexValue(bytes[index + 1]),
            let low = Ascii.hexValue(bytes[index + 2])
        else { return false }
        let byte = high << 4 | low
        if byte < 0x20 || byte == 0x7F || Ascii.isUnreserved(byte) { return false }
        return byte != Ascii.slash && byte != Ascii.backslash && byte != Ascii.percent
    }

    /// The query is passed on as it is; it may hold any visible ASCII byte but `#`.
    private static func isCleanQuery(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
        var index = start
        while index < bytes.count {
            guard bytes[index] > 0x20, bytes[index] < 0x7F, bytes[index] != UInt8(ascii: "#") else { return false }
            index += 1
        }
        return true
    }
}
