package import Contracts
package import Foundation
package import MicroMiddleware

/// Proving oneself anew while signed in: a second factor buys an access token with a fresh `auth_time`, for the calls that
/// need one. The session stays as it is; its next refresh gives a token with the login's own `auth_time` again.
package struct StepUp: Sendable {
    let repository: any IdentityRepository
    let gate: SecondFactorGate
    let tokens: any AccessTokenMinting
    let now: @Sendable () -> Date

    package init(
        repository: any IdentityRepository, gate: SecondFactorGate, tokens: any AccessTokenMinting,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.gate = gate
        self.tokens = tokens
        self.now = now
    }

    /// Opens a challenge: needed for a passkey, which answers to one.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/accountDisabled``; 409 for who has no second factor; 503
    ///   without the mfa service.
    package func begin(_ identity: AccessTokenClaims, origin: RequestOrigin) async throws -> SecondFactorDue {
        let account = try await account(identity, origin: origin)
        return try await gate.challenge(ticket(for: account), origin: origin)
    }

    /// - Parameter challengeToken: from ``begin(_:origin:)``; without one a challenge is opened for this answer alone.
    /// - Throws: ``IdentityError/challengeInvalid``, ``IdentityError/userUnknown``, ``IdentityError/accountDisabled``;
    ///   what the mfa service refused with; 503 without it.
    package func complete(
        _ identity: AccessTokenClaims, challengeToken: String?, method: MFAMethod, code: String?,
        credential: WebAuthnCredential?, origin: RequestOrigin
    ) async throws -> MintedAccessToken {
        let readAt = now()
        let account = try await account(identity, origin: origin)
        let challenge: UUID
        if let challengeToken {
            let ticket = try gate.tickets.read(challengeToken, for: .stepUp)
            guard ticket.userID == identity.subject, ticket.tenantID == account.user.homeTenantID else {
                throw IdentityError.challengeInvalid
            }
            challenge = ticket.id
        } else {
            let ticket = ticket(for: account)
            _ = try await gate.challenge(ticket, origin: origin)
            challenge = ticket.id
        }
        let request = VerifyChallengeRequest(
            userID: identity.subject, tenantID: account.user.homeTenantID, method: method, code: code,
            credential: credential, ip: origin.ip, userAgent: origin.userAgent)
        let factor = try await gate.factors.verify(challenge, request, scope: origin.scope)
        return try tokens.mint(
            AccessTokenGrant(
                user: account.user.snapshot, sessionID: identity.sessionID, authenticatedAt: now(),
                methods: identity.methods + factor.methods.filter { !identity.methods.contains($0) },
                mustChangePassword: account.mustChangePassword, claimsReadAt: readAt))
    }

    /// The account, which has a second factor to prove.
    private func account(_ identity: AccessTokenClaims, origin: RequestOrigin) async throws -> Account {
        let account = try await repository.account(
            identity.subject, tenantID: identity.tenantID, deadline: origin.scope.deadline.forStatement)
        guard let account else { throw IdentityError.userUnknown }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        guard !account.secondFactors.isEmpty else {
            throw APIError(.conflict, "You have no second factor. Set one up first.")
        }
        return account
    }

    /// For home, where the factors are, also of a guest's.
    private func ticket(for account: Account) -> ChallengeTicket {
        ChallengeTicket(
            userID: account.user.id, tenantID: account.user.homeTenantID, purpose: .stepUp,
            expiresAt: gate.tickets.expiry)
    }
}
