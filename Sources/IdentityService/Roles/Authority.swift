package import Contracts
package import MicroMiddleware

/// Who may act on whom: nobody gives, takes or manages more than they hold themselves.
extension AccessTokenClaims {
    /// - Throws: ``IdentityError/beyondAuthority``
    package func require(covering granted: GrantedPermissions) throws(IdentityError) {
        guard self.granted.covers(granted) else { throw .beyondAuthority }
    }

    /// Whether the caller works in the tenant that runs the suite: there, `tenants:write` is about every tenant, elsewhere
    /// about one's own.
    package var isOperator: Bool { tenantID == DefaultTenant.id }
}
