import ConnectionKit
import Foundation
import MicroMiddleware

extension IdentityRepository {
    /// Reads the account once more, when a session stands on what was read of it before, and sees that it still holds.
    ///
    /// A role that is taken away meanwhile, or an account that is shut, changes the sessions that there are, by an event. A
    /// session that is opened after the event would keep for good what it began with. So: first the session, then this. A
    /// change that this read does not see is committed after it, so its event finds the session.
    ///
    /// - Returns: when it held; a token says that it was issued then, so that whatever is revoked later concerns it.
    /// - Throws: ``IdentityError/changedMeanwhile``, ``IdentityError/accountDisabled``
    func confirm(
        _ account: Account, deadline: Deadline, now: @Sendable () -> Date = { Date() }
    ) async throws -> Date {
        let readAt = now()
        let user = account.user
        guard let present = try await self.account(user.id, tenantID: user.tenantID, deadline: deadline) else {
            throw IdentityError.changedMeanwhile
        }
        guard present.isUsable else { throw IdentityError.accountDisabled }
        guard present.grantsTheSame(as: account) else { throw IdentityError.changedMeanwhile }
        return readAt
    }
}

extension Account {
    /// Whether a session on one is good for what a session on the other is.
    fileprivate func grantsTheSame(as other: Account) -> Bool {
        Set(user.roles) == Set(other.user.roles) && Set(user.permissions) == Set(other.user.permissions)
            && mustChangePassword == other.mustChangePassword && passwordStamp == other.passwordStamp
    }
}
