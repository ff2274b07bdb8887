package import Foundation
import Synchronization

/// Issues access tokens: JWTs of type `at+jwt` (RFC 9068) under the ring's active access key; confined ones of another type.
///
/// The signature is swift-crypto's directly: jwt-kit signs through an actor, so that issuing would suspend, and it
/// encodes the header anew for each token.
package struct TokenIssuer: Sendable {
    /// The `typ` of an access token.
    package static let type = "at+jwt"
    /// The `typ` of a token that is good for one thing alone, to choose a password or to set a second factor up
    /// (``AccessTokenClaims/isConfined``). A service that takes access tokens must not take it for one: a password alone bought
    /// it.
    package static let confinedType = "confined+jwt"

    private let ring: KeyRing
    private let issuer: String
    private let audience: String
    private let lifetime: Duration
    private let now: @Sendable () -> Date

    /// - Parameter lifetime: how long a token is valid unless `issue` is told otherwise.
    package init(
        ring: KeyRing, issuer: String, audience: String, lifetime: Duration = .seconds(30 * 60),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.ring = ring
        self.issuer = issuer
        self.audience = audience
        self.lifetime = lifetime
        self.now = now
    }

    /// Signs a token for a user's session.
    ///
    /// - Parameters:
    ///   - authenticatedAt: when the user last proved who they are; now, at a login.
    ///   - lifetime: shorter than the usual, for a degraded refresh.
    ///   - claimsReadAt: when what the claims say was read, so that a revocation after it concerns the token; now, unless
    ///     it was read before.
    /// - Throws: `KeyRingError.noActiveKey` when this process holds no signing key.
    package func issue(
        subject: UUID, tenantID: UUID, roles: [String], sessionID: UUID, authenticatedAt: Date? = nil,
        methods: [String], scope: String? = nil, mustChangePassword: Bool = false,
        lifetime: Duration? = nil, permissions: [String] = [], claimsReadAt: Date? = nil
    ) throws -> (token: String, claims: AccessTokenClaims) {
        let moment = min(now(), claimsReadAt ?? .distantFuture)
        let issuedAt = Date(timeIntervalSince1970: moment.timeIntervalSince1970.rounded(.down))
        let seconds = max(1, (lifetime ?? self.lifetime).components.seconds)
        let claims = AccessTokenClaims(
            issuer: issuer, audience: audience, subject: subject, tenantID: tenantID, roles: roles,
            sessionID: sessionID, tokenID: .version7(at: moment), issuedAt: issuedAt,
            expiresAt: issuedAt.addingTimeInterval(Double(seconds)),
            authenticatedAt: Date(timeIntervalSince1970: Double((authenticatedAt ?? moment).wholeSeconds)),
            methods: methods, scope: scope, mustChangePassword: mustChangePassword, permissions: permissions)
        return (try sign(claims), claims)
    }

    /// Signs claims as they are, under the active key.
    package func sign(_ claims: AccessTokenClaims) throws -> String {
        guard let key = ring.snapshot.signingKey(for: .access) else { throw KeyRingError.noActiveKey(.access) }
        return try CompactToken.sign(claims, type: claims.isConfined ? Self.confinedType : Self.type, key: key)
    }

    /// How long a token is valid, in whole seconds: the `expires_in` of an answer.
    package var lifetimeSeconds: Int { Int(lifetime.components.seconds) }
}
