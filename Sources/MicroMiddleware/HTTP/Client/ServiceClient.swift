internal import ConnectionKit
package import HTTPTypes
internal import Synchronization

/// Calls one service of the suite: JSON both ways, the deadline and the trace handed on, the caller proven.
///
/// A call that may be repeated is tried again, with jitter, as long as retries stay under a tenth of the calls; a breaker
/// refuses at once what a dead target would only delay, and so many calls may be under way and no more. A call that reached
/// nobody goes to the next replica at once. Connections are kept and shared by the whole process.
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
    /// Calls to one target that may be under way, unless its maker says otherwise.
    package static let maximumInFlight = 64

    /// The service that is called: `session`.
    package let target: String
    private let bases: [String]
    private let credential: @Sendable () throws -> String
    private let guards: Mutex<Guards>

    private struct Guards {
        var replicas: ServiceReplicas
        var budget = RetryBudget()
    }

    /// The addresses in a list of them, separated by commas: those of a service's replicas.
    package static func bases(of list: String) -> [String] {
        list.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
    }

    /// - Parameters:
    ///   - baseURL: `http://127.0.0.1:11004`, or several, separated by commas: its replicas.
    ///   - maximumInFlight: one call more than this is refused at once, as if the target were away, so that a target that
    ///     stalls cannot hold all of this process.
    ///   - credential: Gives the credential for the target; called once a try, so it should keep what it issued.
    package init(
        target: String, baseURL: String, maximumInFlight: Int = ServiceClient.maximumInFlight,
        credential: @escaping @Sendable () throws -> String
    ) {
        self.target = target
        let bases = Self.bases(of: baseURL).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        self.bases = bases.isEmpty ? [baseURL] : bases
        self.credential = credential
        self.guards = Mutex(
            Guards(replicas: ServiceReplicas(count: self.bases.count, maximumInFlight: maximumInFlight)))
    }

    /// Whether the breaker would let a call through: for readiness, and for taking a degraded path without trying.
    package var isAvailable: Bool {
        guards.withLock { !$0.replicas.wouldRefuse(at: .now) }
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
        var tried: UInt64 = 0
        while true {
            do {
                return try await tryOnce(method, path, body: body, scope: scope, tried: &tried)
            } catch {
                if case .unavailable(_, mayHaveActed: false) = error, hasOther(than: tried) { continue }
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

    /// Whether a replica is left that this call has not been to. A call that reached nobody adds no load, so that going
    /// there takes nothing from the budget.
    private func hasOther(than tried: UInt64) -> Bool {
        guards.withLock { tried != 0 && $0.replicas.hasOther(at: .now, than: tried) }
    }

    private func tryOnce(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]?, scope: RequestScope, tried: inout UInt64
    ) async throws(ServiceCallError) -> [UInt8] {
        guard !scope.deadline.hasPassed else { throw .deadlineExceeded(target: target) }
        let credential = try issueCredential()
        let replica = try takeReplica(after: tried)
        tried |= 1 << UInt64(replica)
        let answer: ServiceTransport.Answer
        do throws(ServiceCallError) {
            answer = try await ServiceTransport.send(
                method, bases[replica] + path, body: body, credential: credential, scope: scope, target: target)
        } catch {
            giveBack(replica, Self.outcome(of: error))
            throw error
        }
        giveBack(replica, .answered(isLastOnConnection: answer.isLastOnConnection))
        guard !answer.isNotActedOn else { throw .unavailable(target: target, mayHaveActed: false) }
        guard (200..<300).contains(answer.status) else {
            throw .rejected(
                target: target, status: answer.status,
                envelope: try? StrictJSON.decode(ErrorEnvelope.self, from: answer.body))
        }
        return answer.body
    }

    private func takeReplica(after tried: UInt64) throws(ServiceCallError) -> Int {
        let (isFull, replica) = guards.withLock { guards in
            guards.replicas.isFull ? (true, nil) : (false, guards.replicas.take(at: .now, after: tried))
        }
        if isFull { throw .overloaded(target: target) }
        guard let replica else { throw .unavailable(target: target, mayHaveActed: false) }
        return replica
    }

    private func giveBack(_ replica: Int, _ outcome: ServiceReplicas.Outcome) {
        guards.withLock { $0.replicas.giveBack(replica, outcome, at: .now) }
    }

    private static func outcome(of failure: ServiceCallError) -> ServiceReplicas.Outcome {
        switch failure {
        case .unavailable, .deadlineExceeded: .failed
        case .cancelled: .nothing
        case .rejected, .unreadable, .overloaded: .answered(isLastOnConnection: false)
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
