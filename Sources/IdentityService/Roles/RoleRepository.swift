package import ConnectionKit
package import Contracts
package import Foundation

/// What a change of a user's roles comes to, as the store sees it at that moment.
package struct RoleChange: Sendable, Hashable {
    package var userID: UUID
    package var before: [String]
    package var after: [String]
    /// What the tenant's own roles among these grant.
    package var permissionsBefore: [String]
    package var permissionsAfter: [String]
    /// What the roles that differ grant together: what the caller must hold to bring this about.
    package var granted: Authority

    package init(
        userID: UUID, before: [String], after: [String], permissionsBefore: [String], permissionsAfter: [String],
        granted: Authority
    ) {
        self.userID = userID
        self.before = before
        self.after = after
        self.permissionsBefore = permissionsBefore
        self.permissionsAfter = permissionsAfter
        self.granted = granted
    }

    /// Whether the user may do less afterwards, or may: then the tokens of before must go.
    package var isReduction: Bool {
        !Set(before).isSubset(of: after) || !Set(permissionsBefore).isSubset(of: permissionsAfter)
    }
}

/// The store of roles and of who holds them. Whatever changes something stores its events with it, or neither.
///
/// Whatever could take a tenant's last active owner away happens one after the other in that tenant.
package protocol RoleRepository: Sendable {
    /// The tenant's own roles by name, at most ``CustomRole/maximumCount``.
    func roles(tenantID: UUID, deadline: Deadline) async throws -> [CustomRole]

    /// - Throws: ``IdentityError/roleTaken``; ``IdentityError/invalid(_:)`` when the tenant has as many as it may.
    func insert(_ role: CustomRole, event: DomainEvent, deadline: Deadline) async throws

    /// Changes what is given.
    /// - Parameter holderEvent: the event for each who holds the role, when its permissions change.
    /// - Returns: the role as it is now, and the holders' events.
    /// - Throws: ``IdentityError/roleUnknown``, and what `check` throws of the role as it was.
    func update(
        _ name: String, tenantID: UUID, description: String?, permissions: [String]?, event: DomainEvent,
        check: @Sendable (CustomRole) throws -> Void, holderEvent: @Sendable (RoleChange) throws -> DomainEvent,
        deadline: Deadline
    ) async throws -> Stored<CustomRole>

    /// Takes the role from all who hold it, and deletes it.
    /// - Returns: the holders' events, as they are stored.
    /// - Throws: as ``update(_:tenantID:description:permissions:event:check:holderEvent:deadline:)``
    func delete(
        _ name: String, tenantID: UUID, event: DomainEvent, check: @Sendable (CustomRole) throws -> Void,
        holderEvent: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) async throws -> [DomainEvent]

    /// Gives a member the roles that `change` makes of those held.
    /// - Parameter event: the event of the change; what it throws prevents it. Not asked when nothing changes.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/invalid(_:)`` for a role that does not exist and for more than
    ///   ``Membership/maximumRoles``, ``IdentityError/lastOwner``
    func assign(
        to userID: UUID, tenantID: UUID, change: @Sendable ([String]) -> [String],
        event: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) async throws -> Stored<RoleChange>
}
