import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Testing

@Suite("Passwords for one login", .serialized)
struct OneTimePasswordTests {
    @Test(
        "One that an administrator had made is over after its time, and answered as a wrong one",
        arguments: IdentityStore.allCases, [true, false])
    func over(store: IdentityStore, isReset: Bool) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let admin = try await world.person("root", roles: ["owner"])
        for (lifetime, isOver) in [(Duration.zero, true), (.seconds(60), false)] {
            let name = isOver ? "late" : "soon"
            let password = try await give(name, lifetime: lifetime, isReset: isReset, by: admin, in: world)
            if isOver {
                await #expect(throws: IdentityError.invalidCredentials) {
                    _ = try await signIn(name, password, world)
                }
            } else {
                #expect(try await signIn(name, password, world).mustChangePassword)
            }
        }
    }

    @Test("The first owner's waits for its login, since nobody could make another", arguments: IdentityStore.allCases)
    func firstOwner(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let made = try await Bootstrap(repository: world.store.repository, hasher: CountingHasher()).createOwner(
            BootstrapRequest(email: "root@example.org"), origin: makeOrigin())
        let account = try await world.store.repository.account(
            try #require(made.userID), tenantID: DefaultTenant.id, deadline: makeOrigin().scope.deadline)
        #expect(account?.mustChangePassword == true && account?.isPasswordOver(at: .distantFuture) == false)
        #expect(try await signIn("root", try #require(made.oneTimePassword), world).mustChangePassword)
    }

    @Test("What its owner has chosen since does not go by it", arguments: IdentityStore.allCases)
    func chosen(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let admin = try await world.person("root", roles: ["owner"])
        let password = try await give("ann", lifetime: .seconds(60), isReset: false, by: admin, in: world)
        let answer = try await signIn("ann", password, world)
        let user = try #require(try await world.user(answer.user.id))
        _ = try await PasswordChange(
            repository: world.store.repository, hasher: CountingHasher(), tokens: FakeTokens()
        ).change(by: world.claims(user), from: password, to: "another horse", origin: makeOrigin())
        let account = try await world.store.repository.account(
            user.id, tenantID: user.tenantID, deadline: makeOrigin().scope.deadline)
        #expect(account?.passwordExpiresAt == nil && account?.mustChangePassword == false)
        #expect(try await !signIn("ann", "another horse", world).mustChangePassword)
    }

    /// The password that an administrator tells somebody, who is made, or has forgotten theirs.
    private func give(
        _ name: String, lifetime: Duration, isReset: Bool, by admin: AccessTokenClaims, in world: TenancyWorld
    ) async throws -> String {
        let store = world.store
        let oneTime = OneTimePassword(lifetime: lifetime)
        if isReset {
            let user = try await world.person(name)
            return try await UserAdministration(
                repository: store.repository, directory: store.directory, memberships: store.memberships,
                roles: store.roles, hasher: CountingHasher(), oneTime: oneTime
            ).resetPassword(of: user.subject, by: admin, origin: makeOrigin())
        }
        let creation = UserCreation(
            repository: store.repository, roles: store.roles, hasher: CountingHasher(), oneTime: oneTime)
        let made = try await creation.create(
            UserForm(email: "\(name)@example.org"), by: admin, origin: makeOrigin())
        return try #require(made.oneTimePassword)
    }

    private func signIn(_ name: String, _ password: String, _ world: TenancyWorld) async throws -> SignInAnswer {
        try await SignIn(
            repository: world.store.repository, hasher: CountingHasher(), sessions: FakeSessions(),
            tokens: FakeTokens(), logger: Logger(label: "test")
        ).signIn(SignInAttempt(identity: "\(name)@example.org", password: password), origin: makeOrigin()).tokens
    }
}
