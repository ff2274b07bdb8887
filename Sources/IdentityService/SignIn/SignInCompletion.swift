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
    ///   - isKnownDevice: whether the device has shown that the user signed in with it before.
    ///   - trustedDevice: what the device shows for being one that the user trusts; it is known then, too.
    /// - Throws: ``IdentityError/invalidCredentials`` when the password or the account has changed meanwhile;
    ///   ``IdentityError/changedMeanwhile`` when that, or what the user may do, changed while the session was opened.
    package func complete(
        _ account: Account, methods: [String], rehashed: String? = nil, isKnownDevice: Bool = false,
        trustedDevice: String? = nil, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        var isKnownDevice = isKnownDevice
        if let trustedDevice, !isKnownDevice {
            isKnownDevice = await isTrusted(trustedDevice, account, origin: origin)
        }
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
        let request = CreateSessionRequest(
            sessionID: sessionID, user: account.user.snapshot, methods: methods, authenticatedAt: authenticatedAt,
            mustChangePassword: account.mustChangePassword, userAgent: origin.userAgent, ip: origin.ip,
            policy: account.tenant.sessionPolicy, isKnownDevice: isKnownDevice)
        return try await open(request, for: account, origin: origin)
    }

    private func open(
        _ request: CreateSessionRequest, for account: Account, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let withdrawal = SessionWithdrawal(repository: repository, sessions: sessions, logger: logger)
        var refreshToken: String?
        do {
            refreshToken = try await sessions.open(request, scope: origin.scope).refreshToken
        } catch let error as ServiceCallError where error.code == ErrorCode.sessionLimitReached.value {
            // The tenant would rather have no login than one session more.
            throw error.refusal ?? error.apiError
        } catch {
            logger.warning(
                "no session could be opened: this login has an access token only",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
            do {
                try await announce(request, origin: origin)
            } catch {
                // The login fails, and session may have opened it without an answer.
                await withdrawal.withdraw(request, .unknown, origin: origin)
                throw error
            }
        }
        do {
            return try await answer(request, for: account, refreshToken: refreshToken, origin: origin)
        } catch {
            await withdrawal.withdraw(request, refreshToken == nil ? .announced : .open, origin: origin)
            throw error
        }
    }

    private func answer(
        _ request: CreateSessionRequest, for account: Account, refreshToken: String?, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let readAt = try await repository.confirm(account, deadline: origin.scope.deadline.forStatement)
        let access = try tokens.mint(
            AccessTokenGrant(
                user: request.user, sessionID: request.sessionID, authenticatedAt: request.authenticatedAt,
                methods: request.methods, mustChangePassword: request.mustChangePassword, claimsReadAt: readAt))
        return SignInAnswer(
            accessToken: access.token, refreshToken: refreshToken, expiresIn: access.expiresIn,
            user: request.user, mustChangePassword: request.mustChangePassword, degraded: refreshToken == nil)
    }

    /// A login does not depend on it: at worst its user is told of a device that they know.
    private func isTrusted(_ token: String, _ account: Account, origin: RequestOrigin) async -> Bool {
        let question = TrustedDeviceQuestion(
            tenantID: account.user.tenantID, userID: account.user.id, deviceToken: token)
        guard question.isWellFormed else { return false }
        do {
            return try await sessions.trusts(question, scope: origin.scope)
        } catch {
            logger.info(
                "whether a device is trusted could not be asked",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
            return false
        }
    }

    /// Leaves word for the session service to adopt the session: so it is listed, and can be revoked.
    private func announce(_ request: CreateSessionRequest, origin: RequestOrigin) async throws {
        let user = request.user
        let event = try DomainEvent(
            type: .sessionPending, subject: request.sessionID.text, tenantID: user.tenantID,
            data: PendingSession(
                actorID: user.id, sessionID: request.sessionID, roles: user.roles, methods: request.methods,
                authenticatedAt: request.authenticatedAt, mustChangePassword: request.mustChangePassword,
                userCreatedAt: user.createdAt, ip: request.ip, userAgent: request.userAgent,
                requestID: origin.scope.requestID, policy: request.policy, isKnownDevice: request.isKnownDevice))
        try await repository.append(event, deadline: origin.scope.deadline.forStatement)
    }
}
