import Foundation

/// What became of everything that was acknowledged.
package struct Reckoning: Sendable, Codable {
    /// How a sign-out is recorded.
    static let signedOut = "session.revoked"
    static let refreshed = "session.refreshed"
    static let undone = "session.rotation.undone"
    /// Of an exchange by a token that a fallback had given back: the one before stood, and nobody had its answer.
    static let regained = "given_back_by_fallback"
    /// How many examples of what is wrong are kept.
    private static let examples = 20

    /// Acknowledged changes, by the action that records each.
    package internal(set) var acknowledged: [String: Int] = [:]
    /// Those without a record, and those with more than one; and a few of them.
    package internal(set) var missing = 0
    package internal(set) var doubled = 0
    package internal(set) var unrecorded: [String] = []
    /// Streams with a gap, a broken link, or a head that the trail has not reached.
    package internal(set) var streams: [String] = []
    /// What is wrong with the trail's chains and checkpoints, if anything is.
    package internal(set) var trail: String?
    /// Acknowledged sessions that were refused afterwards.
    package internal(set) var lostSessions: [String] = []
    /// Signed-out tokens that were taken, and passwords that were taken where a second factor was due.
    package internal(set) var acceptedTokens: [String] = []

    package var recordsAreExact: Bool { missing == 0 && doubled == 0 }

    package var isClean: Bool {
        recordsAreExact && streams.isEmpty && trail == nil && lostSessions.isEmpty && acceptedTokens.isEmpty
    }

    /// All acknowledged changes.
    package var changes: Int { acknowledged.values.reduce(0, +) }

    /// In one line each, for people: the sum, and what is wrong.
    package var lines: [String] {
        let kinds = acknowledged.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        var lines = [
            "\(changes) changes acknowledged (\(kinds)); \(missing) without a record, \(doubled) with more than one.",
            streams.isEmpty && trail == nil
                ? "Every stream is complete and linked, and the trail verifies."
                : "The trail is not whole: " + (streams + [trail].compactMap(\.self)).joined(separator: "; "),
            "\(lostSessions.count) sessions lost, \(acceptedTokens.count) let in who should not be.",
        ]
        lines += (unrecorded + lostSessions + acceptedTokens).prefix(Self.examples).map { "  ✘ \($0)" }
        return lines
    }

    mutating func compare(_ changes: [Ledger.Change], _ records: [Reckoner.Recorded]) {
        (missing, doubled, unrecorded) = (0, 0, [])
        for (change, record) in zip(changes, records) where record.count != 1 {
            if record.count == 0 { missing += 1 } else { doubled += 1 }
            guard unrecorded.count < Self.examples else { continue }
            let second = Int(change.at)
            unrecorded.append("\(change.action) \(change.key) of second \(second) has \(record.count) records")
        }
    }
}
