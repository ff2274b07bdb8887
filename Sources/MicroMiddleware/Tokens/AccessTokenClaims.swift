#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// What a verified access token says (RFC 9068).
package struct AccessTokenClaims: Sendable, Hashable {
    /// `iss`
    package var issuer: String
    /// `aud`
    package var audience: String
    /// `sub`: the user.
    package var subject: UUID
    /// `tenant_id`
    package var tenantID: UUID
    /// `roles`
    package var roles: [String]
    /// `sid`: the session.
    package var sessionID: UUID
    /// `jti`
    package var tokenID: UUID
    /// `iat`
    package var issuedAt: Date
    /// `exp`
    package var expiresAt: Date
    /// `auth_time`: when the user last proved who they are.
    package var authenticatedAt: Date
    /// `amr`: how (RFC 8176).
    package var methods: [String]
    /// `pwd_change`: whether the user must choose a new password before anything else.
    package var mustChangePassword: Bool

    package init(
        issuer: String, audience: String, subject: UUID, tenantID: UUID, roles: [String], sessionID: UUID,
        tokenID: UUID, issuedAt: Date, expiresAt: Date, authenticatedAt: Date, methods: [String],
        mustChangePassword: Bool = false
    ) {
        self.issuer = issuer
        self.audience = audience
        self.subject = subject
        self.tenantID = tenantID
        self.roles = roles
        self.sessionID = sessionID
        self.tokenID = tokenID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.authenticatedAt = authenticatedAt
        self.methods = methods
        self.mustChangePassword = mustChangePassword
    }
}
