import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Testing

@Suite("A guest, in every store", .serialized)
struct GuestTests {
    @Test("proves who they are as home wants it, whatever the host wants", arguments: IdentityStore.allCases)
    func reauthentication(store: IdentityStore) async throws {
        let (world, ann, owner) = try await guest(in: store)
        let policy = #"{"password_policy":{"password_transmission":"hash"}}"#
        let changes = try JSONDecoder().decode(TenantChanges.self, from: Data(policy.utf8))
        _ = try await world.tenants.update(owner.tenantID, changes, by: owner, origin: makeOrigin())
        let again = Reauthentication(
            repository: world.store.repository, hasher: CountingHasher(), throttle: NoThrottle(),
            tokens: RecordingTokens())
        _ = try await again.again(by: ann, password: "correct horse", declared: nil, origin: makeOrigin())
        await #expect(throws: IdentityError.invalidCredentials) {
            _ = try await again.again(by: ann, password: "wrong horse", declared: nil, origin: makeOrigin())
        }
    }

    @Test("is sent home for what concerns the account", arguments: IdentityStore.allCases)
    func account(store: IdentityStore) async throws {
        let (world, ann, owner) = try await guest(in: store)
        let repository = world.store.repository
        let change = PasswordChange(
            repository: repository, hasher: CountingHasher(), sessions: FakeSessions(), tokens: RecordingTokens(),
            logger: Logger(label: "test"))
        await #expect(throws: IdentityError.homeTenantNeeded) {
            _ = try await change.change(
                by: ann, from: "correct horse", to: "another horse", origin: makeOrigin())
        }
        let accounts = CachedAccounts(repository, cache: nil)
        let deadline = makeOrigin().scope.deadline
        await #expect(throws: IdentityError.homeTenantNeeded) {
            try await accounts.requireHome(ann, deadline: deadline)
        }
        try await accounts.requireHome(owner, deadline: deadline)
    }

    /// What the guest's token says in the other tenant, and its owner's.
    private func guest(
        in store: IdentityStore
    ) async throws -> (TenancyWorld, ann: AccessTokenClaims, owner: AccessTokenClaims) {
        let world = TenancyWorld(try await store.makeTenancy())
        let root = try await world.person("root", roles: ["owner"])
        let ann = try await world.person("ann")
        let (acme, owner) = try await world.tenant("acme", by: root)
        let invitation = try await world.invitations.create(
            email: nil, roles: [], lifetime: nil, by: owner, origin: makeOrigin())
        _ = try await world.invitations.accept(invitation.code.text, by: ann, origin: makeOrigin())
        let guest = try #require(try await world.user(ann.subject, tenantID: acme.id))
        return (world, world.claims(guest), owner)
    }
}
