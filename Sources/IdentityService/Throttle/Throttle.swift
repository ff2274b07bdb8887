import ConnectionKit
import Contracts
package import Foundation
package import Logging
package import MicroMiddleware
package import Redis
import ServiceLifecycle
import Synchronization

/// What signing in asks before it looks at a password, and tells afterwards.
package protocol Throttling: Sendable {
    /// - Throws: ``IdentityError/throttled(retryAfter:)`` while the identity or the address has to wait,
    ///   ``IdentityError/proofNeeded`` while the tenant's brake asks for one.
    func admit(_ attempt: SignInAttempt, origin: RequestOrigin) async throws -> Admission

    /// - Throws: ``IdentityError/throttled(retryAfter:)`` while this identity's codes may not be guessed at from this
    ///   address, whether or not there is such a user.
    func admit(_ guess: CodeGuess, origin: RequestOrigin) async throws -> Admission

    /// - Returns: whether the owner of the account should hear of it.
    func failed(_ admission: Admission) async -> Bool

    func succeeded(_ admission: Admission) async
}

/// That an attempt may be made.
package struct Admission: Sendable {
    package let subject: ThrottleSubject?
    package let hasFailures: Bool

    package static let unthrottled = Admission(subject: nil, hasFailures: false)
}

/// Somebody's claim to have had a code by mail.
package struct CodeGuess: Sendable {
    package let purpose: CodePurpose
    package let identifier: Identifier
    package let tenantID: UUID

    package init(_ purpose: CodePurpose, of identifier: Identifier, tenantID: UUID) {
        self.purpose = purpose
        self.identifier = identifier
        self.tenantID = tenantID
    }
}

/// For tests of what is not about guessing.
package struct NoThrottle: Throttling {
    package init() {}
    package func admit(_ attempt: SignInAttempt, origin: RequestOrigin) -> Admission { .unthrottled }
    package func admit(_ guess: CodeGuess, origin: RequestOrigin) -> Admission { .unthrottled }
    package func failed(_ admission: Admission) -> Bool { false }
    package func succeeded(_ admission: Admission) {}
}

/// Slows down guessing, by identity, by address and by tenant, and never makes anybody wait inside of a request.
///
/// The counters are in Redis. While it is away, or does not answer within ``ThrottleLimits/patience``, this process counts
/// by itself, and pays what it counted into Redis afterwards.
package final class Throttle: Throttling, Service {
    private let keys: ThrottleKeys
    private let limits: ThrottleLimits
    private let redis: RedisThrottle
    private let proofs: ProofOfWork
    private let local: Mutex<ThrottleCounters>
    /// Redis is left alone until then: it was asked and did not answer.
    private let askAgainAt = Mutex<ContinuousClock.Instant?>(nil)
    private let refused: MetricCounter
    private let withoutRedis: MetricCounter
    private let logger: Logger

    package init(
        keys: ThrottleKeys, limits: ThrottleLimits, redis: RedisClient, proofs: ProofOfWork, metrics: MetricsRegistry,
        logger: Logger
    ) {
        self.keys = keys
        self.limits = limits
        self.redis = RedisThrottle(redis: redis, limits: limits)
        self.proofs = proofs
        local = Mutex(ThrottleCounters(limits: limits))
        self.logger = logger
        refused = metrics.counter(
            "authms_logins_throttled_total", help: "Attempts to sign in that were told to wait.")
        withoutRedis = metrics.counter(
            "authms_throttle_without_redis_total", help: "Attempts that were counted in this process alone.")
    }

    package func admit(_ attempt: SignInAttempt, origin: RequestOrigin) async throws -> Admission {
        let subject = keys.subject(
            .guess(attempt.identity), tenantID: attempt.tenantID, address: origin.ip, deviceToken: attempt.deviceToken,
            now: Date())
        let verdict = try await take(subject)
        if verdict.isBraked, limits.asksForProof, subject.device == nil {
            guard let proof = attempt.proof, proofs.isValid(proof), await isFirstUse(of: proof) else {
                refused.increment()
                throw IdentityError.proofNeeded
            }
        }
        return Admission(subject: subject, hasFailures: verdict.hasFailures)
    }

    package func admit(_ guess: CodeGuess, origin: RequestOrigin) async throws -> Admission {
        // Without an address to count by, what bounds the guesses is the code's own limit.
        guard let subject = keys.subject(of: guess, address: origin.ip) else { return .unthrottled }
        return Admission(subject: subject, hasFailures: try await take(subject).hasFailures)
    }

    /// - Throws: ``IdentityError/throttled(retryAfter:)``
    private func take(_ subject: ThrottleSubject) async throws -> ThrottleVerdict {
        let verdict =
            await asking { try await $0.admit(subject, deadline: $1) }
            ?? local.withLock {
                $0.admit(subject, at: Date())
            }
        guard verdict.wait == .zero else {
            refused.increment()
            throw IdentityError.throttled(retryAfter: verdict.wait)
        }
        return verdict
    }

    package func failed(_ admission: Admission) async -> Bool {
        guard let subject = admission.subject else { return false }
        let shared = await asking { try await $0.fail(subject, count: 1, deadline: $1) }
        let own = local.withLock { $0.fail(subject, at: Date(), isOwed: shared == nil) }
        return (shared ?? own) == limits.noticeAt
    }

    package func succeeded(_ admission: Admission) async {
        guard let subject = admission.subject, admission.hasFailures else { return }
        await forget(subject.accountKey)
    }

    /// Opens an account again: its identities, from unknown devices.
    package func unlock(_ identifiers: [Identifier], tenantID: UUID) async {
        for identifier in identifiers {
            let subject = keys.subject(identifier, tenantID: tenantID, address: nil, deviceToken: nil, now: Date())
            await forget(subject.accountKey)
        }
    }

    /// The token by which a device is known after it has signed in.
    package func deviceToken(for attempt: SignInAttempt) -> String {
        let (now, identifier) = (Date(), Identifier.guess(attempt.identity))
        let device = keys.subject(
            identifier, tenantID: attempt.tenantID, address: nil, deviceToken: attempt.deviceToken, now: now
        ).device
        return keys.deviceToken(for: identifier, tenantID: attempt.tenantID, device: device, now: now)
    }

    package func makeChallenge() -> ProofOfWork.Challenge { proofs.challenge() }

    /// Pays what was counted without Redis into Redis, once it is back.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                await pay()
            }
        }
    }

    // MARK: - Redis, or not

    package func pay() async {
        let owed = local.withLock { $0.takeOwed() }
        for (subject, count) in owed {
            let paid = await asking { try await $0.fail(subject, count: count, deadline: $1) } != nil
            if !paid { local.withLock { $0.owe([subject: count]) } }
        }
    }

    private func forget(_ key: String) async {
        local.withLock { $0.forget(key) }
        _ = await asking { try await $0.forget([key], deadline: $1) }
    }

    private func isFirstUse(of proof: ProofOfWork.Proof) async -> Bool {
        guard proofs.isFirstUseHere(of: proof) else { return false }
        return await asking { try await $0.claim(proof.id, for: ProofOfWork.lifetime, deadline: $1) } ?? true
    }

    /// `nil` when Redis does not answer in time; then it is not asked again for a second.
    private func asking<Value: Sendable>(
        _ body: @Sendable (RedisThrottle, Deadline) async throws -> Value
    ) async -> Value? {
        if let until = askAgainAt.withLock({ $0 }), until > .now {
            withoutRedis.increment()
            return nil
        }
        do {
            let value = try await body(redis, .after(limits.patience))
            askAgainAt.withLock { $0 = nil }
            return value
        } catch {
            let isNews = askAgainAt.withLock { again in
                defer { again = ContinuousClock.now + .seconds(1) }
                return again == nil
            }
            if isNews { logger.warning("failed logins are counted without Redis", metadata: ["error": "\(error)"]) }
            withoutRedis.increment()
            return nil
        }
    }
}
