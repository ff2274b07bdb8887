import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Synchronization
import Testing

@Suite("What changes while a session is being opened")
struct ClaimsRaceTests {
    /// What an administrator, or the user elsewhere, does just before session has the new one.
    enum Change: CaseIterable, Sendable {
        case roleRemoved, permissionsReduced, disabled, tenantSuspended, passwordChanged, deleted

        func apply(to account: inout Account) {
            switch self {
            case .roleRemoved: account.user.roles = ["member"]
            case .permissionsReduced: break
            case .disabled: account.user.status = .disabled
            case .tenantSuspended: break
            case .passwordChanged: account.passwordChangedAt += 1
            case .deleted: account.user.status = .deleted
            }
        }
    }

    let repository = InMemoryIdentityRepository()
    let tokens = RecordingTokens()
    let ended = EndedSessions()

    @Test(
        "ends a login without a token, whether or not session is there", arguments: Change.allCases, [true, false])
    func login(change: Change, isThere: Bool) async throws {
        let user = try await makeEditor()
        let signIn = signIn { [repository] in
            await repository.change(user.id, change)
            if !isThere { throw FakeSessions.Away() }
        }
        await #expect(throws: IdentityError.self) { _ = try await signIn.signIn(attempt, origin: makeOrigin()) }
        #expect(tokens.grants.isEmpty)
        let events = await repository.events
        if isThere {
            // It is told so at once.
            #expect(ended.opened.count == 1 && ended.told == ended.opened)
            #expect(!events.contains { $0.type == .sessionWithdrawn })
        } else {
            // It adopts the session, and then ends it.
            #expect(ended.told.isEmpty && events.suffix(2).map(\.type) == [.sessionPending, .sessionWithdrawn])
            let (pending, withdrawn) = (events.suffix(2).first, events.last)
            let sessionID = try #require(pending?.subject)
            #expect(withdrawn?.subject == user.id.text && withdrawn?.data.contains(sessionID) == true)
        }
    }

    @Test("ends the session by an event where session cannot be told at once")
    func byEvent() async throws {
        let user = try await makeEditor()
        ended.isAway.withLock { $0 = true }
        let signIn = signIn { [repository] in await repository.change(user.id, .roleRemoved) }
        await #expect(throws: IdentityError.changedMeanwhile) {
            _ = try await signIn.signIn(attempt, origin: makeOrigin())
        }
        let event = try #require(await repository.events.last)
        let opened = try #require(ended.opened.first)
        #expect(event.type == .sessionWithdrawn && event.data.contains(opened.text))
    }

    @Test("ends a change of tenant in the same way", arguments: Change.allCases)
    func tenantSwitch(change: Change) async throws {
        let user = try await makeEditor()
        let enter = TenantSwitch(
            repository: repository, memberships: repository,
            sessions: MeddlingSessions(ended) { [repository] in await repository.change(user.id, change) },
            tokens: tokens, logger: Logger(label: "test"))
        await #expect(throws: IdentityError.self) {
            _ = try await enter.enter(user.tenantID, by: claims(user), origin: makeOrigin())
        }
        #expect(tokens.grants.isEmpty)
        #expect(ended.opened.count == 1 && ended.told == ended.opened)
    }

    @Test("ends a session whose opening got no answer, and none that was refused", arguments: [true, false])
    func unanswered(isRefused: Bool) async throws {
        let user = try await makeEditor()
        var sessions = MeddlingSessions(ended) {
            if isRefused { throw ServiceCallError.rejected(target: "session", status: 409, envelope: nil) }
        }
        sessions.isSilent = true
        let enter = TenantSwitch(
            repository: repository, memberships: repository, sessions: sessions, tokens: tokens,
            logger: Logger(label: "test"))
        await #expect(throws: (any Error).self) {
            _ = try await enter.enter(user.tenantID, by: claims(user), origin: makeOrigin())
        }
        // At once, and by an event for an opening that was still under way.
        #expect(ended.opened.count == (isRefused ? 0 : 1) && ended.told == ended.opened)
        let withdrawn = await repository.events.filter { $0.type == .sessionWithdrawn }
        #expect(withdrawn.count == ended.opened.count && tokens.grants.isEmpty)
    }

    @Test("ends the session of a login that could not leave word of it")
    func unannounced() async throws {
        _ = try await makeEditor()
        await repository.refuse(.sessionPending)
        var sessions = MeddlingSessions(ended) {}
        sessions.isSilent = true
        let signIn = SignIn(
            repository: repository, hasher: CountingHasher(), sessions: sessions, tokens: tokens,
            logger: Logger(label: "test"))
        await #expect(throws: FakeSessions.Away.self) { _ = try await signIn.signIn(attempt, origin: makeOrigin()) }
        #expect(ended.opened.count == 1 && ended.told == ended.opened && tokens.grants.isEmpty)
        #expect(await repository.events.last?.type == .sessionWithdrawn)
    }

    @Test("is nothing where nothing changed, and every token is dated by when its claims were read")
    func undisturbed() async throws {
        let user = try await makeEditor()
        let before = Date()
        let answer = try await signIn {}.signIn(attempt, origin: makeOrigin()).tokens
        #expect(answer.refreshToken != nil && ended.told.isEmpty)
        _ = try await TenantSwitch(
            repository: repository, memberships: repository, sessions: FakeSessions(), tokens: tokens,
            logger: Logger(label: "test")
        ).enter(user.tenantID, by: claims(user), origin: makeOrigin())
        _ = try await Reauthentication(
            repository: repository, hasher: CountingHasher(), throttle: NoThrottle(), tokens: tokens
        ).again(by: claims(user), password: "correct horse", declared: nil, origin: makeOrigin())
        _ = try await PasswordChange(
            repository: repository, hasher: CountingHasher(), tokens: tokens
        ).change(by: claims(user), from: "correct horse", to: "another horse", origin: makeOrigin())
        #expect(tokens.grants.count == 4)
        for grant in tokens.grants {
            let readAt = try #require(grant.claimsReadAt)
            #expect(readAt >= before && readAt <= Date())
        }
    }

    private var attempt: SignInAttempt { SignInAttempt(identity: "ann", password: "correct horse") }

    private func signIn(_ meddle: @escaping @Sendable () async throws -> Void) -> SignIn {
        SignIn(
            repository: repository, hasher: CountingHasher(), sessions: MeddlingSessions(ended, meddle),
            tokens: tokens, logger: Logger(label: "test"))
    }

    /// Somebody with a role of the tenant's own.
    private func makeEditor() async throws -> User {
        let user = try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        await repository.makeEditor(user.id)
        return user
    }

    private func claims(_ user: User) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: user.id, tenantID: user.tenantID, roles: user.roles,
            sessionID: .v7(), tokenID: .v7(), issuedAt: Date(), expiresAt: Date() + 1_800, authenticatedAt: Date(),
            methods: ["pwd"], permissions: [])
    }
}

/// What a session service has opened, and was told to end.
final class EndedSessions: Sendable {
    let isAway = Mutex(false)
    private let state = Mutex((opened: [UUID](), told: [UUID]()))

    var opened: [UUID] { state.withLock { $0.opened } }
    var told: [UUID] { state.withLock { $0.told } }

    func open(_ id: UUID) { state.withLock { $0.opened.append(id) } }
    func end(_ id: UUID) throws {
        if isAway.withLock({ $0 }) { throw FakeSessions.Away() }
        state.withLock { $0.told.append(id) }
    }
}

/// A session service while whose work something else happens.
struct MeddlingSessions: SessionOpening {
    /// Whether it opens sessions without an answer.
    var isSilent = false
    private let ended: EndedSessions
    private let meddle: @Sendable () async throws -> Void

    init(_ ended: EndedSessions, _ meddle: @escaping @Sendable () async throws -> Void) {
        self.ended = ended
        self.meddle = meddle
    }

    func open(_ request: CreateSessionRequest, scope: RequestScope) async throws -> CreateSessionAnswer {
        try await meddle()
        ended.open(request.sessionID)
        if isSilent { throw FakeSessions.Away() }
        return try FakeSessions().open(request, scope: scope)
    }

    func trusts(_ question: TrustedDeviceQuestion, scope: RequestScope) -> Bool { false }

    func withdraw(_ request: WithdrawSessionRequest, scope: RequestScope) throws { try ended.end(request.sessionID) }
}

extension InMemoryIdentityRepository {
    fileprivate func makeEditor(_ id: UUID) {
        customRoles = [
            CustomRole(
                name: "editor", tenantID: DefaultTenant.id, description: "", permissions: ["users:read"],
                createdAt: now, updatedAt: now)
        ]
        accounts[id]?.user.roles = ["editor", "member"]
    }

    fileprivate func refuse(_ type: EventType) { unwritable = type }

    fileprivate func change(_ id: UUID, _ change: ClaimsRaceTests.Change) {
        if change == .permissionsReduced { customRoles[0].permissions = [] }
        guard var account = accounts[id] else { return }
        if change == .tenantSuspended { tenants[account.user.tenantID]?.status = .suspended }
        change.apply(to: &account)
        accounts[id] = account
    }
}
