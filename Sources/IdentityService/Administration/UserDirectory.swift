package import ConnectionKit
package import Contracts
package import Foundation

/// What administrators look for among the members of their tenant.
package struct UserFilter: Sendable, Hashable {
    /// The beginning of an e-mail address, username, phone number or name, in any case.
    package var text: String?
    /// The whole of an e-mail address, username or phone number.
    package var identifier: Identifier?
    package var status: UserFilterStatus?
    package var role: String?
    /// Became a member at or after.
    package var createdFrom: Date?
    /// Became a member before.
    package var createdBefore: Date?

    package init(
        text: String? = nil, identifier: Identifier? = nil, status: UserFilterStatus? = nil, role: String? = nil,
        createdFrom: Date? = nil, createdBefore: Date? = nil
    ) {
        self.text = text
        self.identifier = identifier
        self.status = status
        self.role = role
        self.createdFrom = createdFrom
        self.createdBefore = createdBefore
    }
}

/// A user's state as the administrators of a tenant see it.
package enum UserFilterStatus: String, Sendable, Hashable, CaseIterable {
    case active
    /// The account is disabled, or the guest shut out.
    case disabled
    /// Waits for approval.
    case pending
}

/// What an administrator changes of a user; `nil` leaves an identifier as it is.
package struct UserChanges: Sendable, Hashable {
    package var email: Identifier?
    package var username: Identifier?
    package var phone: Identifier?
    package var name: FieldChange<String>

    package init(
        email: Identifier? = nil, username: Identifier? = nil, phone: Identifier? = nil,
        name: FieldChange<String> = .keep
    ) {
        self.email = email
        self.username = username
        self.phone = phone
        self.name = name
    }
}

/// The members of a tenant, as its administrators find and change them. Accounts are changed in their own tenant alone.
package protocol UserDirectory: Sendable {
    /// The newest members first, and how many there are in all, counted up to
    /// `Page.countedAhead` behind the page.
    func users(
        tenantID: UUID, filter: UserFilter, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (users: [User], total: Int)

    /// - Parameter moved: of type `emailChanged`, written besides where an e-mail address gives way to another. The one before
    ///   is kept for a last mail, as a change that has the id of `event`.
    /// - Returns: the user as it is now; `nil` when the account is not of this tenant.
    /// - Throws: ``IdentityError/alreadyRegistered(_:)``
    func update(
        _ userID: UUID, tenantID: UUID, changes: UserChanges, event: DomainEvent, moved: DomainEvent,
        deadline: Deadline
    ) async throws -> User?

    /// - Returns: the user as it is now; `nil` when the account is not of this tenant, or has that status already.
    /// - Throws: ``IdentityError/lastOwner``
    func setStatus(
        _ status: User.Status, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<User>?

    /// Sets a password that must be changed at the next login, which must come before `expiresAt`.
    /// - Returns: when, by the store's clock; `nil` when the account is not of this tenant.
    func resetPassword(
        of userID: UUID, tenantID: UUID, hash: String, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Date?

    /// Deletes the account as its user would: the other services follow, and tell when they have.
    /// - Parameters:
    ///   - event: of type `userDeleted`; its id names the deletion.
    ///   - reason: written before it.
    /// - Returns: the event as it is stored.
    /// - Throws: ``IdentityError/userUnknown`` when the account is not of this tenant, ``IdentityError/lastOwner``
    @discardableResult
    func delete(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, because reason: DomainEvent?, deadline: Deadline
    ) async throws -> DomainEvent
}
