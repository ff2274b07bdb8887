import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Synchronization
import Testing

@Suite("Proving oneself again by the password")
struct ReauthenticationTests {
    @Test(
        "It proves the password now, and no second factor, however the session began",
        arguments: [["pwd"], ["pwd", "otp", "mfa"], ["hwk", "user", "mfa"]])
    func provesThePasswordAlone(methods: [String]) async throws {
        let repository = InMemoryIdentityRepository()
        let user = try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        let tokens = RecordingTokens()
        let again = Reauthentication(
            repository: repository, hasher: CountingHasher(), throttle: NoThrottle(), tokens: tokens)
        var identity = AccessTokenClaims(
            issuer: "test", audience: "test", subject: user.id, tenantID: user.tenantID, roles: user.roles,
            sessionID: .v7(), tokenID: .v7(), issuedAt: Date(), expiresAt: Date() + 1_800,
            authenticatedAt: Date() - 3_600, methods: methods, permissions: [])
        _ = try await again.again(
            by: identity, password: "correct horse", declared: nil, origin: makeOrigin())
        let grant = try #require(tokens.grants.first)
        #expect(grant.methods == ["pwd"] && grant.sessionID == identity.sessionID)
        identity.methods = grant.methods
        identity.authenticatedAt = grant.authenticatedAt
        #expect(identity.isProven(within: .seconds(300), at: Date()))
        #expect(!identity.isProven(within: .seconds(300), bySecondFactor: true, at: Date()))
        await #expect(throws: IdentityError.invalidCredentials) {
            _ = try await again.again(by: identity, password: "wrong horse", declared: nil, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.invalid("password", "must have at most 1024 bytes")) {
            _ = try await again.again(
                by: identity, password: String(repeating: "\u{FDFA}", count: 100), declared: nil, origin: makeOrigin())
        }
        #expect(tokens.grants.count == 1)
    }
}

/// Keeps what tokens are asked for on.
final class RecordingTokens: AccessTokenMinting {
    private let kept = Mutex<[AccessTokenGrant]>([])

    var grants: [AccessTokenGrant] { kept.withLock { $0 } }

    func mint(_ grant: AccessTokenGrant) -> MintedAccessToken {
        kept.withLock { $0.append(grant) }
        return MintedAccessToken(token: "access", expiresIn: 1_800)
    }
}
