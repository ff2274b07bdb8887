package import Foundation

/// How often, and when, a refresh token was given back by a fallback: a refresh was answered without the session database, so
/// that nobody could say then whether the database had exchanged the token all the same.
///
/// The token carries this itself, so that its owner is known for honest without anybody's having to be told: an exchange that
/// happened around one of these moments, of an earlier edition of the token, had no answer, or its owner would not have gone
/// on to the fallback. It helps nobody else: an exchange at any other moment was answered, and whoever comes with the
/// token of before has it from somewhere.
package struct RefreshFallbacks: Sendable, Hashable {
    /// How long before a fallback's answer the exchange that it stands in for may have happened, and how long after. A request
    /// is with the session service for two seconds at most; the rest is what two machines' clocks may differ by.
    private static let before: TimeInterval = 11
    private static let after: TimeInterval = 5
    /// More are put together: the two that are nearest to each other.
    private static let maximumSpanCount = 8

    /// Which edition of its generation the token is: the one that the session service gave is 0.
    package private(set) var edition: UInt32 = 0
    /// The moments, in whole milliseconds; those whose surroundings overlap are one span.
    private(set) var spans: [ClosedRange<Date>] = []

    /// Of a token that the session service gave.
    package static let none = RefreshFallbacks()

    package init() {}

    /// The edition that a fallback gives out at a moment.
    /// - Parameter earlier: when it answered the same token before, and the answer may not have arrived.
    package func noting(_ time: Date, earlier: [Date] = []) -> RefreshFallbacks {
        var next = self
        next.edition = edition == .max ? .max : edition + 1
        for time in earlier + [time] {
            let moment = Date(timeIntervalSince1970: (time.timeIntervalSince1970 * 1_000).rounded() / 1_000)
            next.spans.append(moment...moment)
        }
        next.spans.sort { $0.lowerBound < $1.lowerBound }
        next.join(within: Self.before + Self.after)
        while next.spans.count > Self.maximumSpanCount { next.joinNearest() }
        return next
    }

    /// Whether an exchange at a moment is one that a fallback stood in for.
    package func cover(_ exchange: Date) -> Bool {
        spans.contains { $0.lowerBound - Self.before <= exchange && exchange <= $0.upperBound + Self.after }
    }

    /// The moments at which an exchange may have happened that a fallback answered at `time`.
    package static func surroundings(of time: Date) -> ClosedRange<Date> {
        (time - before)...(time + after)
    }

    /// Makes one of those that are no further from each other than `reach`.
    private mutating func join(within reach: TimeInterval) {
        var joined: [ClosedRange<Date>] = []
        for span in spans {
            if let last = joined.last, span.lowerBound <= last.upperBound + reach {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
            } else {
                joined.append(span)
            }
        }
        spans = joined
    }

    private mutating func joinNearest() {
        let gaps = zip(spans, spans.dropFirst()).map { $1.lowerBound.timeIntervalSince($0.upperBound) }
        guard let index = gaps.indices.min(by: { gaps[$0] < gaps[$1] }) else { return }
        let next = spans.remove(at: index + 1)
        spans[index] = spans[index].lowerBound...max(spans[index].upperBound, next.upperBound)
    }

    /// As it was written.
    init?(edition: UInt64, spans: [ClosedRange<Date>]) {
        guard let edition = UInt32(exactly: edition), edition > 0, !spans.isEmpty, spans.count <= Self.maximumSpanCount
        else { return nil }
        self.edition = edition
        self.spans = spans.sorted { $0.lowerBound < $1.lowerBound }
    }
}

extension RefreshToken {
    /// The token as a fallback gives it back at a moment: of the same session, generation and expiry; `nil` where there is no
    /// grant that could say so.
    /// - Parameter earlier: when the same token was given back before, and may not have arrived.
    package func givenBack(at time: Date, earlier: [Date] = []) -> RefreshToken? {
        guard var grant else { return nil }
        grant.fallbacks = grant.fallbacks.noting(time, earlier: earlier)
        guard grant.bytes != nil else { return nil }
        var token = self
        token.grant = grant
        return token
    }
}

extension RefreshTokenCodec {
    /// The text that a fallback gives back for a token; the text it came as where no other can be written.
    package func givenBack(
        _ token: RefreshToken, text: String, at time: Date, earlier: [Date] = []
    ) -> String {
        guard let next = token.givenBack(at: time, earlier: earlier) else { return text }
        return (try? encode(next)) ?? text
    }
}
