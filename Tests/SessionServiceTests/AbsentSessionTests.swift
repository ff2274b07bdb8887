import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import SessionService
import Testing

@Suite("Signing out of a session that is not here, in every store", .serialized)
struct AbsentSessionTests {
    @Test(
        "refuses its token from then on, and what would adopt it finds it ended",
        arguments: SessionStore.allCases)
    func adoptedLater(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let ann = Example.user()
        let claims = Self.claims(of: ann)
        try await room.signOut(claims)
        #expect(room.revocations.contains(claims))
        let page = try await repository.revocations(after: 0, limit: 9, now: Example.now, deadline: Example.deadline)
        #expect(page.revocations.map(\.subjectID) == [claims.sessionID])
        #expect(page.revocations.map(\.kind) == [.session])
        #expect(page.revocations.map(\.expiresAt) == [Example.lifetime.revokedUntil(from: Example.now)])
        // What lets it be adopted was under way; and whoever signs out once more has nothing to end.
        try await room.events.apply(try Self.pending(claims))
        try await room.signOut(claims)
        let found = try await repository.session(
            claims.sessionID, tenantID: ann.tenantID, deadline: Example.deadline)
        #expect(found?.end?.reason == .logout && found?.origin == .login)
        // So long it is remembered (Sweep.session).
        #expect(found.map { $0.absoluteExpiresAt <= Example.now } == true)
        let after = try await repository.revocations(after: 0, limit: 9, now: Example.now, deadline: Example.deadline)
        #expect(after.revocations == page.revocations)
    }

    @Test("ends the one that has been adopted meanwhile", arguments: SessionStore.allCases)
    func adoptedBefore(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let claims = Self.claims(of: Example.user())
        try await room.events.apply(try Self.pending(claims))
        try await room.signOut(claims)
        #expect(room.revocations.contains(claims))
        let found = try await repository.session(
            claims.sessionID, tenantID: claims.tenantID, deadline: Example.deadline)
        #expect(found?.end?.reason == .logout && found?.origin == .adopted && found?.isTombstone == false)
    }

    @Test("is what a user does by its id, and an administrator with its token", arguments: SessionStore.allCases)
    func otherWays(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let ann = Example.user()
        let (own, found, foreign) = (
            Self.claims(of: ann), Self.claims(of: ann), Self.claims(of: Example.user(tenant: .v7()))
        )
        try await room.rules.end(own.sessionID, by: own, actor: Example.actor, deadline: Example.deadline)
        let administrator = Self.claims(of: Example.user())
        func end(_ claims: AccessTokenClaims) async throws -> Int {
            try await room.rules.end(
                sessionOf: claims, by: administrator, actor: Example.actor, deadline: Example.deadline)
        }
        #expect(try await end(found) == 1)
        #expect(try await end(found) == 0)
        #expect(try await end(foreign) == 0)
        #expect(room.revocations.contains(own) && room.revocations.contains(found))
        #expect(!room.revocations.contains(foreign))
        for (claims, reason) in [(own, RevocationReason.revokedByUser), (found, .administrator)] {
            let end = try await repository.session(
                claims.sessionID, tenantID: ann.tenantID, deadline: Example.deadline)?.end
            #expect(end?.reason == reason)
        }
        // A mere id, that anybody may make up, leaves nothing.
        let madeUp = UUID.v7()
        await #expect(throws: SessionError.sessionUnknown) {
            try await room.rules.end(madeUp, by: own, actor: Example.actor, deadline: Example.deadline)
        }
        #expect(
            try await room.rules.end(
                these: [madeUp], by: administrator, actor: Example.actor, deadline: Example.deadline) == 0)
        #expect(try await repository.owner(of: madeUp, deadline: Example.deadline) == nil)
    }

    @Test("leaves nothing in lists and counts", arguments: SessionStore.allCases)
    func unlisted(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let ann = Example.user()
        let gone = try await opened(in: repository, of: ann)
        _ = try await repository.revoke(Example.ending(.one(gone.id)), deadline: Example.deadline)
        try await room.signOut(Self.claims(of: ann))
        for status in SessionFilter.Status.allCases {
            let page = try await repository.sessions(
                SessionFilter(status: status), tenantID: ann.tenantID, offset: 0, limit: 9, now: Example.now,
                deadline: Example.deadline)
            let expected = status == .revoked || status == .all ? [gone.id] : []
            #expect(page.sessions.map(\.id) == expected && page.total == expected.count, "\(status)")
        }
        let mine = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(mine.isEmpty)
        let statistics = try await repository.statistics(
            of: ann.tenantID, now: Example.now + 1, deadline: Example.deadline)
        #expect(statistics.activeSessions == 0 && statistics.openedToday == 1)
        #expect(statistics.endedToday == ["logout": 1])
    }

    @Test("leaves nothing in the copy of somebody's data, and nothing when that is erased")
    func personalData() async throws {
        let database = try await SessionStore.database()
        let repository = PostgresSessionRepository(database: database)
        let ann = Example.user()
        let session = try await opened(in: repository, of: ann)
        let claims = Self.claims(of: ann)
        try await Room(repository).signOut(claims)
        let part = try #require(PersonalData.session.export(ann.id, [ann.tenantID]).first { $0.name == "sessions" })
        let text = try await database.query(part.sql, deadline: Example.deadline).first?.decode(String.self, "json")
        #expect(text?.contains(session.id.text) == true && text?.contains(claims.sessionID.text) == false)
        for statement in PersonalData.session.erasure(ann.id) {
            try await database.query(statement, deadline: Example.deadline)
        }
        #expect(try await repository.owner(of: claims.sessionID, deadline: Example.deadline) == nil)
    }

    /// What the token of a login says whose session nobody has opened.
    private static func claims(of user: UserSnapshot) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "i", audience: "a", subject: user.id, tenantID: user.tenantID, roles: user.roles, sessionID: .v7(),
            tokenID: .v7(), issuedAt: Example.now, expiresAt: Example.now + 1_800, authenticatedAt: Example.now,
            methods: ["pwd"])
    }

    private static func pending(_ claims: AccessTokenClaims) throws -> DomainEvent {
        try DomainEvent(
            type: .sessionPending, subject: claims.sessionID.text, tenantID: claims.tenantID,
            data: PendingSession(
                actorID: claims.subject, sessionID: claims.sessionID, roles: claims.roles, methods: claims.methods,
                authenticatedAt: claims.authenticatedAt, mustChangePassword: false, userCreatedAt: Example.now))
    }
}

/// The rules over one store, with what verifiers know of revocations.
private struct Room {
    let revocations = RevocationSet()
    let rules: SignOut
    let events: IdentityEvents

    init(_ repository: any SessionRepository & TrustedDeviceRepository) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (codec, recent) = (RefreshTokenCodec(ring: try KeyRing.ephemeral()), RecentSessions())
        let announcer = RevocationAnnouncer(set: revocations, recent: recent, redis: nil, logger: logger)
        rules = SignOut(
            repository: repository, codec: codec, lifetime: Example.lifetime, announcer: announcer,
            now: { Example.now })
        events = IdentityEvents(
            opening: Opening(
                repository: repository, codec: codec, lifetime: Example.lifetime, recent: recent,
                announcer: announcer, now: { Example.now }),
            signOut: rules, deviceTrust: DeviceTrust(repository: repository), repository: repository, logger: logger)
    }

    func signOut(_ claims: AccessTokenClaims) async throws {
        try await rules.signOut(
            identity: claims, refreshToken: nil, actor: Example.actor, deadline: Example.deadline)
    }
}
