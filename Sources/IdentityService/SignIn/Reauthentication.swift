import Contracts
import Foundation
package import MicroMiddleware

/// Proving once more who one is, in the session that is open: needed before what could lose somebody the account.
package struct Reauthentication: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    let throttle: any Throttling
    let tokens: any AccessTokenMinting

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing, throttle: any Throttling,
        tokens: any AccessTokenMinting
    ) {
        self.repository = repository
        self.hasher = hasher
        self.throttle = throttle
        self.tokens = tokens
    }

    /// A token with a fresh `auth_time`, whose `amr` is what has been proven now: the password, and no second factor, however
    /// the session began. Else an hour-old factor would pass for a fresh one where one is asked for (RFC 9470). The session
    /// stays as it is: its next refresh says again how it began. Wrong passwords are counted like those of a login, under the
    /// session: a stranger with a stolen token does not get to guess at leisure, nor to lock the owner's login.
    ///
    /// - Throws: ``IdentityError/invalidCredentials``, ``IdentityError/throttled(retryAfter:)``; 403 `step_up_required` to
    ///   who has a second factor that counts here or at home: a fresh sign-in of theirs is one with both, and ``StepUp`` is
    ///   what proves the other.
    package func again(
        by identity: AccessTokenClaims, password: String, declared: String?, origin: RequestOrigin
    ) async throws -> MintedAccessToken {
        let (deadline, readAt) = (origin.scope.deadline, Date())
        let password = try PasswordPolicy.bounded(password)
        let attempt = SignInAttempt.again(in: identity, password: password)
        let admission = try await throttle.admit(attempt, origin: origin)
        guard
            let account = try await repository.account(
                identity.subject, tenantID: identity.tenantID, deadline: deadline.forStatement)
        else { throw IdentityError.userUnknown }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        // The password was set at home, where the policies may be others than where the user works now.
        let home =
            account.user.isGuest
            ? try await repository.account(
                identity.subject, tenantID: account.user.homeTenantID, deadline: deadline.forStatement) : account
        guard let home else { throw IdentityError.userUnknown }
        let presented = home.tenant.passwordPolicy.presented(password, declared: declared, tenantID: home.tenant.id)
        let verdict = try await hasher.verify(presented, against: account.passwordHash, deadline: deadline.forHash)
        let event = try origin.event(
            verdict.matches ? .reauthenticated : .loginFailed, user: identity.subject, tenantID: identity.tenantID,
            actor: identity.subject, session: identity.sessionID, status: verdict.matches ? .success : .failure,
            message: verdict.matches ? nil : "password_wrong")
        try await repository.append(event, deadline: deadline.forStatement)
        guard verdict.matches else {
            _ = await throttle.failed(admission)
            throw IdentityError.invalidCredentials
        }
        await throttle.succeeded(admission)
        // A host that asks nobody for a second factor is no way around home, which does: the token leads back there.
        guard account.secondFactorDemand != .proof, home.secondFactorDemand != .proof else {
            throw APIError(.stepUpRequired)
        }
        return try tokens.mint(
            AccessTokenGrant(
                user: account.user.snapshot, sessionID: identity.sessionID, authenticatedAt: Date(),
                methods: ["pwd"], mustChangePassword: account.mustChangePassword, claimsReadAt: readAt))
    }
}

extension SignInAttempt {
    /// An attempt to prove oneself once more: counted under the session, not under the account.
    static func again(in identity: AccessTokenClaims, password: String) -> SignInAttempt {
        SignInAttempt(
            identity: "session.\(identity.sessionID.text)", password: password, tenantID: identity.tenantID)
    }
}
