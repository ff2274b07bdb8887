import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
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
