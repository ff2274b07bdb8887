import Contracts
import IdentityService
import Logging
import MicroMiddleware
import Synchronization
import Testing

@Suite("A login from a device that its user trusts")
struct TrustedDeviceTests {
    private static let token = TrustedDeviceQuestion.prefix + String(repeating: "a", count: 64)

    @Test(
        "is from a known device, and only where session says so",
        arguments: [
            (token, true), (TrustedDeviceQuestion.prefix + String(repeating: "b", count: 64), false),
            (TrustedDeviceQuestion.prefix, false), (nil, false),
        ] as [(String?, Bool)])
    func known(shown: String?, isKnown: Bool) async throws {
        #expect(try await login(showing: shown, FakeSessions(trusted: Self.token))?.isKnownDevice == isKnown)
    }

    @Test("does not depend on session to be asked")
    func away() async throws {
        #expect(try await login(showing: Self.token, FakeSessions(isAway: true, trusted: Self.token)) == nil)
    }

    /// - Returns: what session was asked to open; nil where it was not there.
    private func login(showing token: String?, _ sessions: FakeSessions) async throws -> CreateSessionRequest? {
        let (repository, hasher) = (InMemoryIdentityRepository(), CountingHasher())
        _ = try await Registration(repository: repository, hasher: hasher).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        let seen = Seen()
        var sessions = sessions
        sessions.opened = { request in seen.request.withLock { $0 = request } }
        let signIn = SignIn(
            repository: repository, hasher: hasher, sessions: sessions, tokens: FakeTokens(),
            logger: Logger(label: "test"))
        let attempt = SignInAttempt(identity: "ann", password: "correct horse", trustedDevice: token)
        guard case .signedIn = try await signIn.signIn(attempt, origin: makeOrigin()) else {
            Issue.record("nobody was signed in")
            return nil
        }
        return seen.request.withLock { $0 }
    }

    private final class Seen: Sendable {
        let request = Mutex<CreateSessionRequest?>(nil)
    }
}
