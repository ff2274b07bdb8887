package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Who may act on whom: nobody gives, takes or manages more than they hold themselves.
extension Authority {
    /// - Throws: ``IdentityError/beyondAuthority``
    package func require(covering other: Authority) throws(IdentityError) {
        guard covers(other) else { throw .beyondAuthority }
    }
}

extension RoleRepository {
    /// Everything that a caller may do: the suite's permissions as the token has them, and what its roles grant in the
    /// tenant's applications, read where there are such roles.
    package func authority(of identity: AccessTokenClaims, deadline: Deadline) async throws -> Authority {
        let isSaid = identity.roles.allSatisfy { BuiltInRole(rawValue: $0) != nil }
        let own = isSaid ? [] : try await roles(tenantID: identity.tenantID, deadline: deadline)
        return identity.authority(among: own)
    }
}

extension AccessTokenClaims {
    /// Everything that the caller may do.
    /// - Parameter roles: all of the tenant's own.
    package func authority(among roles: [CustomRole]) -> Authority {
        let own = roles.filter { self.roles.contains($0.name) }.flatMap(\.permissions)
        return Authority(roles: self.roles, extra: permissions + PermissionText.ofApplications(own))
    }

    /// How long ago an administrator may have proven who they are who gives somebody power, or takes an account over: a
    /// stolen token must not do that.
    package static let powerAge = Duration.seconds(Int64(freshness))

    /// For what only part of a call's uses needs; where all do, the route is one of `requiring(stepUp:)`.
    /// - Throws: 403 `step_up_required`
    package func requireStepUp(now: Date = Date()) throws(APIError) {
        guard isProven(within: Self.powerAge, at: now) else { throw APIError(.stepUpRequired) }
    }

    /// Whether the caller works in the tenant that runs the suite: there, `tenants:write` is about every tenant, elsewhere
    /// about one's own.
    package var isOperator: Bool { tenantID == DefaultTenant.id }
}
