import ConnectionKit
package import Contracts
package import Foundation
package import Logging
package import MicroMiddleware

/// Refreshing at identity: the way that is left when the gateway cannot reach the session service.
///
/// The session service is asked first, since it alone knows which token is the present one. When it cannot be reached, the
/// token's own word buys five minutes, with what this service's database knows of the user where that can be asked:
/// somebody disabled, deleted or with a new password since gets nothing. The token goes back to its owner and says that it
/// did: session may have exchanged it before it fell silent, and knows by that who comes with it afterwards.
package struct RefreshFallback: Sendable {
    let sessions: any SessionRefreshing
    let codec: RefreshTokenCodec
    let degraded: DegradedRefresh
    let repository: any IdentityRepository
    let unanswered: UnansweredRefreshes
    let logger: Logger
    let now: @Sendable () -> Date

    package init(
        sessions: any SessionRefreshing, codec: RefreshTokenCodec, degraded: DegradedRefresh,
        repository: any IdentityRepository, unanswered: UnansweredRefreshes, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.sessions = sessions
        self.codec = codec
        self.degraded = degraded
        self.repository = repository
        self.unanswered = unanswered
        self.logger = logger
        self.now = now
    }

    /// - Throws: ``IdentityError/refreshTokenInvalid``, ``IdentityError/refreshTokenRevoked``,
    ///   ``IdentityError/accountDisabled``, ``IdentityError/onlySessionKnows``, ``IdentityError/tooLittleTime``; what
    ///   the session service refused with.
    package func refresh(_ text: String, origin: RequestOrigin) async throws -> SignInAnswer {
        let token: RefreshToken
        do {
            token = try codec.decode(text)
        } catch RefreshTokenError.newerForm {
            // Nothing can be done on its word here; but a replica of session may be of the version that wrote it.
            return try await sessions.refresh(text, scope: origin.scope)
        }
        // How much is left is up to whoever sends the request slowly. That session does not answer in less than its time says
        // nothing about it, and the account has to be looked at after that.
        guard origin.scope.deadline.remaining >= Budget.refresh else { throw IdentityError.tooLittleTime }
        do {
            return try await sessions.refresh(text, scope: origin.scope)
        } catch let error as ServiceCallError where error.isWithoutAnswer {
            return try await withoutSession(token, text: text, origin: origin)
        }
    }

    private func withoutSession(_ token: RefreshToken, text: String, origin: RequestOrigin) async throws -> SignInAnswer
    {
        var answer: SignInAnswer
        do {
            answer = try await onItsWord(token, text: text, origin: origin)
        } catch {
            // Its owner keeps the token, and session may have exchanged it all the same.
            _ = await note(token, event: nil, origin: origin)
            throw error
        }
        let event = try record(of: token, origin: origin)
        let earlier = await note(token, event: event, origin: origin)
        answer.refreshToken = codec.givenBack(token, text: text, at: now(), earlier: earlier)
        return answer
    }

    private func onItsWord(_ token: RefreshToken, text: String, origin: RequestOrigin) async throws -> SignInAnswer {
        let now = now()
        var token = token
        var user: UserSnapshot?
        if let grant = token.grant, let account = try await known(grant, origin: origin) {
            user = account.user.snapshot
            token.grant?.mustChangePassword = account.mustChangePassword
        }
        do throws(DegradedRefresh.Refusal) {
            return try degraded.answer(token, text: text, user: user, at: now)
        } catch {
            switch error {
            case .revoked: throw IdentityError.refreshTokenRevoked
            case .nothingToGoBy: throw IdentityError.onlySessionKnows
            case .cannotSign(let reason): throw reason
            }
        }
    }

    /// The account as it is now; `nil` when the database cannot say.
    private func known(_ grant: RefreshGrant, origin: RequestOrigin) async throws -> Account? {
        let account: Account?
        do {
            account = try await repository.account(
                grant.userID, tenantID: grant.tenantID, deadline: origin.scope.deadline.forGlance)
        } catch {
            logger.warning(
                "a refresh goes by its token alone",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
            return nil
        }
        guard let account else { throw IdentityError.refreshTokenInvalid }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        // Whether this session outlived the change of password is for session to say. The grant's times are rounded.
        guard account.passwordChangedAt <= grant.authenticatedAt + 0.002 else { throw IdentityError.onlySessionKnows }
        return account
    }

    private func record(of token: RefreshToken, origin: RequestOrigin) throws -> DomainEvent? {
        guard let grant = token.grant else { return nil }
        return try origin.event(
            .refreshDegraded, user: grant.userID, tenantID: grant.tenantID, actor: grant.userID,
            session: token.sessionID,
            details: ["generation": "\(token.generation)", "edition": "\(grant.fallbacks.edition)"])
    }

    private func note(_ token: RefreshToken, event: DomainEvent?, origin: RequestOrigin) async -> [Date] {
        let refresh = UnansweredRefresh(
            sessionID: token.sessionID, generation: Int64(token.generation),
            edition: Int64(token.grant?.fallbacks.edition ?? 0), askedAt: now())
        return await unanswered.note(refresh, until: token.expiresAt, event: event, scope: origin.scope)
    }
}

/// The session service, as a refresh sees it.
package protocol SessionRefreshing: Sendable {
    /// Exchanges a refresh token. Twice is as good as once, within the grace period. Fails fast when session is away.
    func refresh(_ refreshToken: String, scope: RequestScope) async throws -> SignInAnswer
}

extension RemoteSessions: SessionRefreshing {
    package func refresh(_ refreshToken: String, scope: RequestScope) async throws -> SignInAnswer {
        try await client.post(
            "/api/v1/auth/refresh", body: ["refresh_token": refreshToken], as: SignInAnswer.self,
            scope: scope.capped(at: Budget.session), isIdempotent: true)
    }
}
