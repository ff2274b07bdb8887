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
    package func noting(_ time: Date) -> RefreshFallbacks {
        let moment = Date(timeIntervalSince1970: (time.timeIntervalSince1970 * 1_000).rounded() / 1_000)
        var next = self
        next.edition = edition == .max ? .max : edition + 1
        let reach = Self.before + Self.after
        if let last = spans.last, moment >= last.lowerBound - reach, moment <= last.upperBound + reach {
            next.spans[spans.count - 1] = min(last.lowerBound, moment)...max(last.upperBound, moment)
        } else {
            next.spans.append(moment...moment)
        }
        if next.spans.count > Self.maximumSpanCount { next.joinNearest() }
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

    private mutating func joinNearest() {
        func gap(_ index: Int) -> TimeInterval {
            spans[index + 1].lowerBound.timeIntervalSince(spans[index].upperBound)
        }
        guard let index = spans.indices.dropLast().min(by: { gap($0) < gap($1) }) else { return }
        let (one, other) = (spans[index], spans.remove(at: index + 1))
        spans[index] = min(one.lowerBound, other.lowerBound)...max(one.upperBound, other.upperBound)
    }

    /// As it was written.
    init?(edition: UInt64, spans: [ClosedRange<Date>]) {
        guard let edition = UInt32(exactly: edition), edition > 0, !spans.isEmpty, spans.count <= Self.maximumSpanCount
        else { return nil }
        self.edition = edition
        self.spans = spans
    }
}

extension RefreshToken {
    /// The token as a fallback gives it back at a moment: of the same session, generation and expiry; `nil` where there is no
    /// grant that could say so.
    package func givenBack(at time: Date) -> RefreshToken? {
        guard var grant else { return nil }
        grant.fallbacks = grant.fallbacks.noting(time)
        guard grant.bytes != nil else { return nil }
        var token = self
        token.grant = grant
        return token
    }
}

extension RefreshTokenCodec {
    /// The text that a fallback gives back for a token; the text it came as where no other can be written.
    package func givenBack(_ token: RefreshToken, text: String, at time: Date) -> String {
        guard let next = token.givenBack(at: time), let written = try? encode(next) else { return text }
        return written
    }
}
