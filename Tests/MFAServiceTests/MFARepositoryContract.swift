import ConnectionKit
import Contracts
import Foundation
import MFAService
import MicroMiddleware
import Postgres
import Testing

@Suite("Every store of second factors", .serialized)
struct MFARepositoryContract {
    let user = UUID.v7()
    let tenant = UUID.v7()
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test("enables what was proposed, once, with its recovery codes", arguments: MFAStore.allCases)
    func enables(store: MFAStore) async throws {
        let repository = try await store.make()
        let first = proposal()
        let second = proposal()
        #expect(try await repository.propose(first, deadline: soon))
        #expect(try await repository.propose(second, deadline: soon), "a proposal replaces the one before")
        #expect(try await !enable(first, in: repository))
        #expect(try await enable(second, in: repository))
        #expect(try await !enable(second, in: repository))
        #expect(try await !repository.propose(proposal(), deadline: soon), "what is enabled stays")
        let factors = try await repository.factors(of: user, tenantID: tenant, deadline: soon)
        #expect(factors.totp?.id == second.id)
        #expect(factors.totp?.secret == second.secret)
        #expect(factors.methods == [.totp])
        #expect(factors.unusedRecoveryCodes == 2)
        #expect(!factors.isTold)
    }

    @Test("accepts one of 50 uses of one step, each with a challenge of its own", arguments: MFAStore.allCases)
    func oneStep(store: MFAStore) async throws {
        let repository = try await store.make()
        let enrolment = try await enabled(in: repository)
        let wins = try await race(in: repository) { challenge in
            try await repository.acceptStep(
                100, of: enrolment, challenge: challenge, now: now, event: event(.mfaVerified), deadline: soon)
        }
        #expect(wins == 1)
        let earlier = try await openChallenge(in: repository)
        #expect(
            try await !repository.acceptStep(
                99, of: enrolment, challenge: earlier, now: now, event: event(.mfaVerified), deadline: soon))
        #expect(
            try await repository.acceptStep(
                101, of: enrolment, challenge: earlier, now: now, event: event(.mfaVerified), deadline: soon))
    }

    @Test("accepts one of 50 uses of one recovery code", arguments: MFAStore.allCases)
    func oneCode(store: MFAStore) async throws {
        let repository = try await store.make()
        _ = try await enabled(in: repository)
        let found = try await repository.unusedCode(of: user, tenantID: tenant, hash: hash(1), deadline: soon)
        let code = try #require(found)
        let wins = try await race(in: repository) { challenge in
            try await repository.acceptCode(
                code, of: user, tenantID: tenant, challenge: challenge, now: now, events: [event(.recoveryCodeUsed)],
                deadline: soon)
        }
        #expect(wins == 1)
        #expect(try await repository.unusedCode(of: user, tenantID: tenant, hash: hash(1), deadline: soon) == nil)
        #expect(try await repository.factors(of: user, tenantID: tenant, deadline: soon).unusedRecoveryCodes == 1)
    }

    @Test("lets a challenge be answered five times, and in success once", arguments: MFAStore.allCases)
    func attempts(store: MFAStore) async throws {
        let repository = try await store.make()
        let enrolment = try await enabled(in: repository)
        let challenge = try await openChallenge(in: repository)
        let granted = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let claim = try await claim(challenge, in: repository, guessable: false)
                    return claim == .granted(nonce: nonce)
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(granted == 5)
        let other = try await openChallenge(in: repository)
        #expect(
            try await repository.acceptStep(
                7, of: enrolment, challenge: other, now: now, event: event(.mfaVerified), deadline: soon))
        #expect(try await claim(other, in: repository, guessable: false) == .challengeOver)
        let late = try await openChallenge(in: repository)
        #expect(
            try await claim(late, in: repository, guessable: false, at: now.addingTimeInterval(301)) == .challengeOver)
        #expect(try await claim(late, in: repository, guessable: false, tenant: .v7()) == .challengeOver)
    }

    @Test(
        "makes whoever guesses codes wait, not whoever has another way, and never for good",
        arguments: MFAStore.allCases)
    func ladder(store: MFAStore) async throws {
        let repository = try await store.make()
        let enrolment = try await enabled(in: repository)
        for _ in 0..<AttemptLadder.free {
            let challenge = try await openChallenge(in: repository)
            #expect(try await claim(challenge, in: repository, guessable: true) == .granted(nonce: nonce))
        }
        let challenge = try await openChallenge(in: repository)
        guard case .blocked(let until) = try await claim(challenge, in: repository, guessable: true) else {
            Issue.record("the sixth guess is not held up")
            return
        }
        #expect(abs(until.timeIntervalSince(now) - 30) < 0.001)
        #expect(try await claim(challenge, in: repository, guessable: false) == .granted(nonce: nonce))
        let later = now.addingTimeInterval(30)
        #expect(try await claim(challenge, in: repository, guessable: true, at: later) == .granted(nonce: nonce))
        let next = try await claim(challenge, in: repository, guessable: true, at: later)
        #expect(next == .blocked(until: later.addingTimeInterval(60)))
        // A right code, by whatever way it came in, clears the slate.
        let last = try await openChallenge(in: repository)
        #expect(
            try await repository.acceptStep(
                9, of: enrolment, challenge: last, now: later, event: event(.mfaVerified), deadline: soon))
        let fresh = try await openChallenge(in: repository)
        #expect(try await claim(fresh, in: repository, guessable: true, at: later) == .granted(nonce: nonce))
    }

    @Test("tells of every change, in rising versions, until it has been heard", arguments: MFAStore.allCases)
    func news(store: MFAStore) async throws {
        let repository = try await store.make()
        #expect(try await repository.untold(limit: 10, deadline: soon).isEmpty)
        _ = try await enabled(in: repository)
        let enabled = try #require(try await repository.untold(limit: 10, deadline: soon).first)
        #expect(enabled.methods == [.totp] && enabled.userID == user && enabled.tenantID == tenant)
        #expect(
            try await repository.disableTOTP(
                of: user, tenantID: tenant, now: now, event: event(.totpDisabled), deadline: soon))
        // What was heard of the state before says nothing of the one after.
        try await repository.markTold([enabled], report: 1, deadline: soon)
        let disabled = try #require(try await repository.untold(limit: 10, deadline: soon).first)
        #expect(disabled.methods.isEmpty && disabled.version > enabled.version)
        try await repository.markTold([disabled], report: 2, deadline: soon)
        #expect(try await repository.untold(limit: 10, deadline: soon).isEmpty)
    }

    @Test("tells again what was said in a report that identity has forgotten", arguments: MFAStore.allCases)
    func forgotten(store: MFAStore) async throws {
        let repository = try await store.make()
        #expect(try await repository.lastReport(deadline: soon) == 0)
        _ = try await enabled(in: repository)
        let state = try #require(try await repository.untold(limit: 10, deadline: soon).first)
        try await repository.markTold([state], report: 7, deadline: soon)
        try await repository.markTold([], report: 5, deadline: soon)
        #expect(try await repository.lastReport(deadline: soon) == 7)
        #expect(try await repository.forgetTold(after: 7, deadline: soon) == 0)
        #expect(try await repository.untold(limit: 10, deadline: soon).isEmpty)
        #expect(try await repository.forgetTold(after: 6, deadline: soon) == 1)
        #expect(try await repository.untold(limit: 10, deadline: soon) == [state])
        // Here the user has the factor all the while, and must prove it to add another.
        #expect(try await repository.factors(of: user, tenantID: tenant, deadline: soon).isTold)
        try await repository.markTold([state], report: 8, deadline: soon)
        #expect(try await repository.untold(limit: 10, deadline: soon).isEmpty)
    }

    @Test("takes recovery codes away with the last factor, and everything with a reset", arguments: MFAStore.allCases)
    func goes(store: MFAStore) async throws {
        let repository = try await store.make()
        #expect(
            try await !repository.reset(user, tenantID: tenant, now: now, event: event(.mfaReset), deadline: soon))
        _ = try await enabled(in: repository)
        for _ in 0..<6 {
            _ = try await claim(try await openChallenge(in: repository), in: repository, guessable: true)
        }
        let other = UUID.v7()
        #expect(
            try await !repository.disableTOTP(
                of: user, tenantID: other, now: now, event: event(.totpDisabled), deadline: soon))
        #expect(try await !repository.reset(user, tenantID: other, now: now, event: event(.mfaReset), deadline: soon))
        #expect(try await repository.reset(user, tenantID: tenant, now: now, event: event(.mfaReset), deadline: soon))
        let factors = try await repository.factors(of: user, tenantID: tenant, deadline: soon)
        #expect(factors.totp == nil && factors.unusedRecoveryCodes == 0)
        #expect(
            try await !repository.replaceCodes(
                of: user, tenantID: tenant, with: [StoredRecoveryCode(hash: hash(9))], now: now,
                event: event(.recoveryCodesGenerated), deadline: soon))
        _ = try await enabled(in: repository)
        let challenge = try await openChallenge(in: repository)
        #expect(try await claim(challenge, in: repository, guessable: true) == .granted(nonce: nonce))
        #expect(
            try await repository.disableTOTP(
                of: user, tenantID: tenant, now: now, event: event(.totpDisabled), deadline: soon))
        #expect(try await repository.factors(of: user, tenantID: tenant, deadline: soon).unusedRecoveryCodes == 0)
    }

    @Test("A restored database accepts no code that may have been accepted before")
    func restored() async throws {
        let database = try await MFAStore.database()
        let repository = PostgresMFARepository(database: database, outbox: Outbox())
        let enrolment = try await enabled(in: repository)
        try await database.query("UPDATE database_incarnation SET name = 'another'", deadline: soon)
        let step = TOTP.step(at: now)
        for (offset, isAccepted) in [(-1, false), (0, false), (1, false), (2, true)] {
            let challenge = try await openChallenge(in: repository)
            let accepted = try await repository.acceptStep(
                step + Int64(offset), of: enrolment, challenge: challenge, now: now, event: event(.mfaVerified),
                deadline: soon)
            #expect(accepted == isAccepted, "the step \(offset) after the restore")
        }
    }

    @Test("Every change leaves its events, and what is refused leaves none")
    func events() async throws {
        let database = try await MFAStore.database()
        let repository = PostgresMFARepository(database: database, outbox: Outbox())
        let enrolment = try await enabled(in: repository)
        let challenge = try await openChallenge(in: repository)
        for _ in 0..<2 {
            _ = try await repository.acceptStep(
                5, of: enrolment, challenge: challenge, now: now, event: event(.mfaVerified), deadline: soon)
            _ = try await repository.disableTOTP(
                of: user, tenantID: tenant, now: now, event: event(.totpDisabled), deadline: soon)
        }
        let rows = try await database.query("SELECT type FROM outbox ORDER BY ordinal", deadline: soon)
        #expect(
            try rows.map { try $0.decode(String.self, "type") }
                == ["mfa.totp.enabled", "mfa.challenge.verified", "mfa.totp.disabled"])
    }
}

// MARK: - Parts

extension MFARepositoryContract {
    var soon: Deadline { .after(.seconds(20)) }
    var nonce: [UInt8] { Array(0..<32) }

    func hash(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 32) }

    func event(_ type: EventType) throws -> DomainEvent {
        try DomainEvent(type: type, subject: user.text, tenantID: tenant, data: EventDetail())
    }

    func proposal() -> TOTPEnrolment {
        TOTPEnrolment(
            id: .v7(), userID: user, tenantID: tenant,
            secret: FactorCipher.Sealed(keyID: "mk-1", bytes: [UInt8](repeating: 7, count: 48)), createdAt: now)
    }

    func enable(_ enrolment: TOTPEnrolment, in repository: any MFARepository) async throws -> Bool {
        try await repository.enable(
            enrolment, step: 1, codes: [StoredRecoveryCode(hash: hash(1)), StoredRecoveryCode(hash: hash(2))],
            now: now, again: false, events: [event(.totpEnabled)], deadline: soon)
    }

    func enabled(in repository: any MFARepository) async throws -> TOTPEnrolment {
        let enrolment = proposal()
        #expect(try await repository.propose(enrolment, deadline: soon))
        #expect(try await enable(enrolment, in: repository))
        return enrolment
    }

    func openChallenge(in repository: any MFARepository) async throws -> UUID {
        let challenge = Challenge(
            id: .v7(), userID: user, tenantID: tenant, nonce: nonce, expiresAt: now.addingTimeInterval(300))
        return try await repository.open(challenge, deadline: soon).id
    }

    func claim(
        _ challenge: UUID, in repository: any MFARepository, guessable: Bool, at moment: Date? = nil,
        tenant: UUID? = nil
    ) async throws -> AttemptClaim {
        try await repository.claimAttempt(
            challenge, userID: user, tenantID: tenant ?? self.tenant, guessable: guessable, now: moment ?? now,
            deadline: soon)
    }

    /// How many of 50 uses at once succeed.
    func race(
        in repository: any MFARepository, _ use: @escaping @Sendable (UUID) async throws -> Bool
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                let challenge = try await openChallenge(in: repository)
                group.addTask { try await use(challenge) }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }
}
