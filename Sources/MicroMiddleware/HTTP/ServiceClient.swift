/// Calls one service of the suite: JSON both ways, the deadline and the trace handed on, the caller proven.
///
/// Idempotent calls are tried again, with jitter, while less than a tenth of the recent calls were retries; a breaker
/// refuses at once what a dead target would only have delayed.
package final class ServiceClient: Sendable {
    /// The service that is called: `session`.
    package let target: String

    /// - Parameters:
    ///   - baseURL: `http://127.0.0.1:11004`.
    ///   - credential: Gives the credential for the target, from the cache where it can.
    package init(target: String, baseURL: String, credential: @escaping @Sendable () throws -> String) {
        self.target = target
    }

    /// Reads `data` of the answer's envelope.
    /// - Throws: ``ServiceCallError``
    package func get<Answer: Decodable & Sendable>(
        _ path: String, as type: Answer.Type, scope: RequestScope
    ) async throws(ServiceCallError) -> Answer {
        preconditionFailure("not written yet")
    }

    /// Sends `body` and reads `data` of the answer's envelope.
    /// - Parameter isIdempotent: Whether doing it twice is as good as once, so that it may be tried again.
    /// - Throws: ``ServiceCallError``
    package func post<Answer: Decodable & Sendable>(
        _ path: String, body: some Encodable & Sendable, as type: Answer.Type, scope: RequestScope,
        isIdempotent: Bool = false
    ) async throws(ServiceCallError) -> Answer {
        preconditionFailure("not written yet")
    }

    /// Whether the breaker would let a call through: for readiness and for choosing a degraded path early.
    package var isAvailable: Bool { true }
}

/// An answer without `data`, or one whose data the caller does not need.
package struct NoAnswer: Sendable, Codable {
    package init() {}
    package init(from decoder: any Decoder) {}
}

/// A call that did not give what it was made for.
package enum ServiceCallError: Error, Sendable {
    /// No answer: refused, broken, or the breaker is open. Whether the target has acted is unknown when `mayHaveActed`.
    case unavailable(target: String, mayHaveActed: Bool)
    /// No answer in time. The target may have acted.
    case deadlineExceeded(target: String)
    /// The target refused: its status and its envelope.
    case rejected(target: String, status: Int, envelope: ErrorEnvelope?)
    /// An answer that is not what was agreed.
    case unreadable(target: String, reason: String)
    /// The caller's task was cancelled.
    case cancelled
}
