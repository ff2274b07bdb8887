package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Ending sessions: one's own present one, another of one's own, or all others.
package struct SignOut: Sendable {
    let repository: any SessionRepository
    let codec: RefreshTokenCodec
    let lifetime: SessionLifetime
    let announcer: RevocationAnnouncer
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, lifetime: SessionLifetime,
        announcer: RevocationAnnouncer, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.lifetime = lifetime
        self.announcer = announcer
        self.now = now
    }

    /// Ends the session of the access token, and that of the refresh token where it is another one's of the same tenant.
    /// A refresh token alone will do. Doing it twice is as good as once. The access token is refused afterwards, also where its
    /// session has not been adopted yet, or never will be.
    package func signOut(
        identity: AccessTokenClaims?, refreshToken: String?, actor: SessionActor, deadline: Deadline
    ) async throws {
        var token: RefreshToken?
        do throws(RefreshTokenError) {
            token = try refreshToken.map { (text) throws(RefreshTokenError) in try codec.decode(text) }
        } catch {
            // Beside a good access token, a refresh token that has expired is nothing to complain about. One of which only
            // others know which session it is of is theirs to end, before anything is done here.
            if identity == nil || error == .newerForm { throw error }
        }
        if let identity {
            try await end(sessionOf: identity, .logout, actor, deadline)
        }
        guard let token, token.sessionID != identity?.sessionID else { return }
        guard let session = try await repository.owner(of: token.sessionID, deadline: deadline.forStatement) else {
            return
        }
        var actor = actor
        actor.userID = actor.userID ?? session.userID
        try await end(.one(token.sessionID), of: session.tenantID, .logout, actor, deadline)
    }

    /// - Throws: ``SessionError/sessionUnknown`` when the user has no such live session.
    package func end(
        _ sessionID: UUID, by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws {
        let count =
            sessionID == identity.sessionID
            ? try await end(sessionOf: identity, .revokedByUser, actor, deadline)
            : try await end(
                .oneOf(user: identity.subject, id: sessionID), of: identity.tenantID, .revokedByUser, actor, deadline)
        guard count > 0 else { throw SessionError.sessionUnknown }
    }

    /// - Returns: how many sessions that were.
    package func endOthers(
        by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        let others = SessionSelection.all(
            user: identity.subject, except: identity.sessionID, authenticatedUntil: nil)
        return try await end(others, of: identity.tenantID, .revokedByUser, actor, deadline)
    }

    /// Those of these sessions that are alive and of the administrator's tenant end.
    /// - Returns: how many sessions that were.
    package func end(
        these sessionIDs: [UUID], by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        try await end(.these(sessionIDs), of: identity.tenantID, .administrator, actor, deadline)
    }

    /// The session that a verified access token of the administrator's tenant is of, also where it is not here.
    /// - Returns: how many sessions that were.
    package func end(
        sessionOf claims: AccessTokenClaims, by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        guard claims.tenantID == identity.tenantID else { return 0 }
        return try await end(sessionOf: claims, .administrator, actor, deadline)
    }

    /// All sessions of a user in the administrator's tenant, one by one: what the same user has in another tenant, or
    /// somebody else's user, is no business of the administrator's.
    /// - Returns: how many sessions that were.
    package func endAll(
        of user: UUID, by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        try await end(
            .all(user: user, except: nil, authenticatedUntil: nil), of: identity.tenantID, .administrator, actor,
            deadline)
    }

    /// Everything of the administrator's tenant, the administrator's own sessions too.
    /// - Returns: how many sessions that were.
    package func endTenant(
        by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        try await endTenant(identity.tenantID, actor: actor, deadline: deadline)
    }

    /// As ``endTenant(by:actor:deadline:)``, of a tenant that was suspended.
    @discardableResult
    package func endTenant(
        _ tenantID: UUID, because cause: SessionCause? = nil, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        let now = now()
        let ending = SessionEnding(
            .these([]), tenantID: tenantID, reason: .tenantRevoked, now: now,
            revokedUntil: lifetime.revokedUntil(from: now), actor: actor, cause: cause)
        // As many rows as the tenant has sessions: it may take the whole of the request's time.
        let (revocation, count) = try await repository.revokeTenant(tenantID, ending, deadline: deadline)
        announcer.announce([revocation].compactMap(\.self))
        return count
    }

    /// An event of identity that this service hears of now.
    package func cause(_ event: DomainEvent) -> SessionCause {
        SessionCause(eventID: event.id, time: event.time.date, heardAt: now())
    }

    /// A password was changed at a moment: what was signed in with the one before ends. What was signed in with the new one may
    /// have to change it, and stays so.
    @discardableResult
    package func passwordChanged(
        of user: UUID, _ notice: PasswordChangedNotice, because cause: SessionCause? = nil, actor: SessionActor,
        deadline: Deadline
    ) async throws -> Int {
        let others = SessionSelection.all(
            user: user, except: notice.keptSessionID, authenticatedUntil: notice.changedAt)
        let count = try await end(others, of: notice.tenantID, .passwordChanged, because: cause, actor, deadline)
        try await repository.updateSnapshots(
            of: user, tenantID: notice.tenantID,
            change: SnapshotChange(mustChangePassword: false, authenticatedUntil: notice.changedAt),
            deadline: deadline.forStatement)
        return count
    }

    /// A login was refused after its session had been opened: nobody has a token of the session, which ends.
    ///
    /// Where it is not there yet, what opens it may still be under way, or wait in a queue: its id is taken, by a session that
    /// has ended, for a week.
    /// - Returns: 1, or 0 where it has ended already or is another user's.
    @discardableResult
    package func withdraw(
        _ sessionID: UUID, of user: UUID, tenantID: UUID, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        try await end(sessionID, of: user, tenantID: tenantID, .loginRefused, actor, deadline)
    }

    /// A user was disabled or deleted: nothing of theirs is accepted any more.
    package func endEverything(
        of user: UUID, tenantID: UUID, reason: RevocationReason, because cause: SessionCause, actor: SessionActor,
        deadline: Deadline
    ) async throws {
        let ending = SessionEnding(
            .all(user: user, except: nil, authenticatedUntil: cause.time), tenantID: tenantID, reason: reason,
            now: cause.time, revokedUntil: lifetime.revokedUntil(from: now()), actor: actor, cause: cause)
        announcer.announce(try await repository.revokeUser(user, ending, deadline: deadline.forStatement))
    }

    /// What a user may do has changed: what a refresh gives says so from now on. Where something was taken, the access tokens
    /// that still have it are refused; the sessions stay, so that a refresh gives a token that says what is true.
    package func rolesChanged(
        of user: UUID, tenantID: UUID, _ change: RolesChange, isReduction: Bool, actor: SessionActor,
        deadline: Deadline
    ) async throws {
        let refusing: @Sendable () -> SessionEnding = {
            // Whole milliseconds, as revocations and the identifiers of tokens have them.
            let cut = Date(timeIntervalSince1970: (now().timeIntervalSince1970 * 1_000).rounded(.up) / 1_000)
            return SessionEnding(
                .all(user: user, except: nil, authenticatedUntil: nil), tenantID: tenantID, reason: .rolesReduced,
                now: cut, revokedUntil: lifetime.revokedUntil(from: cut), actor: actor)
        }
        let revocation = try await repository.changeRoles(
            of: user, tenantID: tenantID, change, refusing: isReduction ? refusing : nil, deadline: deadline)
        if let revocation { announcer.announce([revocation]) }
    }

    /// Only for claims that verified: a stranger's would leave a row of their choice.
    @discardableResult
    private func end(
        sessionOf claims: AccessTokenClaims, _ reason: RevocationReason, _ actor: SessionActor, _ deadline: Deadline
    ) async throws -> Int {
        try await end(claims.sessionID, of: claims.subject, tenantID: claims.tenantID, reason, actor, deadline)
    }

    /// Ends a session whether or not it is here: what opens it may still be under way, and its token is good meanwhile.
    private func end(
        _ sessionID: UUID, of user: UUID, tenantID: UUID, _ reason: RevocationReason, _ actor: SessionActor,
        _ deadline: Deadline
    ) async throws -> Int {
        let now = now()
        let ending = SessionEnding(
            .oneOf(user: user, id: sessionID), tenantID: tenantID, reason: reason, now: now,
            revokedUntil: lifetime.revokedUntil(from: now), actor: actor)
        let absent = Session.tombstone(sessionID, of: user, tenantID: tenantID, at: now)
        let revocations = try await repository.revoke(ending, absent: absent, deadline: deadline.forStatement)
        announcer.announce(revocations)
        return revocations.count
    }

    @discardableResult
    private func end(
        _ selection: SessionSelection, of tenantID: UUID, _ reason: RevocationReason,
        because cause: SessionCause? = nil, _ actor: SessionActor, _ deadline: Deadline
    ) async throws -> Int {
        let now = now()
        let ending = SessionEnding(
            selection, tenantID: tenantID, reason: reason, now: now, revokedUntil: lifetime.revokedUntil(from: now),
            actor: actor, cause: cause)
        let revocations = try await repository.revoke(ending, deadline: deadline.forStatement)
        announcer.announce(revocations)
        return revocations.count
    }
}
