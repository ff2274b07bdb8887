package import Contracts
import Foundation
package import Logging
package import MicroMiddleware

/// What whoever has proven who they are gets, however they did: the record of the login, a session, and the tokens.
package struct SignInCompletion: Sendable {
    let repository: any IdentityRepository
    let sessions: any SessionOpening
    let tokens: any AccessTokenMinting
    let logger: Logger

    package init(
        repository: any IdentityRepository, sessions: any SessionOpening, tokens: any AccessTokenMinting,
        logger: Logger
    ) {
        self.repository = repository
        self.sessions = sessions
        self.tokens = tokens
        self.logger = logger
    }

    /// Without the session service a login gives the access token alone.
    ///
    /// - Parameters:
    ///   - methods: `amr` (RFC 8176).
    ///   - rehashed: the password under newer parameters, where it should replace the hash that was seen.
    /// - Throws: ``IdentityError/invalidCredentials`` when the password or the account has changed meanwhile.
    package func complete(
        _ account: Account, methods: [String], rehashed: String? = nil, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let sessionID = UUID.v7()
        let event = try origin.event(
            .loginSucceeded, user: account.user.id, tenantID: account.user.tenantID, actor: account.user.id,
            session: sessionID, details: ["amr": methods.joined(separator: " ")])
        // Between reading the hash and now the password may have been changed, or the account disabled: then this login
        // never happened. The store's clock dates it, the same that dates password changes.
        let recordedAt = try await repository.recordSignIn(
            account.user.id, tenantID: account.user.tenantID, seenHash: account.passwordHash, rehashed: rehashed,
            event: event, deadline: origin.scope.deadline.forStatement)
        guard let authenticatedAt = recordedAt else { throw IdentityError.invalidCredentials }
        return try await open(sessionID, for: account, methods: methods, at: authenticatedAt, origin: origin)
    }

    private func open(
        _ sessionID: UUID, for account: Account, methods: [String], at time: Date, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let user = account.user.snapshot
        let access = try tokens.mint(
            AccessTokenGrant(
                user: user, sessionID: sessionID, authenticatedAt: time, methods: methods,
                mustChangePassword: account.mustChangePassword))
        var refreshToken: String?
        do {
            let request = CreateSessionRequest(
                sessionID: sessionID, user: user, methods: methods, authenticatedAt: time,
                mustChangePassword: account.mustChangePassword, userAgent: origin.userAgent, ip: origin.ip,
                policy: account.tenant.sessionPolicy)
            refreshToken = try await sessions.open(request, scope: origin.scope).refreshToken
        } catch let error as ServiceCallError where error.code == ErrorCode.sessionLimitReached.value {
            // The tenant would rather have no login than one session more.
            throw error.refusal ?? error.apiError
        } catch {
            logger.warning(
                "no session could be opened: this login has an access token only",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
            try await announce(sessionID, of: account, methods: methods, at: time, origin: origin)
        }
        return SignInAnswer(
            accessToken: access.token, refreshToken: refreshToken, expiresIn: access.expiresIn, user: user,
            mustChangePassword: account.mustChangePassword, degraded: refreshToken == nil)
    }

    /// Leaves word for the session service to adopt the session: so it is listed, and can be revoked.
    private func announce(
        _ sessionID: UUID, of account: Account, methods: [String], at time: Date, origin: RequestOrigin
    ) async throws {
        let user = account.user
        let event = try DomainEvent(
            type: .sessionPending, subject: sessionID.text, tenantID: user.tenantID,
            data: PendingSession(
                actorID: user.id, sessionID: sessionID, roles: user.roles, methods: methods, authenticatedAt: time,
                mustChangePassword: account.mustChangePassword, userCreatedAt: user.createdAt, ip: origin.ip,
                userAgent: origin.userAgent, requestID: origin.scope.requestID,
                policy: account.tenant.sessionPolicy))
        try await repository.append(event, deadline: origin.scope.deadline.forStatement)
    }
}
