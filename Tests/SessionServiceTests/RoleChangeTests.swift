import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import SessionService
import Synchronization
import Testing

@Suite("A change of what a user may do, in every store", .serialized)
struct RoleChangeTests {
    private static let changedAt = Example.now + 10

    @Test(
        "refuses the tokens of before, and not that of a refresh which began before it and read what is true",
        arguments: SessionStore.allCases)
    func overlapping(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let session = try await opened(in: room.repository)
        let before = try await room.refresh(session, generation: 0, began: Self.changedAt - 5)
        try await room.events.apply(try Self.event(of: session, roles: "admin", reduced: true))
        #expect(throws: TokenError.revoked) { try room.verifier.verify(before.accessToken) }
        // It waited for the row: it began a moment before what was before was refused, and is answered after that.
        let after = try await room.refresh(session, generation: 1, began: room.refusedAt - 0.3)
        #expect(try room.verifier.verify(after.accessToken).roles == ["admin"])
    }

    @Test("leaves a session that has not been refreshed since in its user's list", arguments: SessionStore.allCases)
    func listed(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let session = try await opened(in: room.repository)
        try await room.events.apply(try Self.event(of: session, roles: "admin", reduced: true))
        let list = CachedSessions(room.repository, revocations: room.revocations, cache: nil)
        let found = try await list.sessions(
            of: session.userID, tenantID: session.tenantID, now: Example.now + 20, deadline: Example.deadline)
        #expect(found.map(\.id) == [session.id])
    }

    @Test("that comes late, or once more, does not bring back what a later one took", arguments: SessionStore.allCases)
    func late(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let session = try await opened(in: room.repository)
        let given = try Self.event(of: session, roles: "admin,member", reduced: false)
        let taken = try Self.event(of: session, at: Self.changedAt + 1, roles: "member", reduced: true)
        for event in [given, taken, given] { try await room.events.apply(event) }
        #expect(try await room.roles(of: session) == ["member"])
        // Nor to whom it is old news.
        let later = try await room.repository.insert(
            Example.session(of: session.user, authenticatedAt: Self.changedAt + 3_600), limit: nil,
            actor: Example.actor, deadline: Example.deadline
        ).session
        try await room.events.apply(given)
        #expect(try await room.roles(of: later) == ["member"])
        var elsewhere = Example.session(of: session.user)
        elsewhere.createdAt = Self.changedAt + 3_600  // by a change of tenants, long after the sign-in
        elsewhere = try await room.repository.insert(
            elsewhere, limit: nil, actor: Example.actor, deadline: Example.deadline
        ).session
        try await room.events.apply(given)
        #expect(try await room.roles(of: elsewhere) == ["member"])
        // What was adopted has the roles of its sign-in.
        var adopted = Example.session(of: session.user)
        adopted.origin = .adopted
        adopted.createdAt = Self.changedAt + 3_600
        adopted = try await room.repository.insert(
            adopted, limit: nil, actor: Example.actor, deadline: Example.deadline
        ).session
        try await room.events.apply(given)
        #expect(try await room.roles(of: adopted) == ["admin", "member"])
        let meanwhile = try await room.repository.insert(
            Example.session(of: session.user, authenticatedAt: Self.changedAt + 1), limit: nil, actor: Example.actor,
            deadline: Example.deadline
        ).session
        try await room.events.apply(given)
        #expect(try await room.roles(of: meanwhile) == ["admin", "member"])
    }

    @Test("takes the moment when no refresh can give the roles of before any more", arguments: SessionStore.allCases)
    func locked(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        let refreshing = Mutex<Task<RefreshResult, any Error>?>(nil)
        let ending = Example.ending(
            .all(user: session.userID, except: nil, authenticatedUntil: nil), reason: .rolesReduced)
        _ = try await repository.changeRoles(
            of: session.userID, tenantID: session.tenantID,
            RolesChange(roles: ["auditor"], permissions: nil, changedAt: Self.changedAt),
            refusing: {
                let task = Task { try await refresh(session, generation: 0, in: repository) }
                refreshing.withLock { $0 = task }
                return ending
            }, deadline: Example.deadline)
        let task = try #require(refreshing.withLock { $0 })
        guard case .rotated(let next) = try await task.value else {
            Issue.record("the refresh gave no successor")
            return
        }
        #expect(next.user.roles == ["auditor"] && next.tokensRefusedAt == ending.now)
    }

    @Test("signs nobody out whose database is down: they wait for what is true")
    func withoutDatabase() async throws {
        let repository = InMemorySessionRepository()
        let room = try Room(repository)
        let session = try await opened(in: repository)
        _ = try await room.refresh(session, generation: 0, began: Self.changedAt - 5)
        try await room.events.apply(try Self.event(of: session, roles: "admin", reduced: true))
        await repository.loseAnswers(true)
        await #expect(throws: PostgresError.self) {
            _ = try await room.refresh(session, generation: 1, began: room.refusedAt + 0.5)
        }
        await repository.loseAnswers(false)
        let after = try await room.refresh(session, generation: 1, began: room.refusedAt + 0.6)
        #expect(try room.verifier.verify(after.accessToken).roles == ["admin"])
    }

    private static func event(
        of session: Session, at time: Date = changedAt, roles: String, reduced: Bool
    ) throws -> DomainEvent {
        try DomainEvent(
            type: .rolesChanged, subject: session.userID.text, tenantID: session.tenantID, time: time,
            data: EventDetail(
                actorID: session.userID, actorType: "user",
                details: ["roles": roles, "reduced": reduced ? "true" : "false"]))
    }
}

/// The rules over one store, with what verifiers know of revocations.
private struct Room {
    let repository: any SessionRepository & TrustedDeviceRepository
    let revocations = RevocationSet()
    let events: IdentityEvents
    let verifier: TokenVerifier
    /// By this service's clock, when it hears of a change.
    let refusedAt = Example.now + 12
    private let ring: KeyRing
    private let recent = RecentSessions()
    private let announcer: RevocationAnnouncer

    init(_ repository: any SessionRepository & TrustedDeviceRepository) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.repository = repository
        ring = try KeyRing.ephemeral()
        announcer = RevocationAnnouncer(set: revocations, recent: recent, redis: nil, logger: logger)
        let (codec, refusedAt) = (RefreshTokenCodec(ring: ring, now: { Example.now }), refusedAt)
        verifier = TokenVerifier(
            ring: ring, issuer: "i", audience: "a", revocations: revocations, now: { Example.now + 13 })
        events = IdentityEvents(
            opening: Opening(
                repository: repository, codec: codec, lifetime: Example.lifetime, recent: recent,
                announcer: announcer),
            signOut: SignOut(
                repository: repository, codec: codec, lifetime: Example.lifetime, announcer: announcer,
                now: { refusedAt }),
            deviceTrust: DeviceTrust(repository: repository), repository: repository, logger: logger)
    }

    /// Exchanges the token of a generation, for somebody who asked at a moment and is answered later.
    func refresh(_ session: Session, generation: UInt32, began: Date) async throws -> SignInAnswer {
        let answeredAt = Example.now + 13
        let codec = RefreshTokenCodec(ring: ring, now: { answeredAt })
        let refresh = Refresh(
            repository: repository, codec: codec,
            tokens: TokenIssuer(ring: ring, issuer: "i", audience: "a", now: { answeredAt }),
            lifetime: Example.lifetime, recent: recent, announcer: announcer, stall: StallDetector(), now: { began })
        let text = try codec.encode(
            RefreshToken(
                sessionID: session.id, generation: generation, expiresAt: session.idleExpiresAt,
                grant: RefreshGrant(
                    userID: session.userID, tenantID: session.tenantID, roles: [], methods: ["pwd"],
                    mustChangePassword: false, authenticatedAt: Example.now, confirmedAt: Example.now,
                    userCreatedAt: Example.now)))
        return try await refresh.refresh(text, actor: Example.actor, deadline: Example.deadline)
    }

    func roles(of session: Session) async throws -> [String]? {
        try await repository.session(session.id, tenantID: session.tenantID, deadline: Example.deadline)?.user.roles
    }
}
