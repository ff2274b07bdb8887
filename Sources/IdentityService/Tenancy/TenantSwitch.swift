package import Contracts
package import Foundation
package import Logging
package import MicroMiddleware

/// Going to work in another of one's tenants: a session there, beside the one that one has.
package struct TenantSwitch: Sendable {
    let repository: any IdentityRepository
    let memberships: any MembershipRepository
    let sessions: any SessionOpening
    let tokens: any AccessTokenMinting
    let notices: SessionNotices?
    let logger: Logger
    let now: @Sendable () -> Date

    package init(
        repository: any IdentityRepository, memberships: any MembershipRepository, sessions: any SessionOpening,
        tokens: any AccessTokenMinting, notices: SessionNotices? = nil, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.notices = notices
        self.repository = repository
        self.memberships = memberships
        self.sessions = sessions
        self.tokens = tokens
        self.logger = logger
        self.now = now
    }

    package func list(of identity: AccessTokenClaims, origin: RequestOrigin) async throws -> [MembershipInTenant] {
        try await memberships.memberships(of: identity.subject, deadline: origin.scope.deadline.forStatement)
    }

    /// The new session remembers how and when the user signed in.
    /// - Throws: ``IdentityError/tenantNotFound`` where the user is no member, ``IdentityError/membershipPending``,
    ///   ``IdentityError/accountDisabled``, ``IdentityError/changedMeanwhile``; 403 `step_up_required` without the second
    ///   factor that a login there would take; what the session service fails with.
    package func enter(
        _ tenantID: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let deadline = origin.scope.deadline.forStatement
        guard let account = try await repository.account(identity.subject, tenantID: tenantID, deadline: deadline)
        else {
            throw IdentityError.tenantNotFound
        }
        guard account.isUsable else { throw account.refusal }
        // Nobody gets around a second factor by coming in from next door: neither one that the tenant requires, nor one
        // that the user has, which a login there would ask for.
        let isAskedForMore =
            account.secondFactorDemand == .proof || account.mfaPolicy.requires(of: account.user.roles)
        if isAskedForMore, !identity.methods.contains("mfa") { throw APIError(.stepUpRequired) }
        let request = CreateSessionRequest(
            sessionID: .v7(), user: account.user.snapshot, methods: identity.methods,
            authenticatedAt: identity.authenticatedAt, mustChangePassword: account.mustChangePassword,
            userAgent: origin.userAgent, ip: origin.ip, policy: account.tenant.sessionPolicy,
            isKnownDevice: true)
        let withdrawal = SessionWithdrawal(repository: repository, sessions: sessions, logger: logger)
        let opened: CreateSessionAnswer
        do {
            opened = try await sessions.open(request, scope: origin.scope)
        } catch let error as ServiceCallError where error.code == ErrorCode.sessionLimitReached.value {
            throw error.refusal ?? error.apiError
        } catch {
            // Without a refusal session may have opened it, and nobody would have a token of it.
            if !SessionWithdrawal.isRefusal(error) { await withdrawal.withdraw(request, .unknown, origin: origin) }
            throw error
        }
        do {
            return try await answer(
                request, for: account, refreshToken: opened.refreshToken, from: identity.tenantID, origin: origin)
        } catch {
            await withdrawal.withdraw(request, .open, origin: origin)
            throw error
        }
    }

    private func answer(
        _ request: CreateSessionRequest, for account: Account, refreshToken: String, from tenantID: UUID,
        origin: RequestOrigin
    ) async throws -> SignInAnswer {
        let user = request.user
        let readAt = try await repository.confirm(
            account, deadline: origin.scope.deadline.forStatement, now: now)
        let event = try origin.event(
            .tenantSwitched, user: user.id, tenantID: user.tenantID, actor: user.id, session: request.sessionID,
            details: ["from": tenantID.text])
        try await repository.append(event, deadline: origin.scope.deadline.forStatement)
        let access = try tokens.mint(
            AccessTokenGrant(
                user: user, sessionID: request.sessionID, authenticatedAt: request.authenticatedAt,
                methods: request.methods, mustChangePassword: request.mustChangePassword, claimsReadAt: readAt))
        return SignInAnswer(
            accessToken: access.token, refreshToken: refreshToken, expiresIn: access.expiresIn, user: user,
            mustChangePassword: request.mustChangePassword)
    }

    /// A guest leaves a tenant. Who was shut out there stays so, or the next invitation would let them in again.
    /// - Throws: ``IdentityError/tenantNotFound``, ``IdentityError/lastOwner``, ``IdentityError/accountDisabled``
    package func leave(_ tenantID: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        let event = try origin.event(
            .membershipRemoved, user: identity.subject, tenantID: tenantID, actor: identity.subject,
            session: identity.sessionID, message: "left")
        do {
            let left = try await memberships.remove(
                identity.subject, tenantID: tenantID, from: [.active, .pending], event: event,
                deadline: origin.scope.deadline.forStatement)
            await notices?.tell([left], origin: origin)
        } catch IdentityError.userUnknown, IdentityError.tenantUnknown {
            throw IdentityError.tenantNotFound
        }
    }
}
