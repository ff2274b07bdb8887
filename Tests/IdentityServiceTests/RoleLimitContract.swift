import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("How many roles one may hold, in every store", .serialized)
struct RoleLimitContract {
    private static let tooMany = IdentityError.invalid("roles", "must be at most 32")

    @Test("is what a token carries, however they are given", arguments: IdentityStore.allCases)
    func giving(store: IdentityStore) async throws {
        #expect(Membership.maximumRoles <= AccessTokenClaims.maximumListCount)
        let (world, owner, names) = try await world(in: store)
        let ann = try await world.person("ann")
        // With member these are as many as may be.
        let most = Array(names.prefix(31))
        func assign(_ change: @escaping @Sendable ([String]) -> [String]) async throws -> [String] {
            try await world.roles.assign(to: ann.subject, by: owner, origin: makeOrigin(), change).after
        }
        #expect(try await assign { $0 + most }.count == 32)
        await #expect(throws: Self.tooMany) { _ = try await assign { $0 + [names[31]] } }
        #expect(try await world.user(ann.subject)?.roles.count == 32)
        #expect(try await assign { $0.filter { $0 != names[0] } + [names[31]] }.count == 32)

        let origin = makeOrigin()
        await #expect(throws: Self.tooMany) {
            _ = try await world.creation.create(UserForm(username: "many", roles: names), by: owner, origin: origin)
        }
        let made = try await world.creation.create(UserForm(username: "most", roles: most), by: owner, origin: origin)
        #expect(made.user.roles.count == 32)
        await #expect(throws: Self.tooMany) {
            _ = try await world.invitations.create(
                email: nil, roles: names, lifetime: nil, by: owner, origin: origin)
        }
        let invited = try await world.invitations.create(
            email: nil, roles: most, lifetime: nil, by: owner, origin: origin)
        #expect(invited.invitation.roles.count == 32)
        let joined = try await Registration(repository: world.store.repository, hasher: CountingHasher()).register(
            RegistrationForm(
                email: "joined@example.org", password: "correct horse", invitationCode: invited.code.text),
            origin: makeOrigin())
        #expect(joined.roles.count == 32)
    }

    @Test("does not keep whoever has more from losing some", arguments: IdentityStore.allCases)
    func losing(store: IdentityStore) async throws {
        let (world, owner, names) = try await world(in: store)
        let bob = try await world.person("bob", roles: names + ["member", "admin"])
        let left = try await world.roles.assign(to: bob.subject, by: owner, origin: makeOrigin()) {
            $0.filter { $0 != names[0] }
        }
        #expect(left.after.count == names.count + 1 && left.after.count > Membership.maximumRoles)
        await #expect(throws: Self.tooMany) {
            _ = try await world.roles.assign(to: bob.subject, by: owner, origin: makeOrigin()) {
                $0.filter { $0 != names[1] } + ["auditor"]
            }
        }
    }

    @Test("lets nobody join by an invitation of before that gives more", arguments: IdentityStore.allCases)
    func joining(store: IdentityStore) async throws {
        let (world, owner, names) = try await world(in: store)
        let (acme, _) = try await world.tenant("acme", by: owner)
        let guest = try await world.person("guest", tenantID: acme.id)
        let code = InvitationCode()
        let invitation = Invitation(
            id: .v7(), tenantID: DefaultTenant.id, roles: names + ["member"], createdBy: owner.subject,
            createdAt: Date(), expiresAt: Date() + 3_600)
        let event = try DomainEvent(
            type: .invitationCreated, subject: invitation.id.text, tenantID: DefaultTenant.id, data: EventDetail())
        _ = try await world.store.invitations.insert(
            invitation, codeHash: code.hash, event: event, deadline: makeOrigin().scope.deadline)
        await #expect(throws: IdentityError.invitationInvalid) {
            _ = try await world.invitations.accept(code.text, by: guest, origin: makeOrigin())
        }
        for invitations in [world.store.invitations, nil] {
            await #expect(throws: IdentityError.invitationInvalid) {
                _ = try await Registration(
                    repository: world.store.repository, hasher: CountingHasher(), invitations: invitations
                ).register(
                    RegistrationForm(
                        email: "late@example.org", password: "correct horse", invitationCode: code.text),
                    origin: makeOrigin())
            }
        }
    }

    /// A tenant with 32 roles of its own.
    private func world(
        in store: IdentityStore
    ) async throws -> (world: TenancyWorld, owner: AccessTokenClaims, names: [String]) {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let names = (0..<32).map { "role-\($0)" }
        for name in names {
            _ = try await world.roles.create(
                name: name, description: "", permissions: ["documents:read"], by: owner, origin: makeOrigin())
        }
        return (world, owner, names)
    }
}
