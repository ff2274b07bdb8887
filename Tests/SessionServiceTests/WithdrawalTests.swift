import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import SessionService
import Testing

@Suite("The session of a login that was refused after all, in every store", .serialized)
struct WithdrawalTests {
    @Test("ends, once, and no other session with it", arguments: SessionStore.allCases)
    func atOnce(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let ann = Example.user()
        let (kept, refused) = (try await opened(in: repository, of: ann), try await opened(in: repository, of: ann))
        func withdraw(of user: UUID) async throws -> Int {
            try await room.signOut.withdraw(
                refused.id, of: user, tenantID: ann.tenantID, actor: Example.actor, deadline: Example.deadline)
        }
        #expect(try await withdraw(of: UUID()) == 0)
        #expect(try await withdraw(of: ann.id) == 1)
        #expect(try await withdraw(of: ann.id) == 0)
        let alive = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(alive.map(\.id) == [kept.id])
        let end = try await repository.session(refused.id, tenantID: ann.tenantID, deadline: Example.deadline)?.end
        #expect(end?.reason == .loginRefused)
    }

    @Test("ends by an event as well, also where it was adopted first", arguments: SessionStore.allCases)
    func byEvent(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let (ann, sessionID) = (Example.user(), UUID.v7())
        let pending = try DomainEvent(
            type: .sessionPending, subject: sessionID.text, tenantID: ann.tenantID,
            data: PendingSession(
                actorID: ann.id, sessionID: sessionID, roles: ["member"], methods: ["pwd"],
                authenticatedAt: Example.now, mustChangePassword: false, userCreatedAt: Example.now))
        let withdrawn = try DomainEvent(
            type: .sessionWithdrawn, subject: ann.id.text, tenantID: ann.tenantID,
            data: EventDetail(actorID: ann.id, actorType: "user", sessionID: sessionID))
        // Each may come twice.
        for event in [pending, withdrawn, pending, withdrawn] { try await room.events.apply(event) }
        let end = try await repository.session(sessionID, tenantID: ann.tenantID, deadline: Example.deadline)?.end
        #expect(end?.reason == .loginRefused)
    }

    @Test("stays ended where what opens or adopts it comes after that", arguments: SessionStore.allCases)
    func overtaken(store: SessionStore) async throws {
        let repository = try await store.make()
        let room = try Room(repository)
        let (ann, adopted, answered) = (Example.user(), UUID.v7(), UUID.v7())
        for id in [adopted, answered] {
            let count = try await room.signOut.withdraw(
                id, of: ann.id, tenantID: ann.tenantID, actor: Example.actor, deadline: Example.deadline)
            #expect(count == 1)
        }
        let pending = try DomainEvent(
            type: .sessionPending, subject: adopted.text, tenantID: ann.tenantID,
            data: PendingSession(
                actorID: ann.id, sessionID: adopted, roles: ["member"], methods: ["pwd"],
                authenticatedAt: Example.now, mustChangePassword: false, userCreatedAt: Example.now,
                policy: SessionPolicy(maximumSessions: 1)))
        let kept = try await opened(in: repository, of: ann)
        try await room.events.apply(pending)
        _ = try await room.opening.open(
            CreateSessionRequest(
                sessionID: answered, user: ann, methods: ["pwd"], authenticatedAt: Example.now,
                mustChangePassword: false), requestID: nil, deadline: Example.deadline)
        // Nor does it end another to find room.
        let alive = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(alive.map(\.id) == [kept.id])
        for id in [adopted, answered] {
            let found = try await repository.session(id, tenantID: ann.tenantID, deadline: Example.deadline)
            #expect(found?.end?.reason == .loginRefused)
            // So long it is remembered (Sweep.session).
            #expect(found.map { $0.absoluteExpiresAt <= Example.now } == true)
        }
    }
}

/// The rules over one store.
private struct Room {
    let opening: Opening
    let signOut: SignOut
    let events: IdentityEvents

    init(_ repository: any SessionRepository & TrustedDeviceRepository) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (codec, recent) = (RefreshTokenCodec(ring: try KeyRing.ephemeral()), RecentSessions())
        let announcer = RevocationAnnouncer(set: RevocationSet(), recent: recent, redis: nil, logger: logger)
        opening = Opening(
            repository: repository, codec: codec, lifetime: Example.lifetime, recent: recent, announcer: announcer,
            now: { Example.now })
        signOut = SignOut(
            repository: repository, codec: codec, lifetime: Example.lifetime, announcer: announcer,
            now: { Example.now })
        events = IdentityEvents(
            opening: opening, signOut: signOut, deviceTrust: DeviceTrust(repository: repository),
            repository: repository, logger: logger)
    }
}
