import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Postgres
import Testing

@Suite("Accounts that an administrator deletes", .serialized)
struct DeletionTests {
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("are deleted as their users would, and are known to be gone when every service has said so")
    func tracked() async throws {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let world = TenancyWorld(tenancy)
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        let row = try #require(
            try await database.query(
                """
                SELECT d.id, d.email, d.erased, u.status, u.email IS NULL AS is_empty,
                    (SELECT count(*) FROM memberships m WHERE m.user_id = u.id) AS memberships,
                    (SELECT count(*) FROM passwords p WHERE p.user_id = u.id) AS passwords
                FROM deletions d JOIN users u ON u.id = d.user_id WHERE d.user_id = \(ann.subject)
                """, deadline: soon
            ).first)
        #expect(try row.decode(String.self, "email") == "ann@example.org")
        #expect(try row.decode([String].self, "erased") == ["identity"])
        #expect(try row.decode(String.self, "status") == "deleted" && row.decode(Bool.self, "is_empty"))
        #expect(try row.decode(Int.self, "memberships") == 0 && row.decode(Int.self, "passwords") == 0)
        let id = try row.decode(UUID.self, "id")
        #expect(try await types(in: database, about: ann.subject).last == .userDeleted)
        let deletions = PostgresDeletionRepository(database: database)
        for service in ["session", "profile", "mfa"] {
            #expect(try await deletions.deletion(id, deadline: soon)?.completedAt == nil)
            let completion = try DomainEvent(
                type: .userErased, subject: ann.subject.text, tenantID: ann.tenantID, data: EventDetail())
            try await deletions.recordErasure(
                of: ann.subject, tenantID: ann.tenantID, by: service, completion: completion, deadline: soon)
        }
        #expect(try await deletions.deletion(id, deadline: soon)?.completedAt != nil)
        #expect(try await types(in: database, about: ann.subject).last == .userErased)
        await #expect(throws: IdentityError.userUnknown) {
            try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        }
    }

    @Test("and those that are turned away leave nothing in other services either")
    func turnedAway() async throws {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let world = TenancyWorld(tenancy)
        let owner = try await world.person("owner", roles: ["owner"])
        var changes = TenantChanges()
        changes.membership = "approval"
        _ = try await world.tenants.update(DefaultTenant.id, changes, by: owner, origin: makeOrigin())
        let user = try await Registration(repository: tenancy.repository, hasher: CountingHasher()).register(
            RegistrationForm(email: "ann@example.org", password: "correct horse"), origin: makeOrigin())
        try await world.users.decide(on: user.id, approve: false, by: owner, origin: makeOrigin())
        #expect(try await types(in: database, about: user.id).suffix(2) == [.membershipRejected, .userDeleted])
        let count = try await database.query(
            "SELECT count(*) AS count FROM deletions WHERE user_id = \(user.id)", deadline: soon
        ).first?.decode(Int.self, "count")
        #expect(count == 1)
    }

    @Test("and a copy of one's data says where one is a member, and which devices are remembered")
    func copied() async throws {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let world = TenancyWorld(tenancy)
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        let (acme, host) = try await world.tenant("acme", by: owner)
        let invitation = try await world.invitations.create(
            email: nil, roles: ["auditor"], lifetime: nil, by: host, origin: makeOrigin())
        _ = try await world.invitations.accept(invitation.code.text, by: ann, origin: makeOrigin())
        try await database.query(
            """
            INSERT INTO remembered_devices (id, user_id, tenant_id, user_agent, created_at, expires_at)
            VALUES (\(UUID.v7()), \(ann.subject), \(ann.tenantID), 'curl/8', now(), now() + interval '1 day')
            """, deadline: soon)
        let deletions = PostgresDeletionRepository(database: database)
        #expect(try await deletions.hosts(of: ann.subject, deadline: soon) == [acme.id])
        let parts = try await deletions.personalData(of: ann.subject, tenantID: ann.tenantID, deadline: soon)
        let memberships = try #require(parts["memberships"])
        #expect(memberships.contains(acme.id.text) && memberships.contains(ann.tenantID.text))
        #expect(memberships.contains("auditor") && parts["account"]?.contains("auditor") == false)
        #expect(parts["remembered_devices"]?.contains("curl/8") == true)
    }

    @Test("and take the invitations of their address with them, if it is theirs", arguments: [true, false])
    func invitations(isVerified: Bool) async throws {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let world = TenancyWorld(tenancy)
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        if isVerified {
            try await database.query(
                "UPDATE users SET email_verified_at = now() WHERE id = \(ann.subject)", deadline: soon)
        }
        let (acme, host) = try await world.tenant("acme", by: owner)
        let taken = try await world.invitations.create(
            email: nil, roles: [], lifetime: nil, by: host, origin: makeOrigin())
        _ = try await world.invitations.accept(taken.code.text, by: ann, origin: makeOrigin())
        let waiting = try await world.invitations.create(
            email: "ann@example.org", roles: [], lifetime: nil, by: host, origin: makeOrigin())
        try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        let left: [UUID] = try await database.query(
            "SELECT id FROM invitations WHERE tenant_id = \(acme.id) AND created_by = \(host.subject)", deadline: soon
        ).column("id")
        #expect(left == (isVerified ? [] : [waiting.invitation.id]))
    }

    @Test("but never those of another tenant")
    func foreign() async throws {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let world = TenancyWorld(tenancy)
        let owner = try await world.person("owner", roles: ["owner"])
        let (_, stranger) = try await world.tenant("acme", by: owner)
        let event = try DomainEvent(
            type: .userDeleted, subject: stranger.subject.text, tenantID: owner.tenantID, data: EventDetail())
        await #expect(throws: IdentityError.userUnknown) {
            try await tenancy.directory.delete(
                stranger.subject, tenantID: owner.tenantID, event: event, because: nil, deadline: soon)
        }
        #expect(try await types(in: database, about: stranger.subject).contains(.userDeleted) == false)
    }

    private func types(in database: PostgresClient, about user: UUID) async throws -> [EventType] {
        let types: [String] = try await database.query(
            "SELECT type FROM outbox WHERE subject = \(user.text) ORDER BY ordinal", deadline: soon
        ).column("type")
        return types.map(EventType.init(rawValue:))
    }
}
