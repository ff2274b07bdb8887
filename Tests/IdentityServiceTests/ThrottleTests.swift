import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Redis
import TestSupport
import Testing

@Suite("Guessing passwords", .serialized)
struct ThrottleTests {
    @Test("The wait doubles with each failure past the free ones, up to the longest")
    func ladder() {
        let ladder = Ladder(free: 5, base: .seconds(1), longest: .seconds(900), memory: .seconds(3_600))
        #expect((0...5).allSatisfy { ladder.wait(after: $0) == .zero })
        #expect((6...9).map { ladder.wait(after: $0) } == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(ladder.wait(after: 16) == .seconds(900) && ladder.wait(after: 1_000_000) == .seconds(900))
    }

    @Test("After five wrong passwords an identity waits, written however, and others do not", arguments: [true, false])
    func account(withRedis: Bool) async throws {
        try await with(redis: withRedis) { throttle in
            for _ in 0..<6 { try await fail(throttle, "ann@example.org") }
            let wait = await wait(throttle, "ANN@example.org")
            #expect(wait > .zero && wait <= .seconds(1))
            try await succeed(throttle, "bob@example.org")
        }
    }

    @Test("Of many that come after the wait, one gets in", arguments: [true, false])
    func oneOfMany(withRedis: Bool) async throws {
        try await with(redis: withRedis) { limits in
            // All ask at once: whoever gets no answer in time would be counted apart.
            limits.patience = .seconds(2)
        } body: { throttle in
            for _ in 0..<6 { try await fail(throttle, "ann") }
            try await Task.sleep(for: .milliseconds(1_050))
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 {
                    group.addTask { (try? await throttle.admit(attempt("ann"), origin: origin())) != nil }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(admitted == 1)
        }
    }

    @Test(
        "A known device is let in while a stranger holds the account up, and its own failures count",
        arguments: [true, false])
    func device(withRedis: Bool) async throws {
        try await with(redis: withRedis) { throttle in
            let token = throttle.deviceToken(for: attempt("ann"))
            for _ in 0..<6 { try await fail(throttle, "ann") }
            #expect(await wait(throttle, "ann") > .zero)
            _ = try await throttle.admit(attempt("ann", device: token), origin: origin())
            // For another identity, or with a letter changed, it is worth nothing.
            #expect(await wait(throttle, "ann", device: throttle.deviceToken(for: attempt("bob"))) > .zero)
            #expect(await wait(throttle, "ann", device: "A\(token.dropFirst(1))") > .zero || token.hasPrefix("A"))
            for _ in 0..<6 { try await fail(throttle, "ann", device: token) }
            #expect(await wait(throttle, "ann", device: token) > .zero)
        }
    }

    @Test("An address that tries everybody waits, a trusted one does not", arguments: [true, false])
    func address(withRedis: Bool) async throws {
        try await with(redis: withRedis) { throttle in
            for number in 0..<101 { try await fail(throttle, "user\(number)", from: "203.0.113.9") }
            #expect(await wait(throttle, "somebody", from: "203.0.113.9") > .zero)
            #expect(await wait(throttle, "somebody", from: "203.0.113.10") == .zero)
            for number in 0..<101 { try await fail(throttle, "user\(number)x", from: "127.0.0.1") }
            #expect(await wait(throttle, "somebody else", from: "127.0.0.1") == .zero)
        }
    }

    @Test("One subscriber's addresses of IPv6 are one: the whole /64, for logins and for guesses at codes")
    func subscriber() async throws {
        func subject(_ address: String) -> ThrottleSubject {
            keys().subject(
                .guess("ann"), tenantID: DefaultTenant.id, address: address, deviceToken: nil, now: Date())
        }
        let counted = subject("2001:db8:1:2::1").address
        #expect(counted != nil && counted == subject("2001:DB8:1:2:ffff:ffff:ffff:ffff").address)
        #expect(counted != subject("2001:db8:1:3::1").address)
        #expect(subject("::ffff:203.0.113.9").address == subject("203.0.113.9").address)
        try await with(redis: false) { throttle in
            for number in 0..<101 { try await fail(throttle, "user\(number)", from: "2001:db8:1:2::\(number)") }
            #expect(await wait(throttle, "somebody", from: "2001:db8:1:2:3:4:5:6") > .zero)
            #expect(await wait(throttle, "somebody", from: "2001:db8:1:3::1") == .zero)
            for number in 0..<6 { #expect(await guess(throttle, "ann", from: "2001:db8:1:4::\(number)")) }
            #expect(await !guess(throttle, "ann", from: "2001:db8:1:4:5::1"))
            #expect(await guess(throttle, "ann", from: "2001:db8:1:5::1"))
        }
    }

    @Test(
        "Guesses at a code are counted for an identity and an address, and not at all behind a trusted one",
        arguments: [true, false])
    func codes(withRedis: Bool) async throws {
        try await with(redis: withRedis) { throttle in
            for _ in 0..<6 { #expect(await guess(throttle, "ann@example.org", from: "203.0.113.9")) }
            #expect(await !guess(throttle, "ANN@example.org", from: "203.0.113.9"))
            #expect(await guess(throttle, "ann@example.org", from: "203.0.113.10"))
            #expect(await guess(throttle, "bob@example.org", from: "203.0.113.9"))
            // Neither are its logins held up by it.
            #expect(await wait(throttle, "ann@example.org", from: "203.0.113.9") == .zero)
            for _ in 0..<20 { #expect(await guess(throttle, "ann@example.org", from: "127.0.0.1")) }
        }
    }

    @Test("A success wipes out what came before it", arguments: [true, false])
    func success(withRedis: Bool) async throws {
        try await with(redis: withRedis) { throttle in
            for _ in 0..<3 {
                for _ in 0..<4 { try await fail(throttle, "ann") }
                try await succeed(throttle, "ann")
            }
            #expect(await wait(throttle, "ann") == .zero)
        }
    }

    @Test("At the tenth failure in a row, and at no other, the owner is told")
    func notice() {
        var counters = ThrottleCounters(limits: ThrottleLimits())
        let subject = keys().subject(
            .guess("ann"), tenantID: DefaultTenant.id, address: nil, deviceToken: nil, now: Date())
        let counts = (1...12).map { _ in counters.fail(subject, at: Date(), isOwed: false) }
        #expect(counts == Array(1...12))
    }

    @Test("Tenants that somebody makes up take bounded room, and do not take the place of one under attack")
    func madeUpTenants() {
        var limits = ThrottleLimits()
        (limits.tenantFailuresPerMinute, limits.brakeDuration) = (3, .seconds(60))
        var counters = ThrottleCounters(limits: limits)
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        func fail(_ tenant: UUID, times: Int = 1, at time: Date) -> ThrottleVerdict {
            let subject = keys().subject(
                .guess("ann"), tenantID: tenant, address: nil, deviceToken: nil, now: time)
            for _ in 0..<times { counters.fail(subject, at: time, isOwed: false) }
            return counters.admit(subject, at: time)
        }
        let attacked = UUID()
        #expect(!fail(attacked, times: 2, at: now).isBraked)
        for _ in 0..<(ThrottleCounters.tenantLimit + 10) { _ = fail(UUID(), at: now) }
        #expect(counters.tenantCount <= ThrottleCounters.tenantLimit)
        #expect(fail(attacked, at: now).isBraked)
        // A minute later nothing is left of those, and after the brake nothing of it.
        _ = fail(UUID(), at: now + 60)
        #expect(counters.tenantCount == 1)
        #expect(!fail(attacked, at: now + 61).isBraked)
    }

    @Test("Under a tenant's brake an unknown device needs a proof of work, once each, and a known one does not")
    func brake() async throws {
        try await with(redis: true) { limits in
            limits.tenantFailuresPerMinute = 20
            limits.asksForProof = true
        } body: { throttle in
            for number in 0..<20 { try await fail(throttle, "user\(number)") }
            await #expect(throws: IdentityError.proofNeeded) {
                _ = try await throttle.admit(attempt("ann"), origin: origin())
            }
            let proof = solve(throttle.makeChallenge())
            _ = try await throttle.admit(attempt("ann", proof: proof), origin: origin())
            await #expect(throws: IdentityError.proofNeeded) {
                _ = try await throttle.admit(attempt("ann", proof: proof), origin: origin())
            }
            let token = throttle.deviceToken(for: attempt("ann"))
            _ = try await throttle.admit(attempt("ann", device: token), origin: origin())
        }
    }

    @Test("With Redis killed the process counts by itself, and Redis learns of it when it is back")
    func redisKilled() async throws {
        let server = try await TestRedis.start()
        let throttle = try make(server)
        for _ in 0..<3 { try await fail(throttle, "ann") }
        await server.kill()
        // The process has seen these three as well.
        for _ in 0..<3 { try await fail(throttle, "ann") }
        #expect(await wait(throttle, "ann") > .zero)
        try await server.restart()
        let client = try RedisClient(
            configuration: RedisConfiguration(url: server.url), logger: Logger(label: "test"))
        let deadline = Deadline.after(.seconds(10))
        var paid: Int?
        while paid != 3, !deadline.hasPassed {
            await throttle.pay()
            try await Task.sleep(for: .milliseconds(50))
            paid = try? await client.send("HGET", RedisArgument(subject("ann").accountKey), "n", deadline: deadline)
                .integer
        }
        // The three that Redis was not there for; those before died with it.
        #expect(paid == 3)
        await server.stop()
    }

    @Test("A stalled Redis costs an attempt 50 ms, and the next ones nothing")
    func redisStalled() async throws {
        let server = try await TestRedis.start()
        let throttle = try make(server)
        try await fail(throttle, "ann")
        await server.pause()
        let clock = ContinuousClock()
        let first = try await clock.measure { try await succeed(throttle, "bob") }
        let second = try await clock.measure { for _ in 0..<100 { try await succeed(throttle, "bob") } }
        #expect(first < .milliseconds(1_500) && second < .milliseconds(1_500))
        for _ in 0..<5 { try await fail(throttle, "ann") }
        #expect(await wait(throttle, "ann") > .zero)
        await server.continue()
        await server.stop()
    }
}

// MARK: - Help

private func keys() -> ThrottleKeys {
    ThrottleKeys(
        pepper: Secret("a pepper of thirty-two bytes or so"),
        trusted: ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) })
}

private func subject(_ identity: String) -> ThrottleSubject {
    keys().subject(.guess(identity), tenantID: DefaultTenant.id, address: nil, deviceToken: nil, now: Date())
}

private func attempt(
    _ identity: String, device: String? = nil, proof: ProofOfWork.Proof? = nil
) -> SignInAttempt {
    SignInAttempt(identity: identity, password: "x", deviceToken: device, proof: proof)
}

private func origin(_ address: String = "127.0.0.1") -> RequestOrigin {
    RequestOrigin(ip: address, scope: RequestScope(deadline: .after(.seconds(5))))
}

private func make(
    _ server: TestRedis, configure: (inout ThrottleLimits) -> Void = { _ in }
) throws -> Throttle {
    var limits = ThrottleLimits()
    configure(&limits)
    return Throttle(
        keys: keys(), limits: limits,
        redis: RedisClient(configuration: try RedisConfiguration(url: server.url), logger: Logger(label: "test")),
        proofs: ProofOfWork(pepper: Secret("a pepper of thirty-two bytes or so"), difficulty: 8),
        metrics: MetricsRegistry(), logger: Logger(label: "test"))
}

private func with(
    redis: Bool, configure: (inout ThrottleLimits) -> Void = { _ in }, body: (Throttle) async throws -> Void
) async throws {
    let server = try await TestRedis.start()
    if !redis { await server.stop() }
    try await body(try make(server, configure: configure))
    await server.stop()
}

private func fail(
    _ throttle: Throttle, _ identity: String, from address: String = "127.0.0.1", device: String? = nil
) async throws {
    _ = await throttle.failed(
        try await throttle.admit(attempt(identity, device: device), origin: origin(address)))
}

private func succeed(_ throttle: Throttle, _ identity: String) async throws {
    await throttle.succeeded(try await throttle.admit(attempt(identity), origin: origin()))
}

/// A wrong guess at a code that came by mail; whether it was let in.
private func guess(_ throttle: Throttle, _ identity: String, from address: String) async -> Bool {
    let guess = CodeGuess(.passwordReset, of: .guess(identity), tenantID: DefaultTenant.id)
    guard let admission = try? await throttle.admit(guess, origin: origin(address)) else { return false }
    _ = await throttle.failed(admission)
    return true
}

/// How long the identity would have to wait now.
private func wait(
    _ throttle: Throttle, _ identity: String, from address: String = "127.0.0.1", device: String? = nil
) async -> Duration {
    do {
        _ = try await throttle.admit(attempt(identity, device: device), origin: origin(address))
        return .zero
    } catch IdentityError.throttled(let wait) {
        return wait
    } catch {
        return .zero
    }
}

private func solve(_ challenge: ProofOfWork.Challenge) -> ProofOfWork.Proof {
    var number = 0
    while ProofOfWork.leadingZeroBits(of: "\(challenge.challenge):\(number)") < challenge.difficulty { number += 1 }
    return ProofOfWork.Proof(challenge: challenge.challenge, nonce: String(number))
}
