import Contracts
import Foundation
import SessionService
import Testing

@Suite("Administration of sessions and devices, in every store", .serialized)
struct AdministrationContract {
    private static let elsewhere = UserSnapshot(
        id: .v7(), tenantID: .v7(), status: "active", roles: [], createdAt: Example.now)

    @Test(
        "A tenant's sessions are found by status, user, address and device; another tenant's never",
        arguments: SessionStore.allCases)
    func filters(store: SessionStore) async throws {
        let repository = try await store.make()
        let (ann, bob) = (Example.user(), Example.user())
        let session = try await opened(in: repository, of: ann)
        let other = try await opened(in: repository, of: bob)
        _ = try await opened(in: repository, of: Self.elsewhere)
        _ = try await repository.revoke(Example.ending(.one(other.id)), deadline: Example.deadline)
        func found(_ filter: SessionFilter, at now: Date = Example.now) async throws -> [UUID] {
            let page = try await repository.sessions(
                filter, tenantID: DefaultTenant.id, offset: 0, limit: 10, now: now, deadline: Example.deadline)
            #expect(page.total == page.sessions.count)
            return page.sessions.map(\.id)
        }
        #expect(try await found(SessionFilter()) == [session.id])
        #expect(try await found(SessionFilter(status: .revoked)) == [other.id])
        #expect(Set(try await found(SessionFilter(status: .all))) == [session.id, other.id])
        #expect(try await found(SessionFilter(), at: Example.now + 40 * 86_400).isEmpty)
        #expect(try await found(SessionFilter(status: .expired), at: Example.now + 40 * 86_400) == [session.id])
        #expect(try await found(SessionFilter(status: .all, userID: bob.id)) == [other.id])
        #expect(try await found(SessionFilter(ip: "192.0.2.1")) == [session.id])
        #expect(try await found(SessionFilter(ip: "192.0.2.2")).isEmpty)
        #expect(try await found(SessionFilter(device: "CUR")) == [session.id])
        let statistics = try await repository.statistics(
            of: DefaultTenant.id, now: Example.now + 1, deadline: Example.deadline)
        #expect(statistics.activeSessions == 1 && statistics.activeUsers == 1 && statistics.openedToday == 2)
        #expect(statistics.byDevice == ["curl": 1] && statistics.endedToday == ["logout": 1])
    }

    @Test("Ending a tenant ends its sessions and no other's, and is one revocation", arguments: SessionStore.allCases)
    func tenant(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let session = try await opened(in: repository, of: ann)
        _ = try await opened(in: repository, of: Self.elsewhere)
        let ending = Example.ending(.these([]), reason: .tenantRevoked)
        let (revocation, count) = try await repository.revokeTenant(
            DefaultTenant.id, ending, deadline: Example.deadline)
        #expect(revocation?.kind == .tenant && revocation?.issuedBefore == Example.now && count == 1)
        let result = try await repository.refresh(
            RefreshClaim(sessionID: session.id, generation: 0), lifetime: Example.lifetime, now: Example.now,
            actor: Example.actor, deadline: Example.deadline)
        guard case .revoked = result else {
            Issue.record("not revoked: \(result)")
            return
        }
        let listed = try await repository.revocations(
            of: DefaultTenant.id, offset: 0, limit: 10, now: Example.now, deadline: Example.deadline)
        #expect(listed.total == 1 && listed.revocations.map(\.kind) == [.tenant])
        let others = try await repository.sessions(
            of: Self.elsewhere.id, tenantID: Self.elsewhere.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(others.count == 1)
    }

    @Test(
        "A device is known by its token, to its user, until it is forgotten or expires",
        arguments: SessionStore.allCases)
    func devices(store: SessionStore) async throws {
        let repository = try await store.make()
        let (ann, bob) = (Example.user(), Example.user())
        let device = Self.device(of: ann, number: 1)
        let event = try DomainEvent(
            type: .deviceTrusted, subject: ann.id.text, tenantID: ann.tenantID, data: EventDetail())
        try await repository.add(device, event: event, deadline: Example.deadline)
        func isKnown(_ user: UserSnapshot, at now: Date = Example.now) async throws -> Bool {
            try await repository.use(
                device.tokenHash, of: user.id, tenantID: user.tenantID, now: now, deadline: Example.deadline)
        }
        #expect(try await isKnown(ann))
        #expect(try await !isKnown(bob))
        #expect(try await !isKnown(ann, at: device.expiresAt))
        let listed = try await repository.devices(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(listed.map(\.id) == [device.id] && listed[0].lastUsedAt == Example.now)
        #expect(
            try await repository.forget(
                device.id, of: bob.id, tenantID: bob.tenantID, event: event, deadline: Example.deadline) == 0)
        #expect(
            try await repository.forget(
                device.id, of: ann.id, tenantID: ann.tenantID, event: event, deadline: Example.deadline) == 1)
        #expect(try await !isKnown(ann))
    }

    @Test("Of more than twenty devices the oldest go", arguments: SessionStore.allCases)
    func bounded(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let event = try DomainEvent(
            type: .deviceTrusted, subject: ann.id.text, tenantID: ann.tenantID, data: EventDetail())
        let devices = (1...23).map { Self.device(of: ann, number: $0) }
        for device in devices {
            let added = try DomainEvent(
                type: event.type, subject: event.subject, tenantID: event.tenantID, data: EventDetail())
            try await repository.add(device, event: added, deadline: Example.deadline)
        }
        let listed = try await repository.devices(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(listed.map(\.id) == devices.suffix(20).reversed().map(\.id))
    }

    private static func device(of user: UserSnapshot, number: Int) -> TrustedDevice {
        TrustedDevice(
            id: .v7(), tenantID: user.tenantID, userID: user.id, sessionID: .v7(), name: "device \(number)",
            tokenHash: [UInt8](repeating: UInt8(number), count: 32), createdAt: Example.now + Double(number),
            expiresAt: Example.now + 86_400)
    }
}
