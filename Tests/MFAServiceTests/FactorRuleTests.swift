import Contracts
import Foundation
import Logging
import MFAService
import MicroMiddleware
import Passkeys
import Testing

@Suite("Second factors")
struct FactorRuleTests {
    let user = UUID.v7()
    let tenant = UUID.v7()
    let clock = ManualClock()
    let repository = InMemoryMFARepository()
    let identity = FakeIdentity()
    let cipher = FactorCipher(secret: Secret(String(repeating: "k", count: 32)))

    @Test("A login with one-time passwords: set up, shown to work, asked for, accepted once")
    func totp() async throws {
        let (totp, codes) = try await enable()
        #expect(codes.count == 10 && Set(codes).count == 10)
        #expect(await identity.states[user]?.methods == [.totp])
        clock.advance(30)
        let opened = try await open()
        #expect(opened.answer.methods == [.totp, .backupCode])
        let code = totp.code(step: TOTP.step(at: clock.now))
        #expect(try await verify(opened.id, .totp, code).methods == ["otp", "mfa"])
        await #expect(throws: MFAError.challengeOver) { _ = try await verify(opened.id, .totp, code) }
        let again = try await open()
        await #expect(throws: MFAError.codeInvalid, "a step counts once, whatever the challenge") {
            _ = try await verify(again.id, .totp, code)
        }
        #expect(await repository.events.last?.type == .mfaFailed)
    }

    @Test("The code that showed that the app works is used up by that")
    func setupCode() async throws {
        let (totp, _) = try await enable()
        let opened = try await open()
        await #expect(throws: MFAError.codeInvalid) {
            _ = try await verify(opened.id, .totp, totp.code(step: TOTP.step(at: clock.now)))
        }
    }

    @Test("A recovery code signs in once, however it is typed")
    func recoveryCode() async throws {
        let (_, codes) = try await enable()
        let typed = codes[3].text.uppercased().replacing("-", with: " ").replacing("1", with: "l")
        let opened = try await open()
        #expect(try await verify(opened.id, .backupCode, typed).methods == ["otp", "mfa"])
        let again = try await open()
        await #expect(throws: MFAError.codeInvalid) { _ = try await verify(again.id, .backupCode, codes[3].text) }
        let recovery = RecoveryCodes(repository: repository) { clock.now }
        #expect(try await recovery.count(of: user, tenantID: tenant, scope: makeScope()) == 9)
        let fresh = try await recovery.regenerate(
            for: user, tenantID: tenant, actor: FactorActor(userID: user), scope: makeScope())
        await #expect(throws: MFAError.codeInvalid) { _ = try await verify(again.id, .backupCode, codes[4].text) }
        _ = try await verify(again.id, .backupCode, fresh[0].text)
    }

    @Test("Nothing is enabled that identity does not know of, and nothing is lost when it could not be told")
    func identityAway() async throws {
        let (setup, proposal) = try await propose()
        await identity.goAway()
        let totp = try proposal.totp()
        await #expect(throws: APIError.self) {
            _ = try await enable(setup, totp)
        }
        await identity.goAway(false)
        // The same call again gives the codes that the first could not.
        #expect(try await enable(setup, totp).count == 10)
        #expect(await identity.states[user]?.methods == [.totp])
        await #expect(throws: MFAError.alreadyEnabled) { _ = try await enable(setup, totp) }
    }

    @Test("Identity is told again of what a restore made it forget, even when something newer is to be told first")
    func identitySetBack() async throws {
        let before = await identity.backup()
        let (totp, _) = try await enable()
        #expect(await identity.states[user]?.methods == [.totp])
        await identity.restore(before)
        #expect(await identity.states[user] == nil)
        let news = FactorNews(repository: repository, identity: identity, logger: Logger(label: "test"))
        try await news.lookBack(scope: makeScope())
        try await news.tellAll(scope: makeScope())
        #expect(await identity.states[user]?.methods == [.totp])
        // Another change, on its way when identity comes back, does not hide that this one is missing.
        await identity.restore(before)
        let other = UUID.v7()
        let setup = TOTPSetup(
            repository: repository, identity: identity, news: news, cipher: cipher, issuer: "authms"
        ) { clock.now }
        let proposal = try await setup.propose(for: other, tenantID: tenant, scope: makeScope())
        let second = try proposal.totp()
        _ = try await setup.enable(
            with: second.code(step: TOTP.step(at: clock.now)), for: other, tenantID: tenant,
            actor: FactorActor(userID: other), scope: makeScope())
        #expect(await identity.states[other]?.methods == [.totp])
        #expect(await identity.states[user]?.methods == [.totp])
        #expect(totp.base32 != second.base32)
    }

    @Test("Where the tenant has second factors off, none is set up")
    func off() async throws {
        await identity.allow(false)
        await #expect(throws: MFAError.off) { _ = try await propose() }
    }

    @Test("Who has no factor here is not let through, whatever identity thinks")
    func notOfOneMind() async throws {
        await #expect(throws: MFAError.notOfOneMind) { _ = try await open() }
    }

    @Test("Secrets open for their owner alone, and after a change of key until all are under the new one")
    func keys() async throws {
        _ = try await enable()
        let factors = await repository.factors(of: user, tenantID: tenant, deadline: makeScope().deadline)
        let enrolment = try #require(factors.totp)
        var stolen = enrolment.owner
        stolen.userID = .v7()
        #expect(throws: FactorCipherError.damaged) { _ = try cipher.open(enrolment.secret, for: stolen) }
        let renewed = FactorCipher(
            secret: Secret(String(repeating: "n", count: 32)), previous: Secret(String(repeating: "k", count: 32)))
        let resealing = Resealing(repository: repository, cipher: renewed, logger: Logger(label: "test"))
        try await resealing.requireKeys(deadline: makeScope().deadline)
        #expect(try await resealing.reseal(deadline: makeScope().deadline) == 1)
        #expect(try await resealing.reseal(deadline: makeScope().deadline) == 0)
        await #expect(throws: FactorCipherError.unknownKey(renewed.currentKeyID)) {
            try await Resealing(repository: repository, cipher: cipher, logger: Logger(label: "test"))
                .requireKeys(deadline: makeScope().deadline)
        }
        let after = await repository.factors(of: user, tenantID: tenant, deadline: makeScope().deadline)
        let sealed = try #require(after.totp)
        #expect(
            try renewed.open(sealed.secret, for: sealed.owner).matches(
                try cipher.open(enrolment.secret, for: enrolment.owner).reveal()))
    }

    @Test("No event holds a secret or a code")
    func events() async throws {
        let (totp, codes) = try await enable()
        let opened = try await open()
        _ = try await verify(opened.id, .backupCode, codes[0].text)
        let text = await repository.events.map(\.data).joined()
        #expect(!text.contains(totp.base32))
        #expect(!codes.contains { text.contains($0.text) })
        #expect(text.contains("code_id"))
    }
}

// MARK: - Parts

extension FactorRuleTests {
    private var desk: ChallengeDesk {
        let proof = PasskeyProof(repository: repository, party: RelyingParty(id: "localhost")) { clock.now }
        return ChallengeDesk(repository: repository, cipher: cipher, passkeys: proof) { clock.now }
    }

    private func propose() async throws -> (TOTPSetup, TOTPProposal) {
        let setup = TOTPSetup(
            repository: repository, identity: identity,
            news: FactorNews(repository: repository, identity: identity, logger: Logger(label: "test")),
            cipher: cipher, issuer: "authms"
        ) { clock.now }
        return (setup, try await setup.propose(for: user, tenantID: tenant, scope: makeScope()))
    }

    private func enable(_ setup: TOTPSetup, _ totp: TOTP) async throws -> [RecoveryCode] {
        try await setup.enable(
            with: totp.code(step: TOTP.step(at: clock.now)), for: user, tenantID: tenant,
            actor: FactorActor(userID: user), scope: makeScope())
    }

    private func enable() async throws -> (TOTP, [RecoveryCode]) {
        let (setup, proposal) = try await propose()
        let totp = try proposal.totp()
        return (totp, try await enable(setup, totp))
    }

    private func open() async throws -> (id: UUID, answer: OpenChallengeAnswer) {
        let id = UUID.v7()
        let answer = try await desk.open(
            OpenChallengeRequest(
                challengeID: id, userID: user, tenantID: tenant, expiresAt: clock.now.addingTimeInterval(300)),
            scope: makeScope())
        return (id, answer)
    }

    private func verify(_ id: UUID, _ method: MFAMethod, _ code: String) async throws -> VerifiedFactor {
        try await desk.verify(
            id, VerifyChallengeRequest(userID: user, tenantID: tenant, method: method, code: code),
            scope: makeScope())
    }
}
