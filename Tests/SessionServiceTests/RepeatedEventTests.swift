import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import SessionService
import Testing

/// Identity tells itself what takes access away, and the broker delivers it once more: at once, or when it is back.
@Suite("An event that identity has told itself, and that comes once more hours later, in every store", .serialized)
struct RepeatedEventTests {
    /// By identity's database.
    private static let happenedAt = Example.now + 10
    /// Long after that, and before it comes once more.
    private static let later = Example.now + 7_200

    @Test(
        "ends what was signed in before it, once, and nothing that came to be after it was told",
        arguments: SessionStore.allCases, [EventType.userDisabled, .membershipRemoved, .passwordChanged])
    func users(store: SessionStore, type: EventType) async throws {
        let room = try Room(try await store.make())
        let ann = Example.user()
        let before = try await room.open(ann)
        let event = try Self.event(type, about: ann.id, tenant: ann.tenantID)
        try await room.tell([event])
        #expect(try await room.isEnded(before))
        let told = try await room.revocations()
        #expect(told.count == (type == .passwordChanged ? 1 : 2))
        // They were let in again; the second one came from another tenant, where they had signed in before all that.
        let again = try await room.open(ann, authenticatedAt: Self.later, at: Self.later)
        let switched = try await room.open(ann, at: Self.later)
        let device = try await room.trust(by: ann, at: Self.later)
        // What nobody had adopted yet is older than it seems.
        let adopted = try await room.open(ann, at: Self.later, origin: .adopted)
        try await room.events.apply(event)
        for session in [again, switched] { #expect(try await !room.isEnded(session)) }
        #expect(try await room.isEnded(adopted))
        #expect(try await room.isKnown(device))
        let after = try await room.revocations()
        #expect(after.filter { $0.kind == .user } == told.filter { $0.kind == .user })
        #expect(Set(after.map(\.subjectID)) == Set(told.map(\.subjectID) + [adopted.id]))
    }

    @Test("forgets the devices that were trusted until then", arguments: SessionStore.allCases)
    func devices(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let ann = Example.user()
        let device = try await room.trust(by: ann, at: Self.happenedAt + 1)
        #expect(try await room.isKnown(device))
        try await room.tell([try Self.event(.userDisabled, about: ann.id, tenant: ann.tenantID)])
        #expect(try await !room.isKnown(device))
    }

    @Test("leaves a password to be changed that an administrator has set", arguments: SessionStore.allCases)
    func oneTimePassword(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        // Told or not: the event may come after the login that it made possible.
        for isTold in [true, false] {
            let ann = Example.user()
            let event = try Self.event(.passwordChanged, about: ann.id, tenant: ann.tenantID)
            if isTold { try await room.tell([event]) }
            let session = try await room.open(
                ann, authenticatedAt: Self.happenedAt + 5, at: Self.happenedAt + 5, mustChangePassword: true)
            try await room.events.apply(event)
            let found = try await room.repository.session(
                session.id, tenantID: ann.tenantID, deadline: Example.deadline)
            #expect(found?.mustChangePassword == true && found?.end == nil)
        }
    }

    @Test("suspends a tenant once, and not what was signed in after that was over", arguments: SessionStore.allCases)
    func tenants(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let ann = Example.user()
        let before = try await room.open(ann)
        let event = try Self.event(.tenantSuspended, about: ann.tenantID, tenant: ann.tenantID)
        try await room.tell([event])
        #expect(try await room.isEnded(before))
        let (again, adopted) = (
            try await room.open(ann, authenticatedAt: Self.later, at: Self.later),
            try await room.open(ann, at: Self.later, origin: .adopted)
        )
        try await room.events.apply(event)
        #expect(try await !room.isEnded(again))
        #expect(try await room.isEnded(adopted))
        #expect(try await room.revocations().map(\.kind) == [.tenant])
    }

    @Test(
        "refuses the tokens of roles once, and brings a snapshot up to date each time",
        arguments: SessionStore.allCases)
    func roles(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        var ann = Example.user()
        ann.roles = ["admin"]
        let before = try await room.open(ann)
        let event = try Self.event(
            .rolesChanged, about: ann.id, tenant: ann.tenantID, details: ["roles": "member", "reduced": "true"])
        try await room.tell([event])
        let adopted = try await room.open(ann, at: Self.later, origin: .adopted)
        try await room.events.apply(event)
        for session in [before, adopted] {
            let found = try await room.repository.session(
                session.id, tenantID: ann.tenantID, deadline: Example.deadline)
            #expect(found?.user.roles == ["member"] && found?.end == nil)
        }
        #expect(try await room.revocations().map(\.kind) == [.user])
    }

    @Test(
        "is told as it is stored, beside others, of which one that fails stops none", arguments: SessionStore.allCases)
    func notice(store: SessionStore) async throws {
        let room = try Room(try await store.make())
        let people = (0..<9).map { _ in Example.user() }
        var events = try people.map { try Self.event(.userDisabled, about: $0.id, tenant: $0.tenantID) }
        let notice = IdentityEventsNotice(events: events)
        let text = try StrictJSON.encode(notice)
        #expect(try StrictJSON.decode(IdentityEventsNotice.self, from: Array(text)) == notice)
        var sessions: [Session] = []
        for user in people { sessions.append(try await room.open(user)) }
        events.insert(
            DomainEvent(
                id: .v7(), type: .userDisabled, subject: UUID().text, tenantID: DefaultTenant.id,
                time: EventTime(Self.happenedAt), json: #"{"actor_id":7}"#), at: 2)
        await #expect(throws: (any Error).self) { try await room.tell(events) }
        for session in sessions { #expect(try await room.isEnded(session)) }
    }

    private static func event(
        _ type: EventType, about subject: UUID, tenant: UUID, details: [String: String]? = nil
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: subject.text, tenantID: tenant, time: happenedAt,
            data: EventDetail(actorID: UUID(), actorType: "user", details: details))
    }
}

/// The rules over one store.
private struct Room {
    let repository: any SessionRepository & TrustedDeviceRepository
    let events: IdentityEvents

    init(_ repository: any SessionRepository & TrustedDeviceRepository) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.repository = repository
        let (codec, recent) = (RefreshTokenCodec(ring: try KeyRing.ephemeral()), RecentSessions())
        let announcer = RevocationAnnouncer(set: RevocationSet(), recent: recent, redis: nil, logger: logger)
        events = IdentityEvents(
            opening: Opening(
                repository: repository, codec: codec, lifetime: Example.lifetime, recent: recent,
                announcer: announcer),
            // When this service hears of it, whichever time that is.
            signOut: SignOut(
                repository: repository, codec: codec, lifetime: Example.lifetime, announcer: announcer,
                now: { Example.now + 12 }),
            deviceTrust: DeviceTrust(repository: repository), repository: repository, logger: logger)
    }

    func tell(_ events: [DomainEvent]) async throws {
        try await self.events.apply(events, deadline: Example.deadline)
    }

    func open(
        _ user: UserSnapshot, authenticatedAt: Date = Example.now, at now: Date = Example.now,
        origin: Session.Origin = .login, mustChangePassword: Bool = false
    ) async throws -> Session {
        var session = Example.session(of: user, authenticatedAt: authenticatedAt, now: now)
        session.origin = origin
        session.mustChangePassword = mustChangePassword
        return try await repository.insert(
            session, limit: nil, actor: Example.actor, deadline: Example.deadline
        ).session
    }

    func isEnded(_ session: Session) async throws -> Bool {
        try await repository.session(session.id, tenantID: session.tenantID, deadline: Example.deadline)?.end != nil
    }

    func revocations() async throws -> [Revocation] {
        try await repository.revocations(after: 0, limit: 99, now: Example.now, deadline: Example.deadline).revocations
    }

    func trust(by user: UserSnapshot, at time: Date) async throws -> TrustedDevice {
        let device = TrustedDevice(
            id: .v7(), tenantID: user.tenantID, userID: user.id, sessionID: .v7(), name: "phone",
            tokenHash: [UInt8](repeating: 7, count: 32), createdAt: time, expiresAt: time + 86_400)
        let event = try DomainEvent(
            type: .deviceTrusted, subject: user.id.text, tenantID: user.tenantID, data: EventDetail())
        try await repository.add(device, event: event, deadline: Example.deadline)
        return device
    }

    func isKnown(_ device: TrustedDevice) async throws -> Bool {
        try await repository.use(
            device.tokenHash, of: device.userID, tenantID: device.tenantID, now: device.createdAt,
            deadline: Example.deadline)
    }
}
