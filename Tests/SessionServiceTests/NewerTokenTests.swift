import Contracts
import Crypto
import Foundation
import Logging
import MicroMiddleware
import SessionService
import Testing

/// During a rolling upgrade: a replica of the version to come has written a token that this one cannot read.
@Suite("A refresh token of a newer version")
struct NewerTokenTests {
    private let repository = InMemorySessionRepository()
    private let ring: KeyRing
    private let codec: RefreshTokenCodec

    init() throws {
        ring = try KeyRing.ephemeral()
        codec = RefreshTokenCodec(ring: ring, now: { Example.now })
    }

    @Test("is not signed out here: nothing ends, so that another replica can do all of it")
    func signOut() async throws {
        let signOut = SignOut(
            repository: repository, codec: codec, lifetime: Example.lifetime,
            announcer: RevocationAnnouncer(
                set: RevocationSet(), recent: RecentSessions(), redis: nil,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            now: { Example.now })
        let ann = Example.user()
        let (present, other) = (
            try await opened(in: repository, of: ann), try await opened(in: repository, of: ann)
        )
        for identity in [nil, claims(of: present)] {
            await #expect(throws: RefreshTokenError.newerForm) {
                try await signOut.signOut(
                    identity: identity, refreshToken: try newerForm(other), actor: Example.actor,
                    deadline: Example.deadline)
            }
        }
        let alive = await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(alive.count == 2)
    }

    @Test("is not called inactive")
    func inspection() async throws {
        let inspection = TokenInspection(
            repository: repository, codec: codec, verify: { _ in throw TokenError.expired },
            lifetime: Example.lifetime, now: { Example.now })
        let session = try await opened(in: repository)
        await #expect(throws: RefreshTokenError.newerForm) {
            _ = try await inspection.inspect(
                try newerForm(session), tenantID: session.tenantID, deadline: Example.deadline)
        }
    }

    private func claims(of session: Session) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: session.userID, tenantID: session.tenantID, roles: ["member"],
            sessionID: session.id, tokenID: UUID(), issuedAt: Example.now, expiresAt: Example.now + 60,
            authenticatedAt: Example.now, methods: ["pwd"])
    }

    /// A session's first token, in a version that does not exist yet.
    private func newerForm(_ session: Session) throws -> String {
        let token = RefreshToken(sessionID: session.id, generation: 0, expiresAt: session.idleExpiresAt)
        let text = try codec.encode(token).dropFirst("art_".count)
        var body = try #require(Base64URLText.bytes(String(text))).dropLast(32)
        body[0] = 3
        let key = try #require(ring.snapshot.signingKey(for: .refresh))
        guard case .hs256(let secret) = key.material else { throw RefreshTokenError.noActiveKey }
        let tag = HMAC<SHA256>.authenticationCode(for: Data(body), using: secret)
        return "art_" + Base64URLText.text(Array(body) + tag)
    }
}
