package import Contracts

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// What an access token is issued on: the same at a login and at a refresh.
package struct AccessTokenGrant: Sendable {
    package var user: UserSnapshot
    package var sessionID: UUID
    package var authenticatedAt: Date
    /// `amr` (RFC 8176).
    package var methods: [String]
    /// While true the token carries no role.
    package var mustChangePassword: Bool
    /// Shorter than usual, when less is known than usual; `nil` for the configured lifetime.
    package var lifetime: Duration?
    /// When the roles were read: the token counts as issued then, so that one removed since takes the token with it.
    package var claimsReadAt: Date?
    /// What the token is confined to; one that is confined carries no role.
    package var scope: TokenScope?

    /// Whether the token carries neither roles nor permissions: it is good for one thing only.
    package var isConfined: Bool { mustChangePassword || scope != nil }

    package init(
        user: UserSnapshot, sessionID: UUID, authenticatedAt: Date, methods: [String], mustChangePassword: Bool,
        lifetime: Duration? = nil, claimsReadAt: Date? = nil, scope: TokenScope? = nil
    ) {
        self.user = user
        self.sessionID = sessionID
        self.authenticatedAt = authenticatedAt
        self.methods = methods
        self.mustChangePassword = mustChangePassword
        self.lifetime = lifetime
        self.claimsReadAt = claimsReadAt
        self.scope = scope
    }
}

/// What a confined token reaches: the paths that name its scope, and no other.
package enum TokenScope: String, Sendable, Hashable {
    /// Setting up the second factor that the tenant requires.
    case mfaSetup = "mfa:setup"
}

/// A token that has just been signed.
package struct MintedAccessToken: Sendable {
    package var token: String
    /// Seconds.
    package var expiresIn: Int

    package init(token: String, expiresIn: Int) {
        self.token = token
        self.expiresIn = expiresIn
    }
}

/// Signs access tokens. The rules need no more of an issuer than this.
package protocol AccessTokenMinting: Sendable {
    func mint(_ grant: AccessTokenGrant) throws -> MintedAccessToken
}
