import Contracts
import Foundation
package import MicroMiddleware

/// Changing one's own password: needs the present one, and ends every other session.
package struct PasswordChange: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    let choice: PasswordChoice
    let throttle: any Throttling
    let tokens: any AccessTokenMinting
    let notices: SessionNotices?

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing, tokens: any AccessTokenMinting,
        choice: PasswordChoice? = nil, throttle: any Throttling = NoThrottle(), notices: SessionNotices? = nil
    ) {
        self.repository = repository
        self.hasher = hasher
        self.choice = choice ?? PasswordChoice(hasher: hasher)
        self.throttle = throttle
        self.tokens = tokens
        self.notices = notices
    }

    /// The event guarantees that the other sessions end, in whatever tenant; the direct call makes it happen now.
    ///
    /// - Returns: an access token for the present session: the one before it may have been without roles.
    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/changedMeanwhile``, ``IdentityError/userUnknown``,
    ///   ``IdentityError/homeTenantNeeded``;
    ///   ``IdentityError/throttled(retryAfter:)`` after too many wrong ones.
    package func change(
        by identity: AccessTokenClaims, from current: String, to new: String, declared: String? = nil,
        origin: RequestOrigin
    ) async throws -> MintedAccessToken {
        let (deadline, readAt) = (origin.scope.deadline, Date())
        let typed = try PasswordPolicy.bounded(current, field: "current_password")
        guard
            let account = try await repository.account(
                identity.subject, tenantID: identity.tenantID, deadline: deadline.forStatement)
        else { throw IdentityError.userUnknown }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        guard !account.user.isGuest else { throw IdentityError.homeTenantNeeded }
        let policy = account.tenant.passwordPolicy
        let accepted = try await choice.accept(
            new, declared: declared, policy: policy, tenantID: identity.tenantID, field: "new_password")
        let current = policy.presented(typed, declared: declared, tenantID: identity.tenantID)
        try await prove(current, against: account.passwordHash, by: identity, origin: origin)
        guard accepted != current else {
            throw IdentityError.invalid("new_password", "must differ from the current one")
        }
        try await choice.refuseRecent(
            accepted, of: identity.subject, tenantID: identity.tenantID, policy: policy, current: nil,
            field: "new_password", deadline: deadline)
        let hash = try await hasher.hash(accepted, deadline: deadline.forHash)
        let event = try origin.event(
            .passwordChanged, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        let changed = try await repository.changePassword(
            identity.subject, tenantID: identity.tenantID, seenHash: account.passwordHash, newHash: hash,
            event: event, deadline: deadline.forStatement)
        guard let changed else { throw IdentityError.changedMeanwhile }
        await notices?.tell([event.stored(at: changed)], origin: origin)
        return try tokens.mint(
            AccessTokenGrant(
                user: account.user.snapshot, sessionID: identity.sessionID,
                authenticatedAt: identity.authenticatedAt, methods: identity.methods, mustChangePassword: false,
                claimsReadAt: readAt))
    }

    /// Wrong passwords are counted as ``Reauthentication`` counts them, under the session: a stranger with a stolen token
    /// does not get to guess at leisure here either, nor to lock the owner's login.
    private func prove(
        _ current: String, against hash: String, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws {
        let attempt = SignInAttempt.again(in: identity, password: current)
        let admission = try await throttle.admit(attempt, origin: origin)
        let verdict = try await hasher.verify(current, against: hash, deadline: origin.scope.deadline.forHash)
        guard verdict.matches else {
            _ = await throttle.failed(admission)
            throw IdentityError.invalid("current_password", "is wrong")
        }
        await throttle.succeeded(admission)
    }
}
