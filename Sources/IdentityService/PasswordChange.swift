import Contracts
import Foundation
package import Logging
package import MicroMiddleware

/// Changing one's own password: needs the present one, and ends every other session.
package struct PasswordChange: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    let sessions: any SessionOpening
    let tokens: any AccessTokenMinting
    let logger: Logger

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing, sessions: any SessionOpening,
        tokens: any AccessTokenMinting, logger: Logger
    ) {
        self.repository = repository
        self.hasher = hasher
        self.sessions = sessions
        self.tokens = tokens
        self.logger = logger
    }

    /// The event guarantees that the other sessions end; the direct call makes it happen now.
    ///
    /// - Returns: an access token for the present session: the one before it may have been without roles.
    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/changedMeanwhile``, ``IdentityError/userUnknown``
    package func change(
        by identity: AccessTokenClaims, from current: String, to new: String, origin: RequestOrigin
    ) async throws -> MintedAccessToken {
        let deadline = origin.scope.deadline
        guard
            let account = try await repository.account(
                identity.subject, tenantID: identity.tenantID, deadline: deadline.forStatement)
        else { throw IdentityError.userUnknown }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        let accepted = try account.tenant.passwordPolicy.accept(new, field: "new_password")
        let current = PasswordPolicy.normalized(current)
        guard try await hasher.verify(current, against: account.passwordHash, deadline: deadline.forHash).matches
        else { throw IdentityError.invalid("current_password", "is wrong") }
        guard accepted != current else {
            throw IdentityError.invalid("new_password", "must differ from the current one")
        }
        let hash = try await hasher.hash(accepted, deadline: deadline.forHash)
        let event = try origin.event(
            .passwordChanged, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        let changed = try await repository.changePassword(
            identity.subject, tenantID: identity.tenantID, seenHash: account.passwordHash, newHash: hash,
            event: event, deadline: deadline.forStatement)
        guard let changed else { throw IdentityError.changedMeanwhile }
        await tellSession(identity, changedAt: changed, origin: origin)
        return try tokens.mint(
            AccessTokenGrant(
                user: account.user.snapshot, sessionID: identity.sessionID,
                authenticatedAt: identity.authenticatedAt, methods: identity.methods, mustChangePassword: false))
    }

    private func tellSession(_ identity: AccessTokenClaims, changedAt: Date, origin: RequestOrigin) async {
        do {
            let notice = PasswordChangedNotice(
                tenantID: identity.tenantID, changedAt: changedAt, keptSessionID: identity.sessionID)
            try await sessions.passwordChanged(
                notice, of: identity.subject.text, scope: origin.scope)
        } catch {
            logger.notice(
                "session was not told of a password change: its event will tell it",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
        }
    }
}
