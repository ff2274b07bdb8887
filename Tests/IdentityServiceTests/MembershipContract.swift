import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Every store of members", .serialized)
struct MembershipContract {
    @Test("lets one person in by an invitation, of fifty at once", arguments: IdentityStore.allCases)
    func oneWins(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let made = try await world.invitations.create(
            email: nil, roles: ["auditor"], lifetime: nil, by: owner, origin: makeOrigin())
        let registration = Registration(repository: world.store.repository, hasher: CountingHasher())
        let winners: [User] = try await withThrowingTaskGroup(of: User?.self) { group in
            for index in 0..<50 {
                group.addTask {
                    do {
                        return try await registration.register(
                            RegistrationForm(
                                email: "guest\(index)@example.org", password: "correct horse",
                                invitationCode: made.code.text),
                            origin: makeOrigin())
                    } catch IdentityError.invitationInvalid {
                        return nil
                    }
                }
            }
            return try await group.reduce(into: []) { if let user = $1 { $0.append(user) } }
        }
        #expect(winners.map(\.roles) == [["auditor", "member"]])
        let all = try await world.users.list(
            UserFilter(text: "guest"), page: Page(), by: owner, origin: makeOrigin())
        #expect(all.users.map(\.id) == winners.map(\.id))
    }

    @Test("keeps an invitation for whom it is, until it is revoked", arguments: IdentityStore.allCases)
    func invitations(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let registration = Registration(repository: world.store.repository, hasher: CountingHasher())
        func register(_ email: String, _ code: String) async throws {
            _ = try await registration.register(
                RegistrationForm(email: email, password: "correct horse", invitationCode: code), origin: makeOrigin())
        }
        let personal = try await world.invitations.create(
            email: "Ann@example.org", roles: [], lifetime: nil, by: owner, origin: makeOrigin())
        await #expect(throws: IdentityError.invitationInvalid) {
            try await register("bob@example.org", personal.code.text)
        }
        // What did not make an account has not used the code up.
        let open = try await world.invitations.create(
            email: nil, roles: [], lifetime: nil, by: owner, origin: makeOrigin())
        try await register("owner@example.org", open.code.text)
        try await register("dora@example.org", open.code.text)
        try await register("ann@example.org", personal.code.text.uppercased())
        let other = try await world.invitations.create(
            email: nil, roles: [], lifetime: nil, by: owner, origin: makeOrigin())
        try await world.invitations.revoke(other.invitation.id, by: owner, origin: makeOrigin())
        await #expect(throws: IdentityError.invitationInvalid) {
            try await register("carl@example.org", other.code.text)
        }
        await #expect(throws: IdentityError.invitationUnknown) {
            try await world.invitations.revoke(other.invitation.id, by: owner, origin: makeOrigin())
        }
    }

    @Test("keeps tenants apart, and lets a guest into both", arguments: IdentityStore.allCases)
    func twoTenants(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let root = try await world.person("root", roles: ["owner"])
        let ann = try await world.person("ann")
        let (acme, owner) = try await world.tenant("acme", by: root)
        #expect(owner.roles == ["member", "owner"])
        #expect(try await world.user(ann.subject, tenantID: acme.id) == nil)
        await #expect(throws: IdentityError.userUnknown) {
            _ = try await world.users.user(ann.subject, by: owner, origin: makeOrigin())
        }
        let made = try await world.invitations.create(
            email: nil, roles: ["auditor"], lifetime: nil, by: owner, origin: makeOrigin())
        _ = try await world.invitations.accept(made.code.text, by: ann, origin: makeOrigin())
        await #expect(throws: IdentityError.invitationInvalid) {
            _ = try await world.invitations.accept(made.code.text, by: ann, origin: makeOrigin())
        }
        let guest = try #require(try await world.user(ann.subject, tenantID: acme.id))
        #expect(guest.isGuest && guest.roles == ["auditor", "member"])
        #expect(try await world.user(ann.subject)?.roles == ["member"])
        // The account is not the host's to change.
        await #expect(throws: IdentityError.self) {
            _ = try await world.users.resetPassword(of: ann.subject, by: owner, origin: makeOrigin())
        }
        let out = try await world.users.setStatus(.disabled, of: ann.subject, by: owner, origin: makeOrigin())
        #expect(out.membership == .suspended && out.status == .active)
        try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        #expect(try await world.user(ann.subject, tenantID: acme.id) == nil)
        #expect(try await world.user(ann.subject)?.status == .active)
    }

    @Test("lets nobody in before approval where the tenant wants it", arguments: IdentityStore.allCases)
    func approval(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        var changes = TenantChanges()
        changes.membership = "approval"
        _ = try await world.tenants.update(DefaultTenant.id, changes, by: owner, origin: makeOrigin())
        let registration = Registration(repository: world.store.repository, hasher: CountingHasher())
        let user = try await registration.register(
            RegistrationForm(email: "ann@example.org", password: "correct horse"), origin: makeOrigin())
        #expect(user.membership == .pending)
        let waiting = try await world.users.list(
            UserFilter(status: .pending), page: Page(), by: owner, origin: makeOrigin())
        #expect(waiting.users.map(\.id) == [user.id])
        try await world.users.decide(on: user.id, approve: true, by: owner, origin: makeOrigin())
        #expect(try await world.user(user.id)?.membership == .active)
        await #expect(throws: IdentityError.userUnknown) {
            try await world.users.decide(on: user.id, approve: true, by: owner, origin: makeOrigin())
        }
        changes.membership = "invitation"
        _ = try await world.tenants.update(DefaultTenant.id, changes, by: owner, origin: makeOrigin())
        await #expect(throws: IdentityError.invalid("invitation_code", "is needed to register here")) {
            _ = try await registration.register(
                RegistrationForm(email: "bob@example.org", password: "correct horse"), origin: makeOrigin())
        }
    }

    @Test("finds users by the beginning of any name, state, role and time", arguments: IdentityStore.allCases)
    func search(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        for (name, phone) in [("anna", "+4930123456"), ("annika", "+4940123456"), ("bert", "+331234567")] {
            _ = try await world.creation.create(
                UserForm(username: name, phone: phone, name: "Dr \(name)"), by: owner, origin: makeOrigin())
        }
        func found(_ filter: UserFilter) async throws -> [String] {
            let page = try await world.users.list(filter, page: Page(), by: owner, origin: makeOrigin())
            #expect(page.total == page.users.count)
            return page.users.map { $0.username ?? "owner" }.sorted()
        }
        #expect(try await found(UserFilter(text: "ann")) == ["anna", "annika"])
        #expect(try await found(UserFilter(text: "dr b")) == ["bert"])
        #expect(try await found(UserFilter(identifier: .guess("ANNA"))) == ["anna"])
        #expect(try await found(UserFilter(identifier: .guess("0049 40 123456"))) == ["annika"])
        #expect(try await found(UserFilter(identifier: .guess("ann"))) == [])
        #expect(try await found(UserFilter(text: "ann", identifier: .guess("bert"))) == [])
        #expect(try await found(UserFilter(identifier: .guess("anna"), status: .disabled)) == [])
        #expect(try await found(UserFilter(text: "+49")) == ["anna", "annika"])
        #expect(try await found(UserFilter(text: "%")) == [])
        #expect(try await found(UserFilter(role: "owner")) == ["owner"])
        #expect(try await found(UserFilter(status: .pending)) == [])
        #expect(try await found(UserFilter(createdFrom: Date() + 60)) == [])
        #expect(try await found(UserFilter(createdFrom: Date() - 600, createdBefore: Date() + 600)).count == 4)
        let bert = try #require(
            try await world.users.list(UserFilter(text: "bert"), page: Page(), by: owner, origin: makeOrigin()).users
                .first)
        await #expect(throws: IdentityError.alreadyRegistered(.username)) {
            let changes = UserChanges(username: try Identifier.username("ANNA"))
            _ = try await world.users.update(bert.id, changes, by: owner, origin: makeOrigin())
        }
        let changed = try await world.users.update(
            bert.id, UserChanges(email: try Identifier.email("bert@example.org")), by: owner, origin: makeOrigin())
        #expect(changed.email == "bert@example.org" && changed.username == "bert")
        #expect(changed.name == "Dr bert")
        let cleared = try await world.users.update(
            bert.id, UserChanges(name: .clear), by: owner, origin: makeOrigin())
        #expect(cleared.name == nil && cleared.email == changed.email)
        if let memory = world.store.repository as? InMemoryIdentityRepository {
            let data = try #require(await memory.events.last).data
            #expect(data.contains(#""fields":"name""#) && !data.contains("bert"))
        }
    }
}
