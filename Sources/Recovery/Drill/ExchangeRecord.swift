/// One record of the trail about an exchange of a session's refresh token.
package struct ExchangeRecord: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case exchanged
        /// In the place of one that nobody had the answer of: a fallback had given the token back.
        case regained
        /// The exchange was taken back.
        case undone
    }

    package var kind: Kind
    package var session: String
    /// Of the token that the exchange gave; `nil` where the record does not say.
    package var generation: Int64?
    /// Of the token that was exchanged.
    package var edition: Int64?
    /// In the session service's stream. What happens to one session happens under its row's lock, so in this order.
    package var position: Int64

    package init(_ kind: Kind, session: String, generation: Int64?, edition: Int64? = nil, position: Int64) {
        self.kind = kind
        self.session = session
        self.generation = generation
        self.edition = edition
        self.position = position
    }

    /// How often one request was acted on, by the records of its exchanges: 1 where all but one of them are accounted for.
    ///
    /// An exchange whose answer was lost is taken back, and done again under the same id; or it stands, and another gives the
    /// owner a successor in its place. Each of these accounts for one record, and only for one of the same session and token
    /// that came just before it: what is undone later does not explain a second record that was there by then. An exchange that
    /// was taken back in the end counts all the same: its owner had the answer after all.
    ///
    /// - Parameter undone: of the sessions of `exchanges`, under whichever request's id: identity tells session of several
    ///   at once.
    package static func count(_ exchanges: [ExchangeRecord], undone: [ExchangeRecord]) -> Int {
        var count = 0
        for group in Dictionary(grouping: exchanges, by: { [$0.session, $0.generation.map { "\($0)" }] }).values {
            let undoing = undone.filter { undone in group.contains { undone.concerns($0) } }
            var standing: ExchangeRecord?
            var isFirst = true
            for record in (group + undoing).sorted(by: { $0.position < $1.position }) {
                guard record.kind != .undone else {
                    standing = nil
                    continue
                }
                let isExplained = standing.map(record.replaces) ?? !isFirst
                if !isExplained { count += 1 }
                (standing, isFirst) = (record, false)
            }
        }
        return count
    }

    private func concerns(_ other: ExchangeRecord) -> Bool {
        session == other.session && (generation == nil || other.generation == nil || generation == other.generation)
    }

    /// Whether this exchange is in the place of that one: once for each edition of a token.
    private func replaces(_ other: ExchangeRecord) -> Bool {
        guard kind == .regained else { return false }
        guard let edition, let before = other.edition else { return true }
        return edition > before
    }
}
