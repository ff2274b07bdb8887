import ConnectionKit
import Contracts
import Crypto
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Testing

@Suite("Refreshing at identity")
struct RefreshFallbackTests {
    let repository = InMemoryIdentityRepository()
    let ring: KeyRing
    let revocations = RevocationSet()
    let user: User
    var codec: RefreshTokenCodec { RefreshTokenCodec(ring: ring) }

    init() async throws {
        ring = try KeyRing.ephemeral()
        user = try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(email: "ann@example.org", password: "correct horse"), origin: makeOrigin())
    }

    @Test("What the session service says counts, whatever it is, as long as it says anything")
    func sessionDecides() async throws {
        let refused = FakeRefreshing(
            failure: .rejected(target: "session", status: 503, envelope: nil))
        let text = try text()
        await #expect(throws: ServiceCallError.self) { try await fallback(refused).refresh(text, origin: makeOrigin()) }
        let answer = try await fallback(FakeRefreshing(failure: nil)).refresh(text, origin: makeOrigin())
        #expect(answer.accessToken == "from session" && !answer.degraded)
    }

    @Test(
        "Where it cannot be reached the token buys five minutes, and that is recorded",
        arguments: [
            ServiceCallError.unavailable(target: "session", mayHaveActed: true), .deadlineExceeded(target: "session"),
        ])
    func degraded(failure: ServiceCallError) async throws {
        let text = try text()
        let answer = try await fallback(FakeRefreshing(failure: failure)).refresh(text, origin: makeOrigin())
        #expect(answer.degraded)
        // The token goes back, and says that it did: session needs nobody to tell it.
        let (before, back) = (try codec.decode(text), try codec.decode(try #require(answer.refreshToken)))
        #expect(back.sessionID == before.sessionID && back.generation == 1 && back.expiresAt == before.expiresAt)
        #expect(before.grant?.fallbacks == RefreshFallbacks.none)
        #expect(back.grant?.fallbacks.edition == 1 && back.grant?.fallbacks.cover(Date()) == true)
        #expect(answer.user.email == "ann@example.org")
        let event = try #require(await repository.events.last)
        #expect(event.type == .refreshDegraded)
        // By which session takes back what it may have exchanged before it fell silent, for those who did not get this either.
        #expect(event.data.contains(#""generation":"1""#) && event.data.contains(#""edition":"0""#))
    }

    @Test("Session will be told of it, whatever was answered, and a second answer makes up for a first that was lost")
    func noted() async throws {
        let away = fallback(FakeRefreshing(failure: .deadlineExceeded(target: "session")))
        let session = UUID()
        let text = try text(sessionID: session)
        _ = try await away.refresh(text, origin: makeOrigin())
        let stale = try self.text(sessionID: session, confirmedAt: Date() - 3_601)
        await #expect(throws: IdentityError.onlySessionKnows) { try await away.refresh(stale, origin: makeOrigin()) }
        let noted = await repository.unansweredRefreshes(limit: 10, deadline: makeOrigin().scope.deadline).map(
            \.refresh)
        #expect(noted.map(\.sessionID) == [session, session])
        #expect(noted.map(\.generation) == [1, 1] && noted.map(\.edition) == [0, 0])
        #expect(await repository.events.filter { $0.type == .refreshDegraded }.count == 1)
        let long = UnansweredRefresh(sessionID: session, generation: 1, edition: 0, askedAt: Date() - 600)
        _ = await repository.note(long, until: Date() + 3_600, event: nil, deadline: makeOrigin().scope.deadline)
        let again = try await away.refresh(text, origin: makeOrigin())
        let fallbacks = try codec.decode(try #require(again.refreshToken)).grant?.fallbacks
        #expect(fallbacks?.edition == 1)
        #expect(fallbacks?.cover(Date() - 605) == true && fallbacks?.cover(Date() - 300) == false)
    }

    @Test("With too little time left to ask anybody nothing is given, and nothing noted")
    func tooLate() async throws {
        let away = fallback(FakeRefreshing(failure: .deadlineExceeded(target: "session")))
        let text = try text()
        for left in [Duration.zero, .milliseconds(900)] {
            let origin = RequestOrigin(ip: nil, userAgent: nil, scope: RequestScope(deadline: .after(left)))
            await #expect(throws: IdentityError.tooLittleTime) { try await away.refresh(text, origin: origin) }
        }
        #expect(await repository.events.allSatisfy { $0.type != .refreshDegraded })
        #expect(await repository.unansweredRefreshes(limit: 10, deadline: makeOrigin().scope.deadline).isEmpty)
    }

    @Test("Rubbish is refused before anybody is asked")
    func rubbish() async throws {
        await #expect(throws: RefreshTokenError.malformed) {
            try await fallback(FakeRefreshing(failure: nil)).refresh("art_AAAA", origin: makeOrigin())
        }
    }

    @Test("What a newer version wrote is left to session, and buys nothing here")
    func newerForm() async throws {
        let newer = try newerForm(of: try text())
        let answer = try await fallback(FakeRefreshing(failure: nil)).refresh(newer, origin: makeOrigin())
        #expect(answer.accessToken == "from session")
        await #expect(throws: ServiceCallError.self) {
            try await fallback(FakeRefreshing(failure: .unavailable(target: "session", mayHaveActed: false)))
                .refresh(newer, origin: makeOrigin())
        }
        #expect(await repository.events.allSatisfy { $0.type != .refreshDegraded })
    }

    @Test("Somebody disabled, gone, or with a new password since gets nothing")
    func changedSince() async throws {
        let text = try text()
        #expect(try await refusal(of: text) == nil)
        #expect(try await refusal(of: try self.text(authenticatedAt: user.createdAt - 60)) == .onlySessionKnows)
        #expect(try await refusal(of: try self.text(userID: UUID())) == .refreshTokenInvalid)
        let event = try DomainEvent(
            type: .userDisabled, subject: user.id.text, tenantID: user.tenantID, data: EventDetail())
        _ = try await repository.setStatus(
            .disabled, of: user.id, tenantID: user.tenantID, event: event, deadline: makeOrigin().scope.deadline)
        #expect(try await refusal(of: text) == .accountDisabled)
    }

    @Test("A revoked session gets nothing, and a token without a grant or of more than an hour ago must wait")
    func refused() async throws {
        #expect(try await refusal(of: try text(confirmedAt: Date() - 3_601)) == .onlySessionKnows)
        let session = UUID()
        revocations.revoke(sessionID: session, until: Date() + 3_600)
        #expect(try await refusal(of: try text(sessionID: session)) == .refreshTokenRevoked)
        let bare = RefreshToken(sessionID: UUID(), generation: 0, expiresAt: Date() + 3_600)
        #expect(try await refusal(of: try RefreshTokenCodec(ring: ring).encode(bare)) == .onlySessionKnows)
    }

    // MARK: -

    private func refusal(of text: String) async throws -> IdentityError? {
        do {
            _ = try await fallback(FakeRefreshing(failure: .deadlineExceeded(target: "session"))).refresh(
                text, origin: makeOrigin())
            return nil
        } catch let error as IdentityError { return error }
    }

    /// A token with a flag that this version does not know.
    private func newerForm(of text: String) throws -> String {
        var body = try #require(Base64URLText.bytes(String(text.dropFirst(4)))).dropLast(32)
        body[37] |= 4
        let key = try #require(ring.snapshot.signingKey(for: .refresh))
        guard case .hs256(let secret) = key.material else { throw RefreshTokenError.noActiveKey }
        let sealed = Data(body) + HMAC<SHA256>.authenticationCode(for: Data(body), using: secret)
        return "art_" + Base64URLText.text(Array(sealed))
    }

    private func fallback(_ sessions: FakeRefreshing) -> RefreshFallback {
        RefreshFallback(
            sessions: sessions, codec: RefreshTokenCodec(ring: ring),
            degraded: DegradedRefresh(tokens: FakeTokens(), revocations: revocations), repository: repository,
            unanswered: UnansweredRefreshes(
                store: repository, sessions: FakeSettling(), metrics: MetricsRegistry(),
                logger: Logger(label: "test")),
            logger: Logger(label: "test"))
    }

    private func text(
        sessionID: UUID = UUID(), userID: UUID? = nil, authenticatedAt: Date? = nil, confirmedAt: Date = Date()
    ) throws -> String {
        try RefreshTokenCodec(ring: ring).encode(
            RefreshToken(
                sessionID: sessionID, generation: 1, expiresAt: Date() + 3_600,
                grant: RefreshGrant(
                    userID: userID ?? user.id, tenantID: user.tenantID, roles: ["member"], methods: ["pwd"],
                    mustChangePassword: false, authenticatedAt: authenticatedAt ?? user.createdAt + 1,
                    confirmedAt: confirmedAt, userCreatedAt: user.createdAt)))
    }
}

private struct FakeSettling: RefreshSettling {
    func settle(_ notice: UnansweredRefreshNotice, scope: RequestScope) {}
}

/// A session service that refreshes, or fails in a given way.
private struct FakeRefreshing: SessionRefreshing {
    var failure: ServiceCallError?

    func refresh(_ refreshToken: String, scope: RequestScope) throws -> SignInAnswer {
        if let failure { throw failure }
        return SignInAnswer(
            accessToken: "from session", refreshToken: "next", expiresIn: 1_800,
            user: UserSnapshot(id: UUID(), tenantID: UUID(), status: "active", roles: [], createdAt: Date()),
            mustChangePassword: false)
    }
}
