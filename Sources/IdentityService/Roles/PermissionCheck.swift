package import ConnectionKit
import Contracts
import Foundation
package import MicroMiddleware

/// Whether somebody may do something: by the roles of their token, which a change of roles takes out of use.
package struct PermissionCheck: Sendable {
    let cache: RoleCache

    package init(cache: RoleCache) {
        self.cache = cache
    }

    /// - Parameters:
    ///   - permission: `users:read` of the suite's, or `documents:read` of an application's.
    ///   - resource: one thing, for permissions that are given for one thing alone.
    /// - Throws: ``IdentityError/invalid(_:)`` naming what is no permission or no resource.
    package func allows(
        _ permission: String, on resource: String?, to identity: AccessTokenClaims, deadline: Deadline
    ) async throws -> Bool {
        guard !permission.isEmpty, permission.utf8.count <= 128 else {
            throw IdentityError.invalid("permission", "must be like users:read, of at most 128 characters")
        }
        guard resource?.utf8.count ?? 0 <= 256 else {
            throw IdentityError.invalid("resource", "must have at most 256 characters")
        }
        if identity.granted.contains(named: permission) { return true }
        let own = identity.roles.filter { BuiltInRole(rawValue: $0) == nil }
        guard !own.isEmpty else { return false }
        let granted = try await cache.permissions(of: own, tenantID: identity.tenantID, deadline: deadline)
        // The suite's own are the token's to grant, in every service alike.
        return Permission(rawValue: permission) == nil
            && ApplicationPermissions(granted).allow(permission, on: resource)
    }

    /// Everything that the token's roles allow, sorted.
    package func permissions(of identity: AccessTokenClaims, deadline: Deadline) async throws -> [String] {
        var granted = Set(identity.granted.names)
        let own = identity.roles.filter { BuiltInRole(rawValue: $0) == nil }
        if !own.isEmpty {
            let applications = try await cache.permissions(of: own, tenantID: identity.tenantID, deadline: deadline)
            granted.formUnion(applications.filter { Permission(rawValue: $0) == nil })
        }
        return granted.sorted()
    }
}
