import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Testing

@Suite("What a tenant's users sign in by", .serialized)
struct LoginMethodTests {
    @Test(
        "Nobody signs in, or is taken in to sign in, by what the tenant does not take",
        arguments: IdentityStore.allCases)
    func methods(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let made = try await world.tenant("acme", by: try await world.person("root", roles: ["owner"]))
        let (tenant, owner) = (made.0.id, made.owner)
        try await register("ann", email: "ann@example.org", in: tenant, of: world)
        try await set(["email"], of: tenant, by: owner, in: world)

        let hasher = CountingHasher()
        let signIn = SignIn(
            repository: world.store.repository, hasher: hasher, sessions: FakeSessions(), tokens: FakeTokens(),
            logger: Logger(label: "test"))
        func attempt(_ identity: String) async throws {
            _ = try await signIn.signIn(
                SignInAttempt(identity: identity, password: "correct horse", tenantID: tenant), origin: makeOrigin())
        }
        try await attempt("ann@example.org")
        for identity in ["ann", "nobody"] {
            let before = hasher.runs
            await #expect(throws: IdentityError.invalidCredentials) { try await attempt(identity) }
            #expect(hasher.runs == before + 1)
        }

        let refusal = IdentityError.invalid("email", "is needed to sign in here")
        await #expect(throws: refusal) { try await register("bob", email: nil, in: tenant, of: world) }
        await #expect(throws: refusal) {
            _ = try await world.creation.create(UserForm(username: "carl"), by: owner, origin: makeOrigin())
        }
        // Others may come along: an address to recover by, beside the name to sign in by.
        try await set(["email", "phone"], of: tenant, by: owner, in: world)
        try await register("dora", email: "dora@example.org", in: tenant, of: world)
    }

    @Test("A tenant takes what one of its owners can sign in by", arguments: IdentityStore.allCases)
    func owners(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let made = try await world.tenant("acme", by: try await world.person("root", roles: ["owner"]))
        // The owner has an e-mail address alone.
        await #expect(throws: IdentityError.invalid("login_methods", "must leave an owner a name to sign in by")) {
            try await set(["username", "phone"], of: made.0.id, by: made.owner, in: world)
        }
        try await set(["username", "email"], of: made.0.id, by: made.owner, in: world)
    }

    private func register(
        _ username: String, email: String?, in tenant: UUID, of world: TenancyWorld
    ) async throws {
        _ = try await Registration(repository: world.store.repository, hasher: CountingHasher()).register(
            RegistrationForm(email: email, username: username, password: "correct horse", tenantID: tenant),
            origin: makeOrigin())
    }

    private func set(
        _ methods: [String], of tenant: UUID, by owner: AccessTokenClaims, in world: TenancyWorld
    ) async throws {
        var changes = TenantChanges()
        changes.loginMethods = methods
        _ = try await world.tenants.update(tenant, changes, by: owner, origin: makeOrigin())
    }
}
