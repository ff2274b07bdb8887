import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// Opening an account again that a stranger's guesses hold up.
struct AccountUnlock: Sendable {
    let repository: any IdentityRepository
    let throttle: Throttle

    /// Doing it twice is as good as once.
    /// - Throws: ``IdentityError/userUnknown``
    func unlock(_ userID: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws -> User {
        let deadline = origin.scope.deadline.forStatement
        guard let user = try await repository.account(userID, tenantID: identity.tenantID, deadline: deadline)?.user
        else { throw IdentityError.userUnknown }
        let event = try origin.event(
            .userUnlocked, user: userID, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        try await repository.append(event, deadline: deadline)
        let identifiers = [user.email, user.username, user.phone].compactMap { $0 }.map(Identifier.guess)
        await throttle.unlock(identifiers, tenantID: identity.tenantID)
        return user
    }
}

/// What administrators do about accounts that are held up.
struct AccountUnlockController: Sendable {
    let unlock: AccountUnlock

    init(unlock: AccountUnlock) {
        self.unlock = unlock
    }

    /// Adds the route to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.usersWrite).post("account-unlocks", use: unlockAccount)
    }

    @Sendable private func unlockAccount(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<UserSnapshot> {
        let body = try await request.decode(as: UnlockRequest.self, context: context)
        let user = try await unlock.unlock(body.userID, by: context.identity, origin: RequestOrigin(context))
        return Envelope(user.snapshot, message: "unlocked")
    }
}

private struct UnlockRequest: Decodable {
    let userID: UUID

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
    }
}
