import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Synchronization
import Testing

@Suite("Changing one's password and names")
struct PasswordChangeTests {
    let repository = InMemoryIdentityRepository()
    let throttle = CountingThrottle(limit: 3)

    @Test("Wrong guesses at the present password are counted under the session, and held up")
    func guessing() async throws {
        let identity = claims(of: try await register())
        for _ in 0..<3 {
            await #expect(throws: IdentityError.invalid("current_password", "is wrong")) {
                _ = try await change(identity, from: "wrong horse")
            }
        }
        await #expect(throws: IdentityError.throttled(retryAfter: .seconds(1))) {
            _ = try await change(identity, from: "correct horse")
        }
        #expect(throttle.identities == ["session.\(identity.sessionID.text)"])
    }

    @Test("A present password that nobody could have is named, and is no guess")
    func tooLong() async throws {
        let identity = claims(of: try await register())
        await #expect(throws: IdentityError.invalid("current_password", "must have at most 1024 bytes")) {
            _ = try await change(identity, from: String(repeating: "\u{FDFA}", count: 100))
        }
        #expect(throttle.identities.isEmpty)
    }

    @Test("The right password wipes out what came before it")
    func right() async throws {
        let identity = claims(of: try await register())
        _ = try? await change(identity, from: "wrong horse")
        _ = try await change(identity, from: "correct horse")
        #expect(throttle.failures == 0)
    }

    @Test("A username changes only soon after a sign-in, a name at any time")
    func username() async throws {
        let user = try await register()
        let old = claims(of: user, signedInAt: Date() - AccessTokenClaims.freshness - 1)
        let settings = AccountSettings(repository: repository)
        await #expect(throws: IdentityError.reauthenticationNeeded) {
            _ = try await settings.update(old, name: .keep, username: "anna", origin: makeOrigin())
        }
        let named = try await settings.update(old, name: .set("Ann"), username: nil, origin: makeOrigin())
        #expect(named.username == "ann")
        let renamed = try await settings.update(claims(of: user), name: .keep, username: "anna", origin: makeOrigin())
        #expect(renamed.username == "anna")
    }

    @Test("What somebody is called stands in events where the trail leaves it out, and nowhere else")
    func namesApart() async throws {
        let user = try await register()
        _ = try await AccountSettings(repository: repository).update(
            claims(of: user), name: .set("Ann Lee"), username: "anna", origin: makeOrigin())
        let event = try #require(await repository.events.last)
        #expect(event.type == .userUpdated && event.data.contains(#""fields":"name,username""#))
        var detail = try JSONDecoder().decode(EventDetail.self, from: Data(event.data.utf8))
        #expect(detail.personal == ["name": "Ann Lee", "username": "anna"])
        detail.personal = nil
        let rest = String(decoding: try JSONEncoder().encode(detail), as: UTF8.self)
        #expect(!rest.contains("Ann Lee") && !rest.contains("anna"))
    }

    private func change(_ identity: AccessTokenClaims, from current: String) async throws -> MintedAccessToken {
        try await PasswordChange(
            repository: repository, hasher: CountingHasher(), tokens: FakeTokens(), throttle: throttle
        ).change(by: identity, from: current, to: "another horse", origin: makeOrigin())
    }

    private func register() async throws -> User {
        try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(email: "ann@example.org", username: "ann", password: "correct horse"),
            origin: makeOrigin())
    }

    private func claims(of user: User, signedInAt: Date = Date()) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: user.id, tenantID: user.tenantID, roles: ["member"],
            sessionID: UUID(), tokenID: UUID(), issuedAt: Date(), expiresAt: Date() + 60, authenticatedAt: signedInAt,
            methods: ["pwd"])
    }
}

/// Lets nobody try any more after so many failures.
final class CountingThrottle: Throttling {
    private let limit: Int
    private let state = Mutex((failures: 0, identities: Set<String>()))

    init(limit: Int) {
        self.limit = limit
    }

    var failures: Int { state.withLock { $0.failures } }
    var identities: Set<String> { state.withLock { $0.identities } }

    func admit(_ attempt: SignInAttempt, origin: RequestOrigin) throws -> Admission {
        let isHeldUp = state.withLock { state in
            state.identities.insert(attempt.identity)
            return state.failures >= limit
        }
        guard !isHeldUp else { throw IdentityError.throttled(retryAfter: .seconds(1)) }
        return .unthrottled
    }

    func admit(_ guess: CodeGuess, origin: RequestOrigin) throws -> Admission {
        try admit(SignInAttempt(identity: "code.\(guess.identifier.key)", password: ""), origin: origin)
    }

    func failed(_ admission: Admission) -> Bool {
        state.withLock { $0.failures += 1 }
        return false
    }

    func succeeded(_ admission: Admission) {
        state.withLock { $0.failures = 0 }
    }
}
