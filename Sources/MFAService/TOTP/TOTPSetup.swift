import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware

/// What an authenticator app needs to be set up.
package struct TOTPProposal: Sendable {
    package let secret: String
    package let uri: String

    package init(secret: String, uri: String) {
        self.secret = secret
        self.uri = uri
    }
}

/// Setting up one-time passwords: a secret is proposed, and enabled by a code that shows that the app has it.
package struct TOTPSetup: Sendable {
    let repository: any MFARepository
    let identity: any IdentityPort
    let news: FactorNews
    let cipher: FactorCipher
    /// What authenticator apps show beside the account.
    let issuer: String
    let now: @Sendable () -> Date

    package init(
        repository: any MFARepository, identity: any IdentityPort, news: FactorNews, cipher: FactorCipher,
        issuer: String, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.identity = identity
        self.news = news
        self.cipher = cipher
        self.issuer = issuer
        self.now = now
    }

    /// - Throws: ``MFAError/alreadyEnabled``, ``MFAError/off``
    package func propose(for userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> TOTPProposal {
        let enrolment = try await identity.enrolment(of: userID, tenantID: tenantID, scope: scope)
        guard enrolment.isAllowed else { throw MFAError.off }
        let (id, secret) = (UUID.v7(), TOTP.makeSecret())
        let owner = SecretOwner(tenantID: tenantID, userID: userID, methodID: id)
        let proposal = TOTPEnrolment(
            id: id, userID: userID, tenantID: tenantID, secret: try cipher.seal(secret, for: owner), createdAt: now())
        guard try await repository.propose(proposal, deadline: scope.deadline.forStatement) else {
            throw MFAError.alreadyEnabled
        }
        let totp = TOTP(secret: secret)
        return TOTPProposal(secret: totp.base32, uri: totp.uri(issuer: issuer, account: enrolment.accountName))
    }

    /// Enables what was proposed. It takes effect, and is answered, once identity knows that this user needs a second
    /// factor from now on. Where identity could not be told, the same call may be made again.
    ///
    /// - Returns: the recovery codes, this once.
    /// - Throws: ``MFAError/codeInvalid``, ``MFAError/alreadyEnabled``, ``MFAError/unknown``; 503 without identity.
    package func enable(
        with code: String, for userID: UUID, tenantID: UUID, actor: FactorActor, scope: RequestScope
    ) async throws -> [RecoveryCode] {
        let moment = now()
        let factors = try await repository.factors(
            of: userID, tenantID: tenantID, deadline: scope.deadline.forStatement)
        guard let enrolment = factors.totp else { throw MFAError.unknown }
        guard enrolment.enabledAt == nil || !factors.isTold else { throw MFAError.alreadyEnabled }
        let totp = TOTP(secret: try cipher.open(enrolment.secret, for: enrolment.owner))
        guard let step = totp.step(of: code, at: moment) else { throw MFAError.codeInvalid }
        let codes = RecoveryCode.makeSet()
        let event = try actor.event(
            .totpEnabled, of: userID, tenantID: tenantID, at: moment, details: ["method_id": enrolment.id.text])
        let generated = try actor.event(
            .recoveryCodesGenerated, of: userID, tenantID: tenantID, at: moment,
            details: ["count": "\(codes.count)"])
        let enabled = try await repository.enable(
            enrolment, step: step, codes: codes.map { StoredRecoveryCode(hash: $0.hash(for: userID)) }, now: moment,
            again: enrolment.enabledAt != nil, events: [event, generated], deadline: scope.deadline.forStatement)
        guard enabled else { throw MFAError.alreadyEnabled }
        do {
            try await news.tellAll(scope: scope)
        } catch {
            throw APIError(
                .dependencyUnavailable, "It takes effect in a moment. Send the code again for recovery codes.")
        }
        return codes
    }

    /// - Throws: ``MFAError/unknown`` when it was not enabled.
    package func disable(
        for userID: UUID, tenantID: UUID, actor: FactorActor, scope: RequestScope
    ) async throws {
        let moment = now()
        let event = try actor.event(.totpDisabled, of: userID, tenantID: tenantID, at: moment)
        let disabled = try await repository.disableTOTP(
            of: userID, tenantID: tenantID, now: moment, event: event, deadline: scope.deadline.forStatement)
        guard disabled else { throw MFAError.unknown }
        // Until identity has heard, it goes on asking for a factor: nobody gets in by that.
        try? await news.tellAll(scope: scope)
    }
}
