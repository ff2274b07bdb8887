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
            repository: repository, hasher: CountingHasher(), tokens: RecordingTokens())
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

    @Test(
        "gets nowhere without home's second factor by way of a host that asks for none",
        arguments: IdentityStore.allCases)
    func secondFactor(store: IdentityStore) async throws {
        let (world, ann, _) = try await guest(in: store)
        let repository = try await haveSecondFactor(ann, in: world)
        let tokens = RecordingTokens()
        let again = Reauthentication(
            repository: repository, hasher: CountingHasher(), throttle: NoThrottle(), tokens: tokens)
        let refused = await #expect(throws: APIError.self) {
            _ = try await again.again(by: ann, password: "correct horse", declared: nil, origin: makeOrigin())
        }
        #expect(refused?.code == .stepUpRequired)
        let enter = TenantSwitch(
            repository: repository, memberships: world.store.memberships, sessions: FakeSessions(), tokens: tokens,
            logger: Logger(label: "test"))
        let unproven = await #expect(throws: APIError.self) {
            _ = try await enter.enter(DefaultTenant.id, by: ann, origin: makeOrigin())
        }
        #expect(unproven?.code == .stepUpRequired && tokens.grants.isEmpty)
        var proven = ann
        proven.methods = ["pwd", "otp", "mfa"]
        let answer = try await enter.enter(DefaultTenant.id, by: proven, origin: makeOrigin())
        #expect(answer.user.tenantID == DefaultTenant.id && tokens.grants.map(\.methods) == [proven.methods])
        // The host asks nobody, whatever they have.
        _ = try await enter.enter(ann.tenantID, by: ann, origin: makeOrigin())
    }

    @Test(
        "steps up by a factor of home, and gets a token for where the session is", arguments: IdentityStore.allCases,
        [true, false])
    func stepUp(store: IdentityStore, challengeFirst: Bool) async throws {
        let (world, ann, _) = try await guest(in: store)
        let repository = try await haveSecondFactor(ann, in: world)
        let devices = try #require(repository as? any RememberedDeviceRepository)
        let (factors, tokens, ring) = (FakeFactors(), RecordingTokens(), try KeyRing.ephemeral())
        let gate = SecondFactorGate(
            repository: repository, factors: factors, tickets: ChallengeTickets(ring: ring), tokens: tokens,
            devices: RememberedDevices(repository: devices, ring: ring), logger: Logger(label: "test"))
        let stepUp = StepUp(repository: repository, gate: gate, tokens: tokens)
        let due = challengeFirst ? try await stepUp.begin(ann, origin: makeOrigin()) : nil
        _ = try await stepUp.complete(
            ann, challengeToken: due?.challengeToken, method: .totp, code: "123456", credential: nil,
            origin: makeOrigin())
        #expect(await factors.tenants == [DefaultTenant.id, DefaultTenant.id])
        let grant = try #require(tokens.grants.first)
        #expect(grant.user.tenantID == ann.tenantID && grant.sessionID == ann.sessionID)
        #expect(grant.methods == ["pwd", "otp", "mfa"])
    }

    @Test("leaves as they like, but not to be invited again once shut out", arguments: IdentityStore.allCases)
    func leaving(store: IdentityStore) async throws {
        let (world, ann, owner) = try await guest(in: store)
        let switching = TenantSwitch(
            repository: world.store.repository, memberships: world.store.memberships, sessions: FakeSessions(),
            tokens: RecordingTokens(), logger: Logger(label: "test"))
        func invite() async throws -> String {
            try await world.invitations.create(email: nil, roles: [], lifetime: nil, by: owner, origin: makeOrigin())
                .code.text
        }
        // Whoever leaves may come again.
        try await switching.leave(owner.tenantID, by: ann, origin: makeOrigin())
        #expect(try await world.user(ann.subject, tenantID: owner.tenantID) == nil)
        await #expect(throws: IdentityError.tenantNotFound) {
            try await switching.leave(owner.tenantID, by: ann, origin: makeOrigin())
        }
        _ = try await world.invitations.accept(try await invite(), by: ann, origin: makeOrigin())

        _ = try await world.users.setStatus(.disabled, of: ann.subject, by: owner, origin: makeOrigin())
        let another = try await invite()
        await #expect(throws: IdentityError.accountDisabled) {
            try await switching.leave(owner.tenantID, by: ann, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.invitationInvalid) {
            _ = try await world.invitations.accept(another, by: ann, origin: makeOrigin())
        }
        #expect(try await world.user(ann.subject, tenantID: owner.tenantID)?.membership == .suspended)
        // Nobody leaves home, and the host's administrators end what they shut out.
        await #expect(throws: IdentityError.tenantNotFound) {
            try await switching.leave(DefaultTenant.id, by: ann, origin: makeOrigin())
        }
        try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        _ = try await world.invitations.accept(another, by: ann, origin: makeOrigin())
    }

    /// A second factor at home, where they count, and none asked for by the host.
    private func haveSecondFactor(
        _ ann: AccessTokenClaims, in world: TenancyWorld
    ) async throws -> any IdentityRepository & SecondFactorRepository {
        let repository = try #require(world.store.repository as? any IdentityRepository & SecondFactorRepository)
        let deadline = makeOrigin().scope.deadline
        let state = SecondFactorState(userID: ann.subject, tenantID: DefaultTenant.id, methods: [.totp], version: 1)
        _ = try await repository.hear(SecondFactorReport(users: [state]), deadline: deadline)
        let event = try DomainEvent(
            type: .mfaPolicyChanged, subject: ann.tenantID.text, tenantID: ann.tenantID, data: EventDetail())
        try await repository.setMFAPolicy(MFAPolicy(mode: .off), of: ann.tenantID, event: event, deadline: deadline)
        return repository
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
