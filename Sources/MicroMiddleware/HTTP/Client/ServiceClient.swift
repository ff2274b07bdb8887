internal import ConnectionKit
package import HTTPTypes
internal import Synchronization

/// Calls one service of the suite: JSON both ways, the deadline and the trace handed on, the caller proven.
///
/// A call that may be repeated is tried again, with jitter, as long as retries stay under a tenth of the calls; a breaker
/// refuses at once what a dead target would only delay. Connections are kept and shared by the whole process.
/// ```swift
/// let session = ServiceClient(target: "session", baseURL: try settings.value(.sessionURL)) {
///     try credential.issue(for: "session")
/// }
/// let opened = try await session.post(
///     "/api/v1/internal/sessions", body: request, as: OpenedSession.self,
///     scope: context.scope.capped(at: .milliseconds(500)), isIdempotent: true)
/// ```
package final class ServiceClient: Sendable {
    /// How often a call is tried in all, at most.
    static let maximumAttempts = 3

    /// The service that is called: `session`.
    package let target: String
    private let baseURL: String
    private let credential: @Sendable () throws -> String
    private let guards: Mutex<Guards>

    private struct Guards {
        var breaker = CircuitBreaker()
        var budget = RetryBudget()
    }

    /// - Parameters:
    ///   - baseURL: `http://127.0.0.1:11004`.
    ///   - credential: Gives the credential for the target; called once a try, so it should keep what it issued.
    package init(target: String, baseURL: String, credential: @escaping @Sendable () throws -> String) {
        self.target = target
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.credential = credential
        self.guards = Mutex(Guards())
    }

    /// Whether the breaker would let a call through: for readiness, and for taking a degraded path without trying.
    package var isAvailable: Bool {
        guards.withLock { !$0.breaker.wouldRefuse(at: .now) }
    }

    /// Reads `data` of the answer's envelope.
    package func get<Answer: Decodable & Sendable>(
        _ path: String, as type: Answer.Type, scope: RequestScope
    ) async throws(ServiceCallError) -> Answer {
        try data(of: try await call(.get, path, body: nil, scope: scope, isIdempotent: true), as: type)
    }

    /// Sends `body` and reads `data` of the answer's envelope; ``NoAnswer`` where there is none.
    /// - Parameter isIdempotent: Whether doing it twice is as good as once, so that it may be tried again.
    package func post<Answer: Decodable & Sendable>(
        _ path: String, body: some Encodable & Sendable, as type: Answer.Type, scope: RequestScope,
        isIdempotent: Bool = false
    ) async throws(ServiceCallError) -> Answer {
        let bytes: [UInt8]
        do {
            bytes = Array(try StrictJSON.encode(body))
        } catch {
            throw ServiceCallError.unreadable(target: target, reason: "the request cannot be encoded: \(error)")
        }
        return try data(
            of: try await call(.post, path, body: bytes, scope: scope, isIdempotent: isIdempotent), as: type)
    }

    /// Deletes what is at the path; doing it twice is as good as once.
    package func delete(_ path: String, scope: RequestScope) async throws(ServiceCallError) {
        _ = try await call(.delete, path, body: nil, scope: scope, isIdempotent: true)
    }

    /// The body of a 2xx answer as it came.
    package func call(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]?, scope: RequestScope, isIdempotent: Bool
    ) async throws(ServiceCallError) -> [UInt8] {
        guards.withLock { $0.budget.recordCall() }
        var attempt = 1
        while true {
            do {
                return try await tryOnce(method, path, body: body, scope: scope)
            } catch {
                guard isIdempotent, attempt < Self.maximumAttempts, error.isWorthRetrying else { throw error }
                let pause = Duration.microseconds(Int64.random(in: 5_000...(40_000 * Int64(attempt))))
                guard scope.deadline.remaining > pause * 2, guards.withLock({ $0.budget.takeRetry() }) else {
                    throw error
                }
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    throw ServiceCallError.cancelled
                }
                attempt += 1
            }
        }
    }

    private func tryOnce(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]?, scope: RequestScope
    ) async throws(ServiceCallError) -> [UInt8] {
        guard !scope.deadline.hasPassed else { throw .deadlineExceeded(target: target) }
        let credential = try issueCredential()
        guard guards.withLock({ $0.breaker.admit(at: .now) }) else {
            throw .unavailable(target: target, mayHaveActed: false)
        }
        let answer: ServiceTransport.Answer
        do throws(ServiceCallError) {
            answer = try await ServiceTransport.send(
                method, baseURL + path, body: body, credential: credential, scope: scope, target: target)
        } catch {
            record(error)
            throw error
        }
        guards.withLock { $0.breaker.recordSuccess() }
        guard (200..<300).contains(answer.status) else {
            throw .rejected(
                target: target, status: answer.status,
                envelope: try? StrictJSON.decode(ErrorEnvelope.self, from: answer.body))
        }
        return answer.body
    }

    private func record(_ failure: ServiceCallError) {
        guards.withLock { guards in
            switch failure {
            case .unavailable, .deadlineExceeded: guards.breaker.recordFailure(at: .now)
            case .cancelled: guards.breaker.recordNothing(at: .now)
            case .rejected, .unreadable: guards.breaker.recordSuccess()
            }
        }
    }

    private func issueCredential() throws(ServiceCallError) -> String {
        do {
            return try credential()
        } catch {
            throw .unreadable(target: target, reason: "no credential can be issued: \(error)")
        }
    }

    private func data<Answer: Decodable>(
        of body: [UInt8], as type: Answer.Type
    ) throws(ServiceCallError) -> Answer {
        if let nothing = NoAnswer() as? Answer { return nothing }
        do {
            return try StrictJSON.decode(DataEnvelope<Answer>.self, from: body).data
        } catch {
            throw .unreadable(target: target, reason: "\(error)")
        }
    }
}

private struct DataEnvelope<Answer: Decodable>: Decodable {
    let data: Answer
}

/// An answer without `data`, or one whose data the caller does not need.
package struct NoAnswer: Sendable, Codable {
    package init() {}
    package init(from decoder: any Decoder) {}
}
