import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware

/// What codes that are mailed are made under.
let testPepper = Secret("a pepper of thirty-two bytes or so")

/// Rules over one store, and people to try them with.
struct TenancyWorld {
    let store: Tenancy
    let roles: RoleAdministration
    let tenants: TenantAdministration
    let invitations: Invitations
    let users: UserAdministration
    let creation: UserCreation
    let check: PermissionCheck

    /// - Parameter notices: who is told of what they do.
    init(_ store: Tenancy, notices: SessionNotices? = nil) {
        self.store = store
        let cache = RoleCache { try await store.roles.roles(tenantID: $0, deadline: $1) }
        roles = RoleAdministration(roles: store.roles, cache: cache, notices: notices)
        tenants = TenantAdministration(tenants: store.tenants, notices: notices)
        invitations = Invitations(
            invitations: store.invitations, memberships: store.memberships, roles: store.roles,
            codes: InvitationCodes(pepper: testPepper))
        users = UserAdministration(
            repository: store.repository, directory: store.directory, memberships: store.memberships,
            roles: store.roles, hasher: CountingHasher(), notices: notices)
        creation = UserCreation(repository: store.repository, roles: store.roles, hasher: CountingHasher())
        check = PermissionCheck(cache: cache)
    }

    /// Somebody with roles, made as the first version of the suite made users.
    func person(
        _ name: String, roles: [String] = ["member"], tenantID: UUID = DefaultTenant.id
    ) async throws -> AccessTokenClaims {
        let user = NewUser(
            id: .v7(), tenantID: tenantID, identifiers: [try Identifier.email("\(name)@example.org")], name: nil,
            passwordHash: "v1:correct horse", mustChangePassword: false, roles: roles)
        let event = try DomainEvent(
            type: .userRegistered, subject: user.id.text, tenantID: tenantID, data: EventDetail())
        return claims(try await store.repository.insert(user, event: event, deadline: makeOrigin().scope.deadline))
    }

    /// What a token of theirs would say now.
    func claims(_ user: User) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: user.id, tenantID: user.tenantID, roles: user.roles,
            sessionID: .v7(), tokenID: .v7(), issuedAt: Date(), expiresAt: Date() + 1_800, authenticatedAt: Date(),
            methods: ["pwd"], permissions: user.permissions)
    }

    func user(_ id: UUID, tenantID: UUID = DefaultTenant.id) async throws -> User? {
        try await store.repository.account(id, tenantID: tenantID, deadline: makeOrigin().scope.deadline)?.user
    }

    /// Another tenant, with its owner.
    func tenant(_ slug: String, by operator: AccessTokenClaims) async throws -> (Tenant, owner: AccessTokenClaims) {
        var changes = TenantChanges()
        (changes.slug, changes.name) = (slug, slug)
        let made = try await tenants.create(changes, by: `operator`, origin: makeOrigin())
        let user = try await Registration(repository: store.repository, hasher: CountingHasher()).register(
            RegistrationForm(
                email: "owner@\(slug).example.org", password: "correct horse", tenantID: made.tenant.id,
                invitationCode: made.ownerCode.text),
            origin: makeOrigin())
        return (made.tenant, claims(user))
    }
}
