import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Synchronization
import Testing

@Suite("Session is told by identity itself", .serialized)
struct SessionNoticeTests {
    @Test("of whatever takes access away or changes roles, as it is stored", arguments: IdentityStore.allCases)
    func everything(kind: IdentityStore) async throws {
        let made = try await kind.makeWithCodes()
        let listener = Listener()
        let world = TenancyWorld(made.tenancy, notices: Self.notices(listener))
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        let origin = makeOrigin()
        _ = try await world.users.setStatus(.disabled, of: ann.subject, by: owner, origin: origin)
        _ = try await world.users.setStatus(.active, of: ann.subject, by: owner, origin: origin)
        _ = try await world.users.resetPassword(of: ann.subject, by: owner, origin: origin)
        _ = try await world.roles.assign(to: ann.subject, by: owner, origin: origin) { $0 + ["admin"] }
        _ = try await world.roles.assign(to: ann.subject, by: owner, origin: origin) { _ in ["member"] }
        _ = try await world.roles.create(
            name: "editor", description: "", permissions: ["documents:read"], by: owner, origin: origin)
        for _ in 0..<2 {  // the second time nothing changes
            _ = try await world.roles.assign(to: ann.subject, by: owner, origin: origin) { _ in ["editor", "member"] }
        }
        _ = try await world.roles.update(
            "editor", description: nil, permissions: ["documents:write"], by: owner, origin: origin)
        try await world.roles.delete("editor", by: owner, origin: origin)
        _ = try await world.roles.assign(to: ann.subject, by: owner, origin: origin) { _ in ["member"] }
        try await world.users.delete(ann.subject, by: owner, origin: origin)

        let (acme, host) = try await world.tenant("acme", by: owner)
        let guest = try await world.person("guest")
        func invite() async throws {
            let invitation = try await world.invitations.create(
                email: nil, roles: [], lifetime: nil, by: host, origin: origin)
            _ = try await world.invitations.accept(invitation.code.text, by: guest, origin: origin)
        }
        try await invite()
        _ = try await world.users.setStatus(.disabled, of: guest.subject, by: host, origin: origin)
        try await world.users.delete(guest.subject, by: host, origin: origin)
        try await invite()
        try await TenantSwitch(
            repository: made.tenancy.repository, memberships: made.tenancy.memberships, sessions: FakeSessions(),
            tokens: FakeTokens(), notices: Self.notices(listener), logger: Self.logger
        ).leave(acme.id, by: guest, origin: origin)
        _ = try await world.tenants.setStatus(.suspended, of: acme.id, by: owner, origin: origin)
        _ = try await world.tenants.setStatus(.active, of: acme.id, by: owner, origin: origin)

        let expected: [EventType] = [
            .userDisabled, .passwordChanged, .rolesChanged, .rolesChanged, .rolesChanged, .rolesChanged, .rolesChanged,
            .userDeleted, .membershipRemoved, .membershipRemoved, .membershipRemoved, .tenantSuspended,
        ]
        #expect(listener.events.map(\.type) == expected)
        let stored = try await made.events()
        for event in listener.events {
            // With the time that the store gave it, by which it is known when it comes again.
            #expect(stored.filter { $0.id == event.id } == [event], "\(event.type)")
        }
    }

    @Test("of a password that its owner has changed, and of which session stays", arguments: IdentityStore.allCases)
    func ownPassword(kind: IdentityStore) async throws {
        let made = try await kind.makeWithCodes()
        let listener = Listener()
        let ann = try await TenancyWorld(made.tenancy).person("ann")
        _ = try await PasswordChange(
            repository: made.users, hasher: CountingHasher(), tokens: FakeTokens(),
            notices: Self.notices(listener)
        ).change(by: ann, from: "correct horse", to: "another horse", origin: makeOrigin())
        let event = try #require(listener.events.first)
        #expect(listener.events.count == 1 && event.type == .passwordChanged)
        #expect(try await made.events().filter { $0.id == event.id } == [event])
        let detail = try JSONDecoder().decode(EventDetail.self, from: Data(event.data.utf8))
        #expect(detail.sessionID == ann.sessionID)
    }

    @Test("and what it cannot be told of is done all the same")
    func away() async throws {
        let listener = Listener(isAway: true)
        let world = TenancyWorld(try await IdentityStore.memory.makeTenancy(), notices: Self.notices(listener))
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        let disabled = try await world.users.setStatus(.disabled, of: ann.subject, by: owner, origin: makeOrigin())
        #expect(disabled.status == .disabled)
        // However much time the request has, and though none of it is left.
        for time in [Duration.seconds(10), .seconds(-1)] {
            let origin = RequestOrigin(scope: RequestScope(deadline: .after(time)))
            await Self.notices(listener).tell([try Self.event(.userDisabled)], origin: origin)
        }
        #expect(listener.patience.count == 3)
        #expect(listener.patience.allSatisfy { $0 > .zero && $0 <= .milliseconds(400) })
    }

    @Test("of many in a few calls, and not of more than there is time for")
    func many() async throws {
        let listener = Listener()
        let events = try (0..<230).map { _ in try Self.event(.rolesChanged) }
        await Self.notices(listener).tell([try Self.event(.roleUpdated)] + events, origin: makeOrigin())
        #expect(listener.calls == [50, 50, 50, 50])
        #expect(listener.events == Array(events.prefix(200)))
        let silent = Listener(isAway: true)
        await Self.notices(silent).tell(events, origin: makeOrigin())
        #expect(silent.patience.count == 1)
        let idle = Listener()
        await Self.notices(idle).tell([try Self.event(.userEnabled)], origin: makeOrigin())
        #expect(idle.calls.isEmpty)
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func notices(_ listener: Listener) -> SessionNotices { SessionNotices(listener, logger: logger) }

    private static func event(_ type: EventType) throws -> DomainEvent {
        try DomainEvent(type: type, subject: UUID().text, tenantID: DefaultTenant.id, data: EventDetail())
    }
}

/// Session, away or not, and what it was told.
private final class Listener: SessionTelling {
    private let isAway: Bool
    private let state = Mutex((notices: [IdentityEventsNotice](), patience: [Duration]()))

    init(isAway: Bool = false) {
        self.isAway = isAway
    }

    var events: [DomainEvent] { state.withLock { $0.notices.flatMap(\.events) } }
    var calls: [Int] { state.withLock { $0.notices.map(\.events.count) } }
    /// How long an answer was waited for, at most.
    var patience: [Duration] { state.withLock { $0.patience } }

    func tell(_ notice: IdentityEventsNotice, scope: RequestScope) throws {
        state.withLock { $0.patience.append(scope.deadline.remaining) }
        if isAway { throw ServiceCallError.unavailable(target: "session", mayHaveActed: false) }
        state.withLock { $0.notices.append(notice) }
    }
}
