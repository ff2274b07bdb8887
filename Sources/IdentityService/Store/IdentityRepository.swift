package import ConnectionKit
package import Contracts
package import Foundation

/// What a login found: an unknown tenant, a tenant without such a user, or the user's account. A deleted user is not found.
package enum SignInLookup: Sendable {
    case tenantUnknown
    case userUnknown
    case found(Account)
}

/// The store of users and their passwords. Whatever changes something takes the event that tells of it and
/// stores both or neither.
package protocol IdentityRepository: Sendable {
    func tenant(_ id: UUID, deadline: Deadline) async throws -> Tenant?

    /// Whom a login names: one statement, whatever of it exists.
    func lookUp(_ identifier: Identifier, tenantID: UUID, deadline: Deadline) async throws -> SignInLookup

    /// The account of a user; deleted ones are not found.
    func account(_ userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> Account?

    /// Whether the user holds more than `member` in some tenant besides this one, be they shut out there or not.
    func holdsMore(_ userID: UUID, besides tenantID: UUID, deadline: Deadline) async throws -> Bool

    /// - Throws: ``IdentityError/alreadyRegistered(_:)``, ``IdentityError/tenantUnknown``,
    ///   ``IdentityError/invitationInvalid``
    func insert(_ user: NewUser, event: DomainEvent, deadline: Deadline) async throws -> User

    /// As ``insert(_:event:deadline:)`` while the tenant has no owner; `nil` when it has one.
    func insertFirstOwner(_ user: NewUser, event: DomainEvent, deadline: Deadline) async throws -> User?

    /// Records a login, and replaces the hash where `rehashed` is given.
    /// - Returns: the time of the login by the store's clock; `nil` when the password is no longer `seenHash` or the
    ///   account no longer active, in which case nothing is recorded.
    func recordSignIn(
        _ userID: UUID, tenantID: UUID, seenHash: String, rehashed: String?, event: DomainEvent, deadline: Deadline
    ) async throws -> Date?

    /// - Returns: the time of the change by the store's clock; `nil` when the password is no longer `seenHash`. The event
    ///   gets the same time.
    func changePassword(
        _ userID: UUID, tenantID: UUID, seenHash: String, newHash: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Date?

    /// - Returns: the user as it is now; `nil` when there is none.
    /// - Throws: ``IdentityError/alreadyRegistered(_:)``
    func update(
        _ userID: UUID, tenantID: UUID, name: FieldChange<String>, username: Identifier?, event: DomainEvent,
        deadline: Deadline
    ) async throws -> User?

    /// Stores an event that changes nothing here.
    func append(_ event: DomainEvent, deadline: Deadline) async throws
}
