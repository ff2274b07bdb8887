package import Foundation

/// What Redis holds under a key: a value or that there is none, until when, and what it cost to find out.
///
/// Whether it is refreshed before it expires is drawn anew for each reader, the likelier the closer the end is and the more
/// the load costs: XFetch of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB
/// 2015, with its β of 1. So a hot key is loaded by one reader shortly before it expires, not by all of them afterwards.
package struct CacheEntry: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        /// The value, encoded.
        case value([UInt8])
        /// That there is none: also an answer.
        case absent
        /// It is being changed at this moment: neither read nor filled.
        case changing
    }

    /// A load is taken to cost at least this: a key that is asked a hundred times a second is then refreshed in time.
    static let leastCost = Duration.milliseconds(20)
    private static let version: UInt8 = 1
    private static let headCount = 14

    package var content: Content
    package var expiresAt: Date
    package var cost: Duration

    package init(_ content: Content, expiresAt: Date, cost: Duration = .zero) {
        self.content = content
        self.expiresAt = expiresAt
        self.cost = cost
    }

    /// Whether the reader that drew `random`, from 0 to 1, loads the value anew.
    package func isDue(at now: Date, random: Double) -> Bool {
        let gap = max(cost, Self.leastCost) / .seconds(1) * -log(max(random, .leastNormalMagnitude))
        return now.addingTimeInterval(gap) >= expiresAt
    }

    /// Version (1) ‖ kind (1) ‖ expiry in ms since 1970 (8) ‖ cost in µs (4) ‖ value.
    package var bytes: [UInt8] {
        var bytes = [Self.version, 0]
        withUnsafeBytes(of: Int64((expiresAt.timeIntervalSince1970 * 1_000).rounded()).bigEndian) { bytes += $0 }
        withUnsafeBytes(of: UInt32(clamping: Int(cost / .microseconds(1))).bigEndian) { bytes += $0 }
        switch content {
        case .value(let value):
            bytes[1] = 1
            bytes += value
        case .absent: bytes[1] = 0
        case .changing: bytes[1] = 2
        }
        return bytes
    }

    /// `nil` for what was not written by this version.
    package init?(bytes: [UInt8]) {
        guard bytes.count >= Self.headCount, bytes[0] == Self.version else { return nil }
        switch bytes[1] {
        case 0: content = .absent
        case 1: content = .value(Array(bytes[Self.headCount...]))
        case 2: content = .changing
        default: return nil
        }
        let milliseconds = Int64(bitPattern: Self.integer(bytes[2..<10]))
        expiresAt = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        cost = .microseconds(Int64(Self.integer(bytes[10..<14])))
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
