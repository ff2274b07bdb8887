internal import Contracts

/// A call that did not give what it was made for.
package enum ServiceCallError: Error, Sendable {
    /// No answer: refused, broken, or the breaker is open; or it said that it has not acted on the request. Whether the target has acted is unknown when `mayHaveActed`.
    case unavailable(target: String, mayHaveActed: Bool)
    /// Not called: as many calls to the target as may be are under way.
    case overloaded(target: String)
    /// No answer in time. The target may have acted.
    case deadlineExceeded(target: String)
    /// The target refused: its status and its envelope.
    case rejected(target: String, status: Int, envelope: ErrorEnvelope?)
    /// An answer that is not what was agreed, or a request that cannot be made.
    case unreadable(target: String, reason: String)
    /// The caller's task was cancelled.
    case cancelled

    /// Whether the target is down rather than of another opinion: the caller may take its degraded path.
    package var isUnavailable: Bool {
        switch self {
        case .unavailable, .overloaded, .deadlineExceeded: true
        case .rejected(_, let status, _): status == 502 || status == 503 || status == 504
        case .unreadable, .cancelled: false
        }
    }

    /// Whether the target gave no answer at all, so that it has not said anything on the matter either.
    package var isWithoutAnswer: Bool {
        switch self {
        case .unavailable, .overloaded, .deadlineExceeded: true
        case .rejected, .unreadable, .cancelled: false
        }
    }

    /// The target's refusal as its own client would have been told, where it was one that clients are told.
    package var refusal: APIError? {
        guard case .rejected(_, _, let envelope?) = self,
            let code = ErrorCode.all.first(where: { $0.value == envelope.code })
        else { return nil }
        return APIError(code, envelope.message, violations: envelope.violations ?? [])
    }

    /// The target's own code, where it refused: `rejected` with 409001, for example.
    package var code: Int? {
        if case .rejected(_, _, let envelope) = self { envelope?.code } else { nil }
    }

    /// Whether the target does not know the path: one of a version before, in a rolling upgrade. It says no more than that there
    /// is nothing, where whoever looks for a user, or anything else, says what there is none of.
    package var isPathUnknown: Bool {
        guard case .rejected(_, 404, let envelope) = self else { return false }
        return envelope.map { $0.code == ErrorCode.notFound.value && $0.message == ErrorCode.notFound.message } ?? true
    }

    /// Whether the same call may fare better in a moment.
    var isWorthRetrying: Bool {
        switch self {
        case .unavailable: true
        case .rejected(_, let status, _): status == 502 || status == 503
        case .overloaded, .deadlineExceeded, .unreadable, .cancelled: false
        }
    }
}

extension ServiceCallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let target, let mayHaveActed):
            "the \(target) service is not available" + (mayHaveActed ? " (it may have acted)" : "")
        case .overloaded(let target): "too many calls to the \(target) service are under way"
        case .deadlineExceeded(let target): "the \(target) service did not answer in time"
        case .rejected(let target, let status, let envelope):
            "the \(target) service answered \(status)" + (envelope.map { " (\($0.code) \($0.error))" } ?? "")
        case .unreadable(let target, let reason): "the \(target) service gave an answer that cannot be used: \(reason)"
        case .cancelled: "the call was cancelled"
        }
    }
}

extension ServiceCallError: APIErrorConvertible {
    /// What a client is told when the caller has nothing better to say.
    package var apiError: APIError {
        switch self {
        case .unavailable: APIError(.dependencyUnavailable)
        case .overloaded: APIError(.overloaded)
        case .deadlineExceeded, .cancelled: APIError(.deadlineExceeded)
        case .rejected where isUnavailable: APIError(.dependencyUnavailable)
        case .rejected, .unreadable: APIError(.internal)
        }
    }
}
