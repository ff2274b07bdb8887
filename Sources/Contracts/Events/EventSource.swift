/// A service whose database holds an outbox and so a stream of events of its own.
package enum EventSource: String, Sendable, Hashable, CaseIterable, Codable {
    case identity, session, profile, mfa, audit

    /// The CloudEvents `source` (a URI reference): `/authms/identity`.
    package var uri: String { "/authms/\(rawValue)" }

    /// The source that a CloudEvents `source` names, or nil when it is none of ours.
    package init?(uri: some StringProtocol) {
        guard uri.hasPrefix("/authms/") else { return nil }
        self.init(rawValue: String(uri.dropFirst("/authms/".count)))
    }
}
