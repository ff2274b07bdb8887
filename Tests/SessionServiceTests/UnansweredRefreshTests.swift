import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import SessionService
import Synchronization
import Testing

@Suite("A refresh whose answer is lost")
struct UnansweredRefreshTests {
    /// A clock that stands until it is moved.
    private final class Clock: Sendable {
        private let offset = Mutex(TimeInterval(0))
        var now: Date { Example.now + offset.withLock { $0 } }
        func advance(_ seconds: TimeInterval) { offset.withLock { $0 += seconds } }
    }

    private let repository = InMemorySessionRepository()
    private let clock = Clock()
    private let codec: RefreshTokenCodec
    private let ring: KeyRing
    private let refresh: Refresh

    init() throws {
        let (ring, clock) = (try KeyRing.ephemeral(), clock)
        let codec = RefreshTokenCodec(ring: ring, now: { clock.now })
        self.ring = ring
        self.codec = codec
        refresh = Self.makeRefresh(repository, codec, ring: ring, clock: clock)
    }

    /// A replica of its own, on the same store.
    private func makeRefresh() -> Refresh { Self.makeRefresh(repository, codec, ring: ring, clock: clock) }

    private static func makeRefresh(
        _ repository: InMemorySessionRepository, _ codec: RefreshTokenCodec, ring: KeyRing, clock: Clock
    ) -> Refresh {
        let recent = RecentSessions()
        return Refresh(
            repository: repository, codec: codec, tokens: TokenIssuer(ring: ring, issuer: "i", audience: "a"),
            lifetime: Example.lifetime, recent: recent,
            announcer: RevocationAnnouncer(
                set: RevocationSet(), recent: recent, redis: nil,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            stall: StallDetector(), now: { clock.now })
    }

    /// The text of a session's first token.
    private func first(of session: Session) throws -> String {
        try codec.encode(
            RefreshToken(
                sessionID: session.id, generation: 0, expiresAt: session.idleExpiresAt,
                grant: RefreshGrant(
                    userID: session.userID, tenantID: session.tenantID, roles: [], methods: ["pwd"],
                    mustChangePassword: false, authenticatedAt: Example.now, confirmedAt: Example.now,
                    userCreatedAt: Example.now)))
    }

    private func exchange(_ text: String) async throws -> SignInAnswer {
        try await refresh.refresh(text, actor: Example.actor, deadline: Example.deadline)
    }

    @Test(
        "is no theft when its owner comes again with the same token, however long the outage was",
        arguments: [PostgresError.Kind.connectionLost(outcomeUnknown: true), .deadlineExceeded])
    func lost(failure: PostgresError.Kind) async throws {
        let session = try await opened(in: repository)
        let text = try first(of: session)
        await repository.loseAnswers(true, to: failure)
        #expect(try await exchange(text).degraded)
        await repository.loseAnswers(false)
        clock.advance(120)
        let whole = try await exchange(text)
        #expect(!whole.degraded && whole.refreshToken != text)
        // It was answered this time: used once more, it is theft.
        clock.advance(120)
        await #expect(throws: SessionError.refreshTokenReused) { _ = try await exchange(text) }
    }

    @Test("is no theft to another replica either, which knows of it by the token alone, twice in a row")
    func elsewhere() async throws {
        let session = try await opened(in: repository)
        await repository.loseAnswers(true)
        let short = try await exchange(try first(of: session))
        clock.advance(60)
        let shorter = try await makeRefresh().refresh(
            try #require(short.refreshToken), actor: Example.actor, deadline: Example.deadline)
        #expect(shorter.degraded && shorter.refreshToken != short.refreshToken)
        await repository.loseAnswers(false)
        clock.advance(60)
        let text = try #require(shorter.refreshToken)
        let whole = try await makeRefresh().refresh(text, actor: Example.actor, deadline: Example.deadline)
        #expect(!whole.degraded)
        // It was answered this time: used once more, it is theft.
        clock.advance(60)
        let other = makeRefresh()
        await #expect(throws: SessionError.refreshTokenReused) {
            _ = try await other.refresh(text, actor: Example.actor, deadline: Example.deadline)
        }
    }

    @Test(
        "A database that there was no time to ask is not one that is away: nothing is given and nothing noted",
        arguments: [Duration.zero, .milliseconds(200)])
    func tooLate(left: Duration) async throws {
        let session = try await opened(in: repository)
        let text = try first(of: session)
        #expect(try await !exchange(text).degraded)
        clock.advance(120)
        // Used up, and sent so that the deadline comes first.
        await #expect(throws: SessionError.tooLittleTime) {
            _ = try await refresh.refresh(text, actor: Example.actor, deadline: .after(left))
        }
        // The gateway may ask identity, which asks this service again and gives it time.
        #expect(SessionError.tooLittleTime.apiError.isNotActedOn)
        await #expect(throws: SessionError.refreshTokenReused) { _ = try await exchange(text) }
    }

    @Test("What is kept of them is bounded")
    func bounded() {
        let unanswered = UnansweredRefreshes(capacity: 4)
        let claims = (0..<20).map { _ in RefreshClaim(sessionID: UUID(), generation: 0) }
        for claim in claims { unanswered.note(claim, at: Example.now) }
        #expect(claims.filter { unanswered.moments(of: $0) != nil }.count <= 4)
        #expect(unanswered.moments(of: claims[19])?.contains(Example.now) == true)
        unanswered.forget(claims[19])
        #expect(unanswered.moments(of: claims[19]) == nil)
    }
}
