package import Contracts
package import Foundation

/// A refresh on the refresh token's own word, for when no session database can be asked: an access token of five minutes,
/// the refresh token back (``RefreshTokenCodec/givenBack(_:text:at:earlier:)``), for at most an hour after the database last confirmed the session.
///
/// What it cannot know: whether the token has been rotated since. Whoever stole a used one can buy short tokens with it
/// until its hour is over or the session is revoked; reuse is detected when the database is back. A revocation that this
/// process has heard of holds.
package struct DegradedRefresh: Sendable {
    /// Why nothing is given.
    package enum Refusal: Error {
        /// The token carries no grant, or one of more than an hour ago, or what it says of its user's roles has been refused
        /// since: only the database could say.
        case nothingToGoBy
        case revoked
        /// This process holds no key to sign with.
        case cannotSign(any Error)
    }

    private let tokens: any AccessTokenMinting
    private let revocations: RevocationSet

    package init(tokens: any AccessTokenMinting, revocations: RevocationSet) {
        self.tokens = tokens
        self.revocations = revocations
    }

    /// - Parameters:
    ///   - token: as decoded, so authentic and not expired.
    ///   - text: the refresh token that the answer gives.
    ///   - user: the user as known better than from the token, where it is.
    ///   - now: before the user was read.
    package func answer(
        _ token: RefreshToken, text: String, user: UserSnapshot? = nil, at now: Date
    ) throws(Refusal) -> SignInAnswer {
        guard let grant = token.grant, grant.isFresh(at: now) else { throw .nothingToGoBy }
        let (session, tenant) = (token.sessionID, grant.tenantID)
        if revocations.contains(session: session, of: grant.userID, in: tenant, issuedAt: { grant.confirmedAt }) {
            let hasEnded = revocations.contains(
                session: session, of: grant.userID, in: tenant, countingMembership: false,
                issuedAt: { grant.confirmedAt })
            throw hasEnded ? .revoked : .nothingToGoBy
        }
        return try answer(
            sessionID: token.sessionID, user: user ?? grant.user, authenticatedAt: grant.authenticatedAt,
            methods: grant.methods, mustChangePassword: grant.mustChangePassword, text: text, readAt: now)
    }

    /// The degraded answer for a session that is known otherwise, and known not to be revoked.
    /// - Parameter readAt: when that was known: what is revoked later concerns the token.
    package func answer(
        sessionID: UUID, user: UserSnapshot, authenticatedAt: Date, methods: [String], mustChangePassword: Bool,
        text: String, readAt: Date
    ) throws(Refusal) -> SignInAnswer {
        let grant = AccessTokenGrant(
            user: user, sessionID: sessionID, authenticatedAt: authenticatedAt, methods: methods,
            mustChangePassword: mustChangePassword, lifetime: RefreshGrant.accessTokenLifetime, claimsReadAt: readAt)
        let access: MintedAccessToken
        do {
            access = try tokens.mint(grant)
        } catch {
            throw .cannotSign(error)
        }
        return SignInAnswer(
            accessToken: access.token, refreshToken: text, expiresIn: access.expiresIn, user: user,
            mustChangePassword: mustChangePassword, degraded: true)
    }
}

extension RefreshGrant {
    /// What is known of the user from the token alone.
    package var user: UserSnapshot {
        UserSnapshot(id: userID, tenantID: tenantID, status: "active", roles: roles, createdAt: userCreatedAt)
    }
}
