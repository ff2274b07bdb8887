package import Foundation

/// That a user may work in a tenant: their own, or another in which they are a guest.
package struct Membership: Sendable, Hashable {
    /// So many of a user's are listed at most.
    package static let mostListed = 100

    package enum Status: String, Sendable, Hashable, CaseIterable {
        case active
        /// Waits for an administrator's approval.
        case pending
        /// A guest whom the tenant's administrators have shut out. The account itself is not theirs to disable.
        case suspended
    }

    package var userID: UUID
    package var tenantID: UUID
    package var status: Status
    package var roles: [String]
    package var createdAt: Date

    package init(userID: UUID, tenantID: UUID, status: Status, roles: [String], createdAt: Date) {
        self.userID = userID
        self.tenantID = tenantID
        self.status = status
        self.roles = roles
        self.createdAt = createdAt
    }
}

extension Membership {
    /// How many roles somebody may hold in a tenant. Their token carries them all, and one with too many is refused everywhere.
    package static let maximumRoles = 32

    /// Refuses roles that are too many, unless they are some of those that are held already: of such, the first must go first.
    /// - Throws: ``IdentityError/invalid(_:)`` naming `roles`
    package static func requireRoom(for roles: [String], holding held: [String] = []) throws(IdentityError) {
        guard roles.count <= maximumRoles || Set(roles).isSubset(of: held) else {
            throw .invalid("roles", "must be at most \(maximumRoles)")
        }
    }
}

/// A membership as its holder sees it, with the tenant's name.
package struct MembershipInTenant: Sendable, Hashable {
    package var membership: Membership
    package var tenant: Tenant
    /// Whether it is the user's own tenant, where the password is.
    package var isHome: Bool

    package init(membership: Membership, tenant: Tenant, isHome: Bool) {
        self.membership = membership
        self.tenant = tenant
        self.isHome = isHome
    }
}
