package import ConnectionKit
package import Contracts
package import Foundation

/// The store of tenants. Whatever changes something takes the event that tells of it and stores both or neither.
package protocol TenantRepository: Sendable {
    /// By name, and how many there are in all, counted up to ``countLimit``.
    func tenants(offset: Int, limit: Int, deadline: Deadline) async throws -> (tenants: [Tenant], total: Int)

    func tenant(_ id: UUID, deadline: Deadline) async throws -> Tenant?

    func tenant(slug: String, deadline: Deadline) async throws -> Tenant?

    /// Stores a tenant together with the invitation of its first owner.
    /// - Throws: ``IdentityError/tenantTaken``
    func insert(
        _ tenant: Tenant, owner: Invitation, codeHash: Data, events: [DomainEvent], deadline: Deadline
    ) async throws

    /// Names and policies; status, id and slug stay.
    /// - Returns: the tenant as it is now; `nil` when there is none.
    func update(_ tenant: Tenant, event: DomainEvent, deadline: Deadline) async throws -> Tenant?

    /// Whether some active owner has a name of these kinds, or signs in elsewhere as a guest does; true of a tenant that has
    /// no owner yet.
    func hasOwner(signingInBy methods: [String], tenantID: UUID, deadline: Deadline) async throws -> Bool

    /// - Returns: the tenant as it is now; `nil` when there is none or it has that status already.
    func setStatus(
        _ status: Tenant.Status, of id: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<Tenant>?
}

/// Lists say how many items there are up to here: counting on would make a list the slower the larger a tenant is.
package let countLimit = 10_000
