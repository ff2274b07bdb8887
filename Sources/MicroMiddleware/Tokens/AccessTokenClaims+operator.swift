internal import Contracts

extension AccessTokenClaims {
    /// Whether the caller runs the suite: an operator, in whichever tenant they were admitted to, or somebody of the default
    /// tenant who may write every tenant.
    package var runsSuite: Bool {
        subject == Operator.id || (tenantID == DefaultTenant.id && granted.contains(.tenantsWrite))
    }
}
