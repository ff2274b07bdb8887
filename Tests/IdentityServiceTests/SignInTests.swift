import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Passwords
import Testing

@Suite("Signing in")
struct SignInTests {
    let repository = InMemoryIdentityRepository()
    let hasher = CountingHasher()

    @Test(
        "An unknown user, a wrong password and an empty one get the same answer for one hash each",
        arguments: [("nobody@example.org", "correct horse"), ("ann", "wrong horse"), ("ann", ""), ("", "")])
    func alike(identity: String, password: String) async throws {
        try await register()
        let before = hasher.runs
        await #expect(throws: IdentityError.invalidCredentials) {
            _ = try await signIn().signIn(
                SignInAttempt(identity: identity, password: password), origin: makeOrigin())
        }
        #expect(hasher.runs == before + 1)
        #expect(await repository.events.last?.type == .loginFailed)
    }

    @Test("A login to a tenant that does not exist is recorded in the default tenant's name")
    func tenantUnknown() async throws {
        await #expect(throws: IdentityError.invalidCredentials) {
            _ = try await signIn().signIn(
                SignInAttempt(identity: "ann", password: "correct horse", tenantID: UUID()), origin: makeOrigin())
        }
        #expect(await repository.events.map(\.type) == [.loginFailed])
        #expect(await repository.events.last?.tenantID == DefaultTenant.id)
    }

    /// Composing makes the first longer than can be hashed and the second short enough; so does its digest the third; the
    /// fourth would get longer by losing its case.
    static let longPasswords = [
        String(repeating: "\u{FDFA}", count: 100), String(repeating: "e\u{301}", count: 400),
        String(repeating: "x", count: 1_025), String(repeating: "\u{23A}", count: 400),
    ]

    @Test(
        "A long password is refused alike for somebody and nobody, however the tenant takes passwords",
        arguments: longPasswords, [("plain", nil), ("hash", nil), ("hash", "plain")] as [(String, String?)])
    func longAlike(password: String, taken: (transmission: String, declared: String?)) async throws {
        let repository = InMemoryIdentityRepository()
        let tenant = Tenant(
            id: DefaultTenant.id, slug: DefaultTenant.slug, name: "default", displayName: "Default",
            passwordPolicy: PasswordPolicy(transmission: taken.transmission))
        let event = try DomainEvent(
            type: .tenantUpdated, subject: tenant.id.text, tenantID: tenant.id, data: EventDetail())
        _ = await repository.update(tenant, event: event, deadline: makeOrigin().scope.deadline)
        let hasher = try PasswordHasher(
            parameters: Argon2idParameters(memoryKiB: 64, iterations: 1),
            peppers: PepperRing(current: Pepper(id: "p1", bytes: [UInt8](repeating: 7, count: 32))), threads: 1)
        _ = try await Registration(repository: repository, hasher: hasher).register(
            RegistrationForm(
                username: "ann", password: "correct horse",
                transmission: taken.transmission == "hash" ? "plain" : nil),
            origin: makeOrigin())
        let signIn = SignIn(
            repository: repository, hasher: hasher, sessions: FakeSessions(), tokens: FakeTokens(),
            logger: Logger(label: "test"))
        var errors: [IdentityError] = []
        for identity in ["ann", "nobody"] {
            let attempt = SignInAttempt(identity: identity, password: password, transmission: taken.declared)
            let error = await #expect(throws: IdentityError.self) {
                _ = try await signIn.signIn(attempt, origin: makeOrigin())
            }
            errors += [error].compactMap { $0 }
        }
        #expect(errors.count == 2 && errors.first == errors.last)
        let isTooLong = PasswordPolicy.normalized(password).utf8.count > 1_024
        let refusal = IdentityError.invalid("password", "must have at most 1024 bytes")
        #expect(errors.first == (isTooLong ? refusal : .invalidCredentials))
    }

    @Test("Every identity of a user signs in, and one answer holds both tokens", arguments: ["ANN", "ann@example.org"])
    func succeeds(identity: String) async throws {
        try await register()
        let answer = try await signIn().signIn(
            SignInAttempt(identity: identity, password: "correct horse"), origin: makeOrigin()
        ).tokens
        #expect(answer.accessToken == "access[member]")
        #expect(answer.refreshToken?.hasPrefix("refresh-") == true)
        #expect(!answer.degraded)
        #expect(await repository.events.last?.type == .loginSucceeded)
    }

    @Test("Without the session service there is an access token only, and word is left for later")
    func degraded() async throws {
        try await register()
        let answer = try await signIn(sessions: FakeSessions(isAway: true)).signIn(
            SignInAttempt(identity: "ann", password: "correct horse"), origin: makeOrigin()
        ).tokens
        #expect(answer.refreshToken == nil)
        #expect(answer.degraded)
        #expect(await repository.events.suffix(2).map(\.type) == [.loginSucceeded, .sessionPending])
    }

    @Test("That an account is disabled is told only to who knows its password")
    func disabled() async throws {
        let user = try await register()
        _ = try await repository.setStatus(
            .disabled, of: user.id, tenantID: user.tenantID,
            event: try DomainEvent(
                type: .userDisabled, subject: user.id.text, tenantID: user.tenantID, data: EventDetail()),
            deadline: makeOrigin().scope.deadline)
        await #expect(throws: IdentityError.accountDisabled) {
            _ = try await signIn().signIn(
                SignInAttempt(identity: "ann", password: "correct horse"), origin: makeOrigin())
        }
        await #expect(throws: IdentityError.invalidCredentials) {
            _ = try await signIn().signIn(SignInAttempt(identity: "ann", password: "wrong"), origin: makeOrigin())
        }
    }

    @Test("A hash of older parameters is replaced at the next login, which is the last that costs two")
    func rehash() async throws {
        try await register()
        let newer = CountingHasher(mark: "v2")
        let signIn = SignIn(
            repository: repository, hasher: newer, sessions: FakeSessions(), tokens: FakeTokens(),
            logger: Logger(label: "test"))
        for expected in [2, 3] {
            _ = try await signIn.signIn(
                SignInAttempt(identity: "ann", password: "correct horse"), origin: makeOrigin())
            #expect(newer.runs == expected)
        }
    }

    @Test("The first administrator has no role until the password is changed")
    func firstAdministrator() async throws {
        let made = try await Bootstrap(repository: repository, hasher: hasher).createOwner(
            BootstrapRequest(email: "root@example.org"), origin: makeOrigin())
        let password = try #require(made.oneTimePassword)
        let answer = try await signIn().signIn(
            SignInAttempt(identity: "root@example.org", password: password), origin: makeOrigin()
        ).tokens
        #expect(answer.mustChangePassword)
        #expect(answer.accessToken == "access[]")
    }

    @discardableResult
    private func register() async throws -> User {
        try await Registration(repository: repository, hasher: hasher).register(
            RegistrationForm(email: "ann@example.org", username: "ann", password: "correct horse"),
            origin: makeOrigin())
    }

    private func signIn(sessions: FakeSessions = FakeSessions()) -> SignIn {
        SignIn(
            repository: repository, hasher: hasher, sessions: sessions, tokens: FakeTokens(),
            logger: Logger(label: "test"))
    }
}
