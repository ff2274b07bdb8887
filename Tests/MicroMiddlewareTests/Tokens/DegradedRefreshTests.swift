import Contracts
import Foundation
import MicroMiddleware
import Testing

@Suite("Refreshing on the token's own word")
struct DegradedRefreshTests {
    let forge: TokenForge
    let revocations = RevocationSet()
    let token: RefreshToken
    let grant: RefreshGrant

    init() throws {
        let forge = try TokenForge()
        self.forge = forge
        grant = RefreshGrant(
            userID: UUID(), tenantID: UUID(), roles: ["member"], methods: ["pwd"], mustChangePassword: false,
            authenticatedAt: forge.time.now - 600, confirmedAt: forge.time.now, userCreatedAt: forge.time.now - 9_000)
        token = RefreshToken(
            sessionID: UUID(), generation: 3, expiresAt: forge.time.now + 86_400, grant: grant)
    }

    private func answer(_ token: RefreshToken, after seconds: TimeInterval = 0) throws -> SignInAnswer {
        try DegradedRefresh(tokens: RecordingTokens(), revocations: revocations).answer(
            token, text: "art_x", at: forge.time.now + seconds)
    }

    @Test("It gives five minutes, the refresh token that it is told to, and what the login gave")
    func gives() throws {
        let answer = try answer(token, after: 3_599)
        #expect(answer.expiresIn == 300)
        #expect(answer.refreshToken == "art_x")
        #expect(answer.degraded)
        #expect(answer.user.id == grant.userID && answer.user.roles == ["member"])
        #expect(answer.accessToken.contains(token.sessionID.text))
        let readAt = (forge.time.now + 3_599).timeIntervalSince1970
        #expect(answer.accessToken.hasSuffix(" \(readAt)"), "what is revoked after that concerns it")
    }

    @Test("An hour after the database confirmed the session it gives nothing, nor to a clock that is behind")
    func bounded() {
        for seconds in [3_600.0, 86_000, -61] {
            #expect(throws: DegradedRefresh.Refusal.self) { try answer(token, after: seconds) }
        }
        var bare = token
        bare.grant = nil
        #expect(throws: DegradedRefresh.Refusal.self) { try answer(bare) }
    }

    @Test("What this process has heard revoked stays revoked: the session, the user's tokens until then, the tenant's")
    func revoked() throws {
        let until = forge.time.now + 7_200
        revocations.revoke(userID: grant.userID, issuedBefore: grant.confirmedAt - 1, until: until)
        _ = try answer(token)
        let acts: [() -> Void] = [
            { revocations.revoke(sessionID: token.sessionID, until: until) },
            { revocations.revoke(userID: grant.userID, issuedBefore: grant.confirmedAt + 1, until: until) },
            { revocations.revoke(tenantID: grant.tenantID, issuedBefore: grant.confirmedAt + 1, until: until) },
        ]
        for act in acts {
            act()
            #expect(throws: DegradedRefresh.Refusal.self) { try answer(token) }
        }
    }

    @Test("Whose roles in the tenant were refused has to wait for what is true, and is not signed out")
    func reduced() throws {
        revocations.revoke(
            userID: grant.userID, in: grant.tenantID, issuedBefore: grant.confirmedAt + 1,
            until: forge.time.now + 7_200)
        #expect(try refusal().map { if case .nothingToGoBy = $0 { true } else { false } } == true)
        revocations.revoke(sessionID: token.sessionID, until: forge.time.now + 7_200)
        #expect(try refusal().map { if case .revoked = $0 { true } else { false } } == true)
    }

    private func refusal() throws -> DegradedRefresh.Refusal? {
        do {
            _ = try answer(token)
            return nil
        } catch let refusal as DegradedRefresh.Refusal {
            return refusal
        }
    }
}

private struct RecordingTokens: AccessTokenMinting {
    func mint(_ grant: AccessTokenGrant) -> MintedAccessToken {
        MintedAccessToken(
            token: "\(grant.sessionID.text) \(grant.methods) \(grant.claimsReadAt?.timeIntervalSince1970 ?? 0)",
            expiresIn: Int(grant.lifetime?.components.seconds ?? 1_800))
    }
}
