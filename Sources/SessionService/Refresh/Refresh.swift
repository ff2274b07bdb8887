package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
import Postgres
import Synchronization

/// Exchanging a refresh token for a new pair.
///
/// The usual case costs one statement and one signature. With the database down, a session that it has confirmed within
/// the hour, as this process remembers or as the token says, gets an access token of five minutes and its refresh token back,
/// which says from then on that it was: should the database have exchanged it all the same, nobody takes it for stolen.
package struct Refresh: Sendable {
    let repository: any SessionRepository
    let codec: RefreshTokenCodec
    let tokens: any AccessTokenMinting
    let lifetime: SessionLifetime
    let recent: RecentSessions
    let announcer: RevocationAnnouncer
    let degraded: DegradedRefresh
    let unanswered = UnansweredRefreshes()
    /// Tells whether a request may have waited while this process was stopped.
    let stall: StallDetector
    /// From when on this process has been told of the refreshes that the one before it left without an answer.
    let isToldFrom: ToldMoment
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, tokens: any AccessTokenMinting,
        lifetime: SessionLifetime, recent: RecentSessions, announcer: RevocationAnnouncer,
        stall: StallDetector, isToldFrom: ToldMoment = ToldMoment(), now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.tokens = tokens
        self.lifetime = lifetime
        self.recent = recent
        self.announcer = announcer
        self.stall = stall
        self.isToldFrom = isToldFrom
        degraded = announcer.degradedRefresh(tokens: tokens)
        self.now = now
    }

    /// - Throws: ``SessionError/refreshTokenInvalid``, ``SessionError/refreshTokenReused``,
    ///   ``SessionError/sessionRevoked``, ``SessionError/stalled``, ``SessionError/tooLittleTime``, ``SessionError/undecided``;
    ///   `PostgresError` when the database is down and neither this process nor the token knows enough of the session.
    package func refresh(_ text: String, actor: SessionActor, deadline: Deadline) async throws -> SignInAnswer {
        let token = try codec.decode(text)
        // Whoever sent it has an answer from elsewhere by now, and keeps the token that a rotation would use up.
        guard !stall.hasJustResumed() else { throw SessionError.stalled }
        // Before anything is noted: a database that was not asked has left nothing unanswered.
        guard deadline.remaining >= Self.leastTime else { throw SessionError.tooLittleTime }
        let claim = RefreshClaim(token)
        let (now, began) = (now(), ContinuousClock.now)
        let result: RefreshResult
        do {
            // Whether an exchange without an answer happened can be asked now; its owner holds the token still, and within the
            // grace period a retry gets the same successor anyway.
            if let moments = unanswered.moments(of: claim), now > moments.upperBound + lifetime.grace.timeInterval {
                try await repository.takeBack(claim, rotated: moments, actor: actor, deadline: deadline.forStatement)
            }
            var judged = claim
            judged.isEarly = now < isToldFrom.date
            result = try await repository.refresh(
                judged, lifetime: lifetime, now: now, actor: actor, deadline: deadline.forStatement)
            // The gateway goes to identity after a second, and then the owner holds what they sent.
            if began.duration(to: .now) > Self.promptness {
                unanswered.note(claim, at: now)
            } else {
                unanswered.forget(claim)
            }
        } catch let error as PostgresError where error.isUnavailable {
            unanswered.note(claim, at: now)
            return try withoutDatabase(token, claim, text: text, at: now, failure: error)
        }
        switch result {
        case .rotated(let session), .repeated(let session):
            recent.remember(session, at: now)
            return try answer(session, claimsReadAt: now)
        case .reused(let revocations):
            announcer.announce(revocations)
            throw SessionError.refreshTokenReused
        case .undecided: throw SessionError.undecided
        case .revoked: throw SessionError.sessionRevoked
        case .expired, .unknown: throw SessionError.refreshTokenInvalid
        }
    }

    /// With less time than this left the database is not asked. That it does not answer in what is left would say nothing about
    /// it, and whoever sends a request slowly decides how much is left: they could have a healthy database taken for one that
    /// is away, and get what only an outage gives. A healthy one answers in a tenth of it, and identity, which asks with the
    /// least time of all, gives 400 ms.
    static let leastTime = Duration.milliseconds(300)
    /// An answer that takes longer may have come too late for whoever asked.
    private static let promptness = Duration.milliseconds(500)
    private func answer(_ session: Session, claimsReadAt: Date) throws -> SignInAnswer {
        var grant = AccessTokenGrant(session)
        // A row that says since when its roles hold was read after that, however long ago the request began; in the
        // identifier of a token the moment is rounded down to the millisecond.
        grant.claimsReadAt = max(claimsReadAt, session.tokensRefusedAt.map { $0 + 0.002 } ?? .distantPast)
        let access = try tokens.mint(grant)
        return SignInAnswer(
            accessToken: access.token, refreshToken: try codec.encode(session.refreshToken()),
            expiresIn: access.expiresIn, user: session.user, mustChangePassword: session.mustChangePassword)
    }

    private func withoutDatabase(
        _ token: RefreshToken, _ claim: RefreshClaim, text: String, at now: Date, failure: PostgresError
    ) throws -> SignInAnswer {
        let text = codec.givenBack(token, text: text, at: now)
        switch recent.recall(claim, at: now) {
        case .present(let session):
            guard !announcer.isRevoked(session) else {
                throw announcer.hasEnded(session) ? SessionError.sessionRevoked : failure
            }
            return try degraded.answer(
                sessionID: session.id, user: session.user, authenticatedAt: session.authenticatedAt,
                methods: session.methods, mustChangePassword: session.mustChangePassword, text: text,
                readAt: now)
        case .superseded:
            // Reuse, most likely; but only the database may end a family, so it has to be asked again.
            throw failure
        case .unknown:
            do throws(DegradedRefresh.Refusal) {
                return try degraded.answer(token, text: text, at: now)
            } catch {
                switch error {
                case .revoked: throw SessionError.sessionRevoked
                case .nothingToGoBy: throw failure
                case .cannotSign(let reason): throw reason
                }
            }
        }
    }
}

/// From when on identity has told this process of the refreshes that the one before it left without an answer: some seconds
/// after it began to listen. What comes before that, migrations and the like, takes as long as it takes.
package final class ToldMoment: Sendable {
    /// Within this time of when the service can be asked again identity has told it.
    private static let telling: TimeInterval = 5

    private let moment: Mutex<Date>

    package init(_ date: Date = .distantPast) {
        moment = Mutex(date)
    }

    var date: Date { moment.withLock { $0 } }

    /// Notes that this process takes requests from now on.
    package func listens(from now: Date) {
        moment.withLock { $0 = now + Self.telling }
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
        RefreshToken(
            sessionID: id, generation: UInt32(clamping: generation), expiresAt: idleExpiresAt,
            grant: RefreshGrant(
                userID: userID, tenantID: tenantID, roles: user.roles, methods: methods,
                mustChangePassword: mustChangePassword, authenticatedAt: authenticatedAt, confirmedAt: confirmedAt,
                userCreatedAt: user.createdAt))
    }
}

extension Deadline {
    /// One statement or transaction: a dead database is admitted within a second.
    var forStatement: Deadline { capped(at: .milliseconds(900)) }
}
