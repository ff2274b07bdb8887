package import Contracts
package import Foundation
package import MicroMiddleware

/// Who may act on whom: nobody gives, takes or manages more than they hold themselves.
extension AccessTokenClaims {
    /// - Throws: ``IdentityError/beyondAuthority``
    package func require(covering granted: GrantedPermissions) throws(IdentityError) {
        guard self.granted.covers(granted) else { throw .beyondAuthority }
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
