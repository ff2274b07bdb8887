/// One request of the load, and what became of it.
package struct Sample: Sendable {
    package enum Outcome: String, Sendable, Codable {
        case works, degraded, refused
        /// None of these: no answer, another status, or a 503 that does not say when to come back.
        case broken
    }

    /// How long an answer may take, whatever it is, in milliseconds.
    package static let latencyLimit_ms = 2_500.0

    package let capability: Capability
    /// The service that was asked, for a read.
    package let service: String
    /// Seconds since the load began: when it was meant to be sent, so that a generator that falls behind hides nothing.
    package let at: Double
    package let latency_ms: Double
    package let outcome: Outcome
    /// The status, or what went wrong.
    package let detail: String

    package init(
        _ capability: Capability, service: String = "", at: Double, latency_ms: Double = 0, outcome: Outcome,
        detail: String
    ) {
        self.capability = capability
        self.service = service
        self.at = at
        self.latency_ms = latency_ms
        self.outcome = outcome
        self.detail = detail
    }

    /// Whether this is as good as promised, in time.
    package func keeps(_ promise: Promise) -> Bool {
        guard latency_ms <= Self.latencyLimit_ms else { return false }
        switch outcome {
        case .works: return true
        case .degraded: return promise >= .degraded
        case .refused: return promise == .refused
        case .broken: return false
        }
    }
}
