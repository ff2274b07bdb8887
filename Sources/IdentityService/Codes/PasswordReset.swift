import Contracts
package import Foundation
import MicroMiddleware

/// Forgotten passwords: a code by mail, and with it a new password.
///
/// No answer before the right code tells whether there is such a user: asking for a code writes one event, trying one is
/// one statement with one event, whoever it is about. The code is made, and the mail sent, by whoever reads the event.
package struct PasswordReset: Sendable {
    let repository: any IdentityRepository
    let codes: any CodeRepository
    let oneTime: OneTimeCodes
    let hasher: any PasswordHashing
    let choice: PasswordChoice
    let accounts: CachedAccounts
    let throttle: any Throttling
    let notices: SessionNotices?

    package init(
        repository: any IdentityRepository, codes: any CodeRepository, oneTime: OneTimeCodes,
        hasher: any PasswordHashing, choice: PasswordChoice? = nil, accounts: CachedAccounts,
        throttle: any Throttling = NoThrottle(), notices: SessionNotices? = nil
    ) {
        self.throttle = throttle
        self.accounts = accounts
        self.repository = repository
        self.codes = codes
        self.oneTime = oneTime
        self.hasher = hasher
        self.choice = choice ?? PasswordChoice(hasher: hasher)
        self.notices = notices
    }

    /// Asks for a code. It comes by mail, if there is such a user with an address.
    package func request(_ identity: String, tenantID: UUID, origin: RequestOrigin) async throws {
        let event = try origin.event(.passwordResetRequested, user: .zero, tenantID: tenantID, actor: nil)
        try await codes.recordRequest(
            event, about: .guess(identity), tenantID: tenantID, deadline: origin.scope.deadline.forStatement)
    }

    /// Whether the code is right, which counts as an attempt and does not use it up.
    /// - Throws: ``IdentityError/codeInvalid``, ``IdentityError/throttled(retryAfter:)``
    package func verify(_ code: String, identity: String, tenantID: UUID, origin: RequestOrigin) async throws {
        _ = try await match(code, identity: identity, tenantID: tenantID, origin: origin)
    }

    /// Sets a new password and ends every session of the user. The event guarantees that they end; the direct call makes it
    /// happen now.
    ///
    /// - Throws: ``IdentityError/codeInvalid``, ``IdentityError/throttled(retryAfter:)``; ``IdentityError/invalid(_:)`` for
    ///   a password that may not be chosen, which is looked at first.
    package func reset(
        _ identity: String, code: String, to password: String, declared: String? = nil, tenantID: UUID,
        origin: RequestOrigin
    ) async throws {
        let deadline = origin.scope.deadline
        let tenant = try await repository.tenant(tenantID, deadline: deadline.forStatement)
        let policy = tenant?.passwordPolicy ?? PasswordPolicy()
        let accepted = try await choice.accept(
            password, declared: declared, policy: policy, tenantID: tenantID, field: "new_password")
        let stored = try await match(code, identity: identity, tenantID: tenantID, origin: origin)
        let present = try await repository.account(
            stored.userID, tenantID: stored.tenantID, deadline: deadline.forStatement)
        try await choice.refuseRecent(
            accepted, of: stored.userID, tenantID: stored.tenantID, policy: policy, current: present?.passwordHash,
            field: "new_password", deadline: deadline)
        let hash = try await hasher.hash(accepted, deadline: deadline.forHash)
        let event = try origin.event(
            .passwordReset, user: stored.userID, tenantID: stored.tenantID, actor: stored.userID)
        // The address counts as verified from now on, which the user's own view shows.
        let changed = try await accounts.changing(stored.userID, tenantID: stored.tenantID) {
            try await codes.resetPassword(with: stored, newHash: hash, event: event, deadline: deadline.forStatement)
        }
        guard let changed else { throw IdentityError.codeInvalid }
        await notices?.tell([event.stored(at: changed)], origin: origin)
    }

    private func match(
        _ code: String, identity: String, tenantID: UUID, origin: RequestOrigin
    ) async throws -> StoredCode {
        let identifier = Identifier.guess(identity)
        let admission = try await throttle.admit(
            CodeGuess(.passwordReset, of: identifier, tenantID: tenantID), origin: origin)
        let event = try origin.event(
            .codeTried, user: .zero, tenantID: tenantID, actor: nil,
            details: ["purpose": CodePurpose.passwordReset.rawValue])
        let live = try await codes.attempt(
            .passwordReset, identifier: identifier, tenantID: tenantID, event: event,
            deadline: origin.scope.deadline.forStatement)
        let match = live.first { oneTime.matches(code, id: $0.id, salt: $0.salt, purpose: .passwordReset) }
        guard let match else {
            _ = await throttle.failed(admission)
            throw IdentityError.codeInvalid
        }
        await throttle.succeeded(admission)
        return match
    }
}
