package import Contracts
package import Foundation
import MicroMiddleware

/// Signing in with a passkey and nothing else: the authenticator says who it is, and has verified them.
package struct PasskeyLogin: Sendable {
    let repository: any IdentityRepository & SecondFactorRepository
    let factors: any SecondFactorService
    let tickets: ChallengeTickets
    let completion: SignInCompletion

    package init(
        repository: any IdentityRepository & SecondFactorRepository, factors: any SecondFactorService,
        tickets: ChallengeTickets, completion: SignInCompletion
    ) {
        self.repository = repository
        self.factors = factors
        self.tickets = tickets
        self.completion = completion
    }

    /// - Throws: 403 `mfa_off` where the tenant has no passkeys; 503 without the mfa service.
    package func begin(tenantID: UUID, origin: RequestOrigin) async throws -> SecondFactorDue {
        let policy = try await repository.mfaPolicy(of: tenantID, deadline: origin.scope.deadline.forStatement)
        guard policy.allowsPasskeys else { throw APIError(.mfaOff) }
        let ticket = ChallengeTicket(userID: .zero, tenantID: tenantID, purpose: .passkey, expiresAt: tickets.expiry)
        let request = OpenPasskeyChallengeRequest(
            challengeID: ticket.id, tenantID: tenantID, expiresAt: ticket.expiresAt)
        let opened = try await factors.openAlone(request, scope: origin.scope)
        return SecondFactorDue(
            challengeToken: try tickets.text(of: ticket),
            expiresIn: Int(ChallengeTicket.lifetime.components.seconds), methods: opened.methods,
            webauthn: opened.webauthn)
    }

    /// - Throws: ``IdentityError/challengeInvalid``, ``IdentityError/accountDisabled``; what the mfa service refused
    ///   with; 503 without it.
    package func complete(
        _ challengeToken: String, credential: WebAuthnCredential, trustedDevice: String? = nil, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let ticket = try tickets.read(challengeToken, for: .passkey)
        let request = VerifyPasskeyRequest(
            tenantID: ticket.tenantID, credential: credential, ip: origin.ip, userAgent: origin.userAgent)
        let passkey = try await factors.verifyAlone(ticket.id, request, scope: origin.scope)
        let account = try await repository.account(
            passkey.userID, tenantID: ticket.tenantID, deadline: origin.scope.deadline.forStatement)
        guard let account else { throw IdentityError.challengeInvalid }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        return try await completion.complete(
            account, methods: passkey.methods, trustedDevice: trustedDevice, origin: origin)
    }
}
