import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Testing

@Suite("Signing in with a second factor", .serialized)
struct SecondFactorTests {
    let repository = InMemoryIdentityRepository()
    let hasher = CountingHasher()
    let factors = FakeFactors()
    let ring: KeyRing

    init() throws {
        ring = try KeyRing.ephemeral()
    }

    @Test("Another service is told of an unknown user in other words than of an unknown path")
    func unknownUser() {
        let refusal = IdentityError.userUnknown.apiError
        #expect(refusal.code == .notFound && refusal.message != ErrorCode.notFound.message)
    }

    @Test("The password buys a challenge, and the factor completes it, with amr and the session's own record")
    func completes() async throws {
        let user = try await registered()
        try await have([.totp], user)
        let due = try await challenge()
        #expect(due.methods == [.totp])
        #expect(await repository.events.last?.type != .loginSucceeded)
        let answer = try await completion().complete(
            ChallengeAttempt(challengeToken: due.challengeToken, method: .totp, code: "123456"), origin: makeOrigin())
        #expect(answer.user.id == user.id && answer.refreshToken != nil)
        let event = try #require(await repository.events.last)
        #expect(event.type == .loginSucceeded && event.data.contains(#""amr":"pwd otp mfa""#))
    }

    @Test("Without the mfa service whoever has a factor is refused, and who has none is not")
    func failsClosed() async throws {
        let user = try await registered()
        await factors.goAway()
        _ = try await signIn().signIn(attempt, origin: makeOrigin()).tokens
        try await have([.totp], user)
        await #expect(throws: APIError.self) { _ = try await signIn().signIn(attempt, origin: makeOrigin()) }
        let withoutGate = SignIn(
            repository: repository, hasher: hasher, sessions: FakeSessions(), tokens: FakeTokens(),
            logger: Logger(label: "test"))
        await #expect(throws: APIError.self) { _ = try await withoutGate.signIn(attempt, origin: makeOrigin()) }
    }

    @Test("Without the session service the second factor still signs in, with an access token")
    func withoutSession() async throws {
        try await have([.webauthn], try await registered())
        let due = try await challenge()
        let answer = try await completion(sessions: FakeSessions(isAway: true)).complete(
            ChallengeAttempt(challengeToken: due.challengeToken, method: .totp, code: "123456"), origin: makeOrigin())
        #expect(answer.degraded && answer.refreshToken == nil)
        let pending = try #require(await repository.events.last)
        #expect(pending.type == .sessionPending && pending.data.contains(#""amr":["pwd","otp","mfa"]"#))
    }

    @Test("A challenge is void after its time, after the password changed, and for anything else")
    func void() async throws {
        let user = try await registered()
        try await have([.totp], user)
        let due = try await challenge()
        func answer(_ token: String, at time: Date = Date()) async throws {
            _ = try await completion(now: time).complete(
                ChallengeAttempt(challengeToken: token, method: .totp, code: "123456"), origin: makeOrigin())
        }
        await #expect(throws: IdentityError.challengeInvalid) {
            try await answer(due.challengeToken, at: Date().addingTimeInterval(301))
        }
        let other = try ChallengeTickets(ring: ring).text(
            of: ChallengeTicket(
                userID: user.id, tenantID: user.tenantID, purpose: .stepUp, expiresAt: Date().addingTimeInterval(60)))
        let foreign = try ChallengeTickets(ring: try .ephemeral()).text(
            of: ChallengeTicket(
                userID: user.id, tenantID: user.tenantID, purpose: .login, expiresAt: Date().addingTimeInterval(60)))
        for token in [other, foreign, "", due.challengeToken + "A"] {
            await #expect(throws: IdentityError.challengeInvalid) { try await answer(token) }
        }
        var stamped = ChallengeTicket(
            userID: user.id, tenantID: user.tenantID, purpose: .login, expiresAt: Date().addingTimeInterval(60))
        stamped.passwordStamp = 1
        let stale = try ChallengeTickets(ring: ring).text(of: stamped)
        await #expect(throws: IdentityError.challengeInvalid) { try await answer(stale) }
        #expect(await factors.verified == 0, "none of them cost a code")
    }

    @Test(
        "The tenant's policy decides who must have a factor",
        arguments: [
            (MFAPolicy(mode: .off), SecondFactorDemand.nothing, SecondFactorDemand.nothing),
            (MFAPolicy(mode: .optional), .nothing, .proof),
            (MFAPolicy(mode: .required), .enrolment, .proof),
            (MFAPolicy(mode: .requiredForRoles, roles: ["member"]), .enrolment, .proof),
            (MFAPolicy(mode: .requiredForRoles, roles: ["owner"]), .nothing, .proof),
        ])
    func policy(policy: MFAPolicy, without: SecondFactorDemand, with: SecondFactorDemand) async throws {
        let user = try await registered()
        try await demand(policy, user)
        #expect(try await account(user).secondFactorDemand == without)
        try await have([.totp], user)
        #expect(try await account(user).secondFactorDemand == with)
    }

    @Test("Where a factor must be set up first, the token carries no role, and there is no refresh token")
    func enrolment() async throws {
        let user = try await registered()
        try await demand(MFAPolicy(mode: .required), user)
        await factors.goAway()
        guard case .enrolmentDue(let due) = try await signIn().signIn(attempt, origin: makeOrigin()) else {
            Issue.record("no enrolment is demanded")
            return
        }
        #expect(due.accessToken == "access[]")
        #expect(await repository.events.last?.type != .loginSucceeded)
    }

    @Test("A password's hash is renewed although the login is not complete")
    func rehash() async throws {
        try await have([.totp], try await registered())
        let newer = CountingHasher(mark: "v2")
        for expected in [2, 3] {
            _ = try await signIn(hasher: newer).signIn(attempt, origin: makeOrigin())
            #expect(newer.runs == expected)
        }
    }

    @Test("A remembered device is not asked again, until it is forgotten, its time is over, or the password changes")
    func remembered() async throws {
        let user = try await registered()
        try await have([.totp], user)
        let due = try await challenge()
        let answer = try await completion().complete(
            ChallengeAttempt(
                challengeToken: due.challengeToken, method: .totp, code: "123456", remembersDevice: true),
            origin: makeOrigin())
        let token = try #require(answer.deviceToken)
        func isAsked(_ token: String) async throws -> Bool {
            var attempt = attempt
            attempt.rememberedDevice = token
            if case .secondFactorDue = try await signIn().signIn(attempt, origin: makeOrigin()) { return true }
            return false
        }
        #expect(try await !isAsked(token))
        for forged in ["", "x", due.challengeToken, token + "A"] { #expect(try await isAsked(forged)) }
        try await demand(MFAPolicy(rememberDays: 0), user)
        #expect(try await isAsked(token), "the tenant remembers none any more")
        try await demand(MFAPolicy(), user)
        let account = try await account(user)
        let later = RememberedDevices(repository: repository, ring: ring) { Date().addingTimeInterval(31 * 86_400) }
        #expect(try await !later.recognises(token, for: account, origin: makeOrigin()))
        var changed = account
        changed.passwordChangedAt += 1
        let devices = RememberedDevices(repository: repository, ring: ring)
        #expect(try await !devices.recognises(token, for: changed, origin: makeOrigin()))
        #expect(try await devices.recognises(token, for: account, origin: makeOrigin()))
        _ = await repository.hear(
            SecondFactorReport(
                users: [SecondFactorState(userID: user.id, tenantID: user.tenantID, methods: [], version: 2)]),
            deadline: .after(.seconds(5)))
        #expect(try await !devices.recognises(token, for: account, origin: makeOrigin()), "a new factor, a new start")
    }

    @Test("A passkey alone signs in whom it belongs to")
    func passkey() async throws {
        let user = try await registered()
        await factors.answer(for: user.id)
        let login = PasskeyLogin(
            repository: repository, factors: factors, tickets: ChallengeTickets(ring: ring),
            completion: signIn().completion)
        let begun = try await login.begin(tenantID: DefaultTenant.id, origin: makeOrigin())
        let credential = WebAuthnCredential(
            id: "x", type: "public-key", response: .init(clientDataJSON: "x"))
        let answer = try await login.complete(begun.challengeToken, credential: credential, origin: makeOrigin())
        #expect(answer.user.id == user.id)
        await #expect(throws: IdentityError.challengeInvalid, "a challenge for a passkey completes no password login") {
            _ = try await completion().complete(
                ChallengeAttempt(challengeToken: begun.challengeToken, method: .totp, code: "1"), origin: makeOrigin())
        }
        let event = try DomainEvent(
            type: .mfaPolicyChanged, subject: DefaultTenant.id.text, tenantID: DefaultTenant.id, data: EventDetail())
        await repository.setMFAPolicy(
            MFAPolicy(mode: .off), of: DefaultTenant.id, event: event, deadline: .after(.seconds(5)))
        let off = await #expect(throws: APIError.self, "where the tenant has none, none is asked for") {
            _ = try await login.begin(tenantID: DefaultTenant.id, origin: makeOrigin())
        }
        #expect(off?.code == .mfaOff)
    }
}

@Suite("Every store of who has second factors", .serialized)
struct SecondFactorStoreContract {
    @Test("takes in newer states, of its own users, and no older one", arguments: IdentityStore.allCases)
    func versions(store: IdentityStore) async throws {
        let repository = try await store.make()
        let user = try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        func apply(_ methods: [MFAMethod], _ version: Int64, of id: UUID? = nil, in tenant: UUID? = nil) async throws
            -> Int
        {
            let state = SecondFactorState(
                userID: id ?? user.id, tenantID: tenant ?? user.tenantID, methods: methods, version: version)
            return try await repository.hear(SecondFactorReport(users: [state]), deadline: soon).applied
        }
        func known() async throws -> [String]? {
            try await repository.account(user.id, tenantID: user.tenantID, deadline: soon)?.secondFactors.sorted()
        }
        #expect(try await known() == [])
        #expect(try await apply([.totp, .webauthn], 5) == 1)
        #expect(try await known() == ["totp", "webauthn"])
        #expect(try await apply([.totp, .webauthn], 5) == 0)
        #expect(try await apply([], 4) == 0)
        #expect(try await apply([], 9, in: .v7()) == 0, "another tenant's word counts for nothing")
        #expect(try await apply([.totp], 9, of: .v7()) == 0)
        #expect(try await known() == ["totp", "webauthn"])
        guard
            case .found(let account) = try await repository.lookUp(
                .guess("ann"), tenantID: user.tenantID, deadline: soon)
        else {
            Issue.record("the user is not found")
            return
        }
        #expect(account.secondFactors.sorted() == ["totp", "webauthn"])
        #expect(try await apply([], 6) == 1)
        #expect(try await known() == [])
    }

    @Test("says which report it heard before, and a question is none", arguments: IdentityStore.allCases)
    func reports(store: IdentityStore) async throws {
        let repository = try await store.make()
        func last(_ number: Int64?) async throws -> Int64? {
            try await repository.hear(SecondFactorReport(users: [], number: number), deadline: soon).last
        }
        #expect(try await last(nil) == 0)
        #expect(try await last(7) == 0)
        #expect(try await last(nil) == 7)
        #expect(try await last(5) == 7, "two that come in another order")
        #expect(try await last(9) == 7)
        #expect(try await last(nil) == 9)
    }

    @Test("keeps what a tenant demands", arguments: IdentityStore.allCases)
    func policy(store: IdentityStore) async throws {
        let repository = try await store.make()
        #expect(try await repository.mfaPolicy(of: DefaultTenant.id, deadline: soon) == MFAPolicy())
        for policy in [
            MFAPolicy(mode: .requiredForRoles, roles: ["owner", "admin"], rememberDays: 0), MFAPolicy(mode: .off),
        ] {
            let event = try DomainEvent(
                type: .mfaPolicyChanged, subject: DefaultTenant.id.text, tenantID: DefaultTenant.id,
                data: EventDetail())
            try await repository.setMFAPolicy(policy, of: DefaultTenant.id, event: event, deadline: soon)
            #expect(try await repository.mfaPolicy(of: DefaultTenant.id, deadline: soon) == policy)
        }
    }

    @Test(
        "remembers devices of their owner, twenty at most, until they are forgotten", arguments: IdentityStore.allCases)
    func devices(store: IdentityStore) async throws {
        let repository = try await store.make()
        let user = try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        let event = try DomainEvent(
            type: .rememberedDeviceAdded, subject: user.id.text, tenantID: user.tenantID, data: EventDetail())
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        var made: [RememberedDevice] = []
        for number in 0..<22 {
            let device = RememberedDevice(
                userID: user.id, tenantID: user.tenantID, userAgent: nil, createdAt: now + Double(number),
                expiresAt: now + 86_400)
            let fresh = try DomainEvent(
                type: .rememberedDeviceAdded, subject: user.id.text, tenantID: user.tenantID, data: EventDetail())
            try await repository.remember(device, event: fresh, deadline: soon)
            made.append(device)
        }
        let listed = try await repository.devices(of: user.id, tenantID: user.tenantID, now: now, deadline: soon)
        #expect(listed.map(\.id) == made.suffix(20).reversed().map(\.id))
        func isUsable(_ device: RememberedDevice, by id: UUID, at moment: Date) async throws -> Bool {
            try await repository.use(
                device: device.id, of: id, tenantID: user.tenantID, now: moment, deadline: soon)
        }
        #expect(try await isUsable(made[21], by: user.id, at: now))
        #expect(try await !isUsable(made[0], by: user.id, at: now))
        #expect(try await !isUsable(made[21], by: .v7(), at: now))
        #expect(try await !isUsable(made[21], by: user.id, at: now + 86_400))
        func forget(_ id: UUID?, of owner: UUID) async throws -> Int {
            try await repository.forget(
                device: id, of: owner, tenantID: user.tenantID, event: event, deadline: soon)
        }
        #expect(try await forget(made[21].id, of: .v7()) == 0)
        #expect(try await forget(made[21].id, of: user.id) == 1)
        #expect(try await !isUsable(made[21], by: user.id, at: now))
        #expect(try await forget(nil, of: user.id) == 19)
        #expect(try await forget(nil, of: user.id) == 0)
    }

    private var soon: Deadline { .after(.seconds(20)) }
}

// MARK: - Parts

extension SecondFactorTests {
    private var attempt: SignInAttempt { SignInAttempt(identity: "ann", password: "correct horse") }

    private func registered() async throws -> User {
        try await Registration(repository: repository, hasher: hasher).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
    }

    private func have(_ methods: [MFAMethod], _ user: User) async throws {
        _ = await repository.hear(
            SecondFactorReport(
                users: [SecondFactorState(userID: user.id, tenantID: user.tenantID, methods: methods, version: 1)]),
            deadline: .after(.seconds(5)))
    }

    private func demand(_ policy: MFAPolicy, _ user: User) async throws {
        let event = try DomainEvent(
            type: .mfaPolicyChanged, subject: user.tenantID.text, tenantID: user.tenantID, data: EventDetail())
        await repository.setMFAPolicy(policy, of: user.tenantID, event: event, deadline: .after(.seconds(5)))
    }

    private func account(_ user: User) async throws -> Account {
        try #require(
            await repository.account(user.id, tenantID: user.tenantID, deadline: .after(.seconds(5))))
    }

    private func signIn(hasher: CountingHasher? = nil, sessions: FakeSessions = FakeSessions()) -> SignIn {
        let gate = SecondFactorGate(
            repository: repository, factors: factors, tickets: ChallengeTickets(ring: ring), tokens: FakeTokens(),
            devices: RememberedDevices(repository: repository, ring: ring), logger: Logger(label: "test"))
        return SignIn(
            repository: repository, hasher: hasher ?? self.hasher, sessions: sessions, tokens: FakeTokens(),
            gate: gate, logger: Logger(label: "test"))
    }

    private func completion(sessions: FakeSessions = FakeSessions(), now: Date = Date()) -> ChallengeCompletion {
        ChallengeCompletion(
            repository: repository, factors: factors, tickets: ChallengeTickets(ring: ring) { now },
            completion: signIn(sessions: sessions).completion,
            devices: RememberedDevices(repository: repository, ring: ring) { now })
    }

    private func challenge() async throws -> SecondFactorDue {
        struct NotAsked: Error {}
        guard case .secondFactorDue(let due) = try await signIn().signIn(attempt, origin: makeOrigin()) else {
            throw NotAsked()
        }
        return due
    }
}

/// An mfa service that accepts every answer, or is away.
actor FakeFactors: SecondFactorService {
    private(set) var verified = 0
    /// The tenants in which challenges were opened and answered.
    private(set) var tenants: [UUID] = []
    private var isAway = false
    private var owner = UUID.v7()

    func goAway() { isAway = true }
    func answer(for user: UUID) { owner = user }

    private func requireHere() throws {
        if isAway { throw APIError(.dependencyUnavailable) }
    }

    func open(_ request: OpenChallengeRequest, scope: RequestScope) throws -> OpenChallengeAnswer {
        try requireHere()
        tenants.append(request.tenantID)
        return OpenChallengeAnswer(methods: [.totp])
    }

    func verify(
        _ challengeID: UUID, _ request: VerifyChallengeRequest, scope: RequestScope
    ) throws -> VerifiedFactor {
        try requireHere()
        verified += 1
        tenants.append(request.tenantID)
        return VerifiedFactor(methods: ["otp", "mfa"])
    }

    func openAlone(_ request: OpenPasskeyChallengeRequest, scope: RequestScope) throws -> OpenChallengeAnswer {
        try requireHere()
        return OpenChallengeAnswer(methods: [.webauthn])
    }

    func verifyAlone(
        _ challengeID: UUID, _ request: VerifyPasskeyRequest, scope: RequestScope
    ) throws -> VerifiedPasskey {
        try requireHere()
        return VerifiedPasskey(userID: owner, methods: ["hwk", "user", "mfa"])
    }
}
