package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
import Postgres

/// Exchanging a refresh token for a new pair.
///
/// The usual case costs one statement and one signature. With the database down, a session that this process has seen
/// within the hour gets an access token of five minutes and keeps its refresh token.
package struct Refresh: Sendable {
    /// How long a degraded access token is good for.
    static let degradedLifetime = Duration.seconds(300)

    let repository: any SessionRepository
    let codec: RefreshTokenCodec
    let tokens: any AccessTokenMinting
    let lifetime: SessionLifetime
    let recent: RecentSessions
    let announcer: RevocationAnnouncer
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, tokens: any AccessTokenMinting,
        lifetime: SessionLifetime, recent: RecentSessions, announcer: RevocationAnnouncer,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.tokens = tokens
        self.lifetime = lifetime
        self.recent = recent
        self.announcer = announcer
        self.now = now
    }

    /// - Throws: ``SessionError/refreshTokenInvalid``, ``SessionError/refreshTokenReused``,
    ///   ``SessionError/sessionRevoked``; `PostgresError` when the database is down and the session is not remembered.
    package func refresh(_ text: String, actor: SessionActor, deadline: Deadline) async throws -> SignInAnswer {
        let token = try codec.decode(text)
        let claim = RefreshClaim(sessionID: token.sessionID, generation: Int64(token.generation))
        let now = now()
        let result: RefreshResult
        do {
            result = try await repository.refresh(
                claim, lifetime: lifetime, now: now, actor: actor, deadline: deadline.forStatement)
        } catch let error as PostgresError where error.isUnavailable {
            guard let session = recent.session(for: claim, at: now) else { throw error }
            return try degradedAnswer(session, keeping: text)
        }
        switch result {
        case .rotated(let session), .repeated(let session):
            recent.remember(session, at: now)
            return try answer(session)
        case .reused(let revocations):
            announcer.announce(revocations)
            throw SessionError.refreshTokenReused
        case .revoked: throw SessionError.sessionRevoked
        case .expired, .unknown: throw SessionError.refreshTokenInvalid
        }
    }

    private func answer(_ session: Session) throws -> SignInAnswer {
        let access = try tokens.mint(AccessTokenGrant(session))
        return SignInAnswer(
            accessToken: access.token, refreshToken: try codec.encode(session.refreshToken()),
            expiresIn: access.expiresIn, user: session.user, mustChangePassword: session.mustChangePassword)
    }

    private func degradedAnswer(_ session: Session, keeping refreshToken: String) throws -> SignInAnswer {
        guard !announcer.isRevoked(session) else { throw SessionError.sessionRevoked }
        var grant = AccessTokenGrant(session)
        grant.lifetime = Self.degradedLifetime
        let access = try tokens.mint(grant)
        return SignInAnswer(
            accessToken: access.token, refreshToken: refreshToken, expiresIn: access.expiresIn, user: session.user,
            mustChangePassword: session.mustChangePassword, degraded: true)
    }
}

extension AccessTokenGrant {
    fileprivate init(_ session: Session) {
        self.init(
            user: session.user, sessionID: session.id, authenticatedAt: session.authenticatedAt,
            methods: session.methods, mustChangePassword: session.mustChangePassword)
    }
}

extension Session {
    /// The refresh token in force: the same whenever it is asked for.
    func refreshToken() -> RefreshToken {
        RefreshToken(sessionID: id, generation: UInt32(clamping: generation), expiresAt: idleExpiresAt)
    }
}

extension Deadline {
    /// One statement or transaction: a dead database is admitted within a second.
    var forStatement: Deadline { capped(at: .milliseconds(900)) }
}
