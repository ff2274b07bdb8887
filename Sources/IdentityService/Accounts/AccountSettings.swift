import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// What users change about themselves, and administrators about them.
package struct AccountSettings: Sendable {
    let repository: any IdentityRepository
    let accounts: CachedAccounts

    package init(repository: any IdentityRepository, accounts: CachedAccounts? = nil) {
        self.repository = repository
        self.accounts = accounts ?? CachedAccounts(repository, cache: nil)
    }

    /// What a user sees of their own account, perhaps from the cache.
    /// - Throws: ``IdentityError/userUnknown``
    package func own(_ identity: AccessTokenClaims, origin: RequestOrigin) async throws -> UserSnapshot {
        let found = try await accounts.snapshot(
            of: identity.subject, tenantID: identity.tenantID, deadline: origin.scope.deadline.forStatement)
        guard let found else { throw IdentityError.userUnknown }
        return found
    }

    /// - Throws: ``IdentityError/userUnknown``
    package func user(_ id: UUID, tenantID: UUID, origin: RequestOrigin) async throws -> User {
        let deadline = origin.scope.deadline.forStatement
        guard let account = try await repository.account(id, tenantID: tenantID, deadline: deadline) else {
            throw IdentityError.userUnknown
        }
        return account.user
    }

    /// One signs in with the username: changing it needs a fresh sign-in.
    ///
    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/alreadyRegistered(_:)``, ``IdentityError/userUnknown``,
    ///   ``IdentityError/reauthenticationNeeded``
    package func update(
        _ identity: AccessTokenClaims, name: FieldChange<String>, username: String?, origin: RequestOrigin
    ) async throws -> User {
        if username != nil { try identity.requireFreshSignIn() }
        let username = try username.map(Identifier.username)
        let name = try name.acceptedName()
        guard name != .keep || username != nil else {
            throw IdentityError.invalid("name", "or username is needed")
        }
        let fields = [("name", name != .keep), ("username", username != nil)].filter(\.1).map(\.0)
        let event = try origin.event(
            .userUpdated, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID, details: ["fields": fields.joined(separator: ",")],
            personal: ["name": name.value, "username": username?.text].compactMapValues(\.self))
        let user = try await accounts.changing(identity.subject, tenantID: identity.tenantID) {
            try await repository.update(
                identity.subject, tenantID: identity.tenantID, name: name, username: username, event: event,
                deadline: origin.scope.deadline.forStatement)
        }
        guard let user else { throw IdentityError.userUnknown }
        return user
    }
}
