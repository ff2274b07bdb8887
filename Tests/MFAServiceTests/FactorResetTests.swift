import Contracts
import Foundation
import Logging
import MFAService
import MicroMiddleware
import Testing

@Suite("A new start for who has lost every factor")
struct FactorResetTests {
    let ann = UUID.v7()
    let tenant = UUID.v7()
    let clock = ManualClock()
    let repository = InMemoryMFARepository()
    let identity = FakeIdentity()

    @Test("An administrator gives it to who may do no more, and the event says why")
    func covered() async throws {
        try await enable()
        await identity.give(["member", "auditor"], to: ann)
        try await reset(by: claims(["admin"]))
        let factors = await repository.factors(of: ann, tenantID: tenant, deadline: makeScope().deadline)
        #expect(factors.methods.isEmpty)
        let event = try #require(await repository.events.last)
        #expect(event.type == .mfaReset && event.data.contains("lost the phone"))
        #expect(await identity.states[ann]?.methods == [])
    }

    @Test(
        "Nobody gives it to who may do more, by a built-in role or one of the tenant's own",
        arguments: [(["owner"], []), (["member", "boss"], ["roles:write"])] as [([String], [String])])
    func beyond(roles: [String], permissions: [String]) async throws {
        try await enable()
        await identity.give(roles, permissions: permissions, to: ann)
        let error = await #expect(throws: APIError.self) { try await reset(by: claims(["admin"])) }
        #expect(error?.code == .permissionDenied)
        #expect(await identity.states[ann]?.methods == [.totp])
        try await reset(by: claims(["owner"]))
    }

    @Test("Nobody gives it to who may do more in the tenant's applications, which tokens do not say")
    func applications() async throws {
        try await enable()
        await identity.give(["member", "payer"], applications: ["payments:refund@7"], to: ann)
        let admin = claims(["admin", "teller"])
        await identity.give(admin.roles, applications: ["payments:read"], to: admin.subject)
        let error = await #expect(throws: APIError.self) { try await reset(by: admin) }
        #expect(error?.code == .permissionDenied)
        #expect(await identity.states[ann]?.methods == [.totp])
        await identity.give(admin.roles, applications: ["payments:*"], to: admin.subject)
        try await reset(by: admin)
        #expect(await identity.states[ann]?.methods == [])
        // An owner holds them all, and identity is not asked.
        clock.advance(60)
        try await enable()
        try await reset(by: claims(["owner"]))
    }

    @Test("Of who holds more in another tenant, too, nobody but who runs the suite takes the factors away")
    func elsewhere() async throws {
        try await enable()
        await identity.give(["member"], moreElsewhere: true, to: ann)
        for roles in [["admin"], ["owner"]] {
            let error = await #expect(throws: APIError.self) { try await reset(by: claims(roles)) }
            #expect(error?.code == .permissionDenied)
        }
        #expect(await identity.states[ann]?.methods == [.totp])
        try await reset(by: claims(["owner"], subject: Operator.id))
        #expect(await identity.states[ann]?.methods == [])
        // Who is no more than a member elsewhere is helped by their own tenant.
        clock.advance(60)
        try await enable()
        await identity.give(["member"], moreElsewhere: false, to: ann)
        try await reset(by: claims(["admin"]))
        #expect(await identity.states[ann]?.methods == [])
    }

    @Test("An identity that says nothing of applications and other tenants is taken at its word")
    func identityOfBefore() async throws {
        let said = try JSONDecoder().decode(
            UserAuthority.self, from: Data(#"{"roles":["payer"],"permissions":["users:read"]}"#.utf8))
        #expect(said.applications == nil && said.holdsMoreElsewhere == nil)
        #expect(said.authority.granted.contains(.usersRead))
        try await enable()
        await identity.give(["member", "payer"], to: ann)
        try await reset(by: claims(["admin"]))
        #expect(await identity.states[ann]?.methods == [])
    }

    @Test("Nobody gives it to themselves")
    func oneself() async throws {
        try await enable()
        await identity.give(["member"], to: ann)
        await #expect(throws: MFAError.self) { try await reset(by: claims(["owner"], subject: ann)) }
        #expect(await identity.states[ann]?.methods == [.totp])
    }

    @Test("Without identity nobody knows who may do what, and of somebody unknown there is nothing")
    func unknown() async throws {
        try await enable()
        await #expect(throws: MFAError.unknown) { try await reset(by: claims(["owner"])) }
        await identity.goAway()
        let error = await #expect(throws: APIError.self) { try await reset(by: claims(["owner"])) }
        #expect(error?.code == .dependencyUnavailable)
        #expect(await identity.states[ann]?.methods == [.totp])
    }

    @Test("An identity that does not know the question has not said that there is no such user")
    func olderIdentity() throws {
        let refused = { (message: String?) throws -> any Error in
            let body = ErrorEnvelope.render(.notFound, message: message, requestID: "r-1")
            let envelope = try JSONDecoder().decode(ErrorEnvelope.self, from: Data(body))
            return RemoteIdentity.failure(.rejected(target: "identity", status: 404, envelope: envelope))
        }
        #expect(try refused("There is no such user.") as? MFAError == .unknown)
        let unasked = [
            try refused(nil), RemoteIdentity.failure(.rejected(target: "identity", status: 404, envelope: nil)),
        ]
        for error in unasked.map({ $0 as? APIError }) {
            #expect(error?.code == .dependencyUnavailable && error?.retryAfter != nil)
        }
    }

    private func news() -> FactorNews {
        FactorNews(repository: repository, identity: identity, logger: Logger(label: "test"))
    }

    private func reset(by caller: AccessTokenClaims) async throws {
        try await FactorReset(repository: repository, identity: identity, news: news()) { clock.now }.reset(
            ann, reason: "lost the phone", by: caller, actor: FactorActor(userID: caller.subject), scope: makeScope())
    }

    private func claims(_ roles: [String], subject: UUID = .v7()) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: subject, tenantID: tenant, roles: roles, sessionID: .v7(),
            tokenID: .v7(), issuedAt: Date(), expiresAt: Date() + 1_800, authenticatedAt: Date(), methods: ["pwd"])
    }

    private func enable() async throws {
        let setup = TOTPSetup(
            repository: repository, identity: identity, news: news(),
            cipher: FactorCipher(secret: Secret(String(repeating: "k", count: 32))), issuer: "authms"
        ) { clock.now }
        let proposal = try await setup.propose(for: ann, tenantID: tenant, scope: makeScope())
        _ = try await setup.enable(
            with: try proposal.totp().code(step: TOTP.step(at: clock.now)), for: ann, tenantID: tenant,
            actor: FactorActor(userID: ann), scope: makeScope())
    }
}
