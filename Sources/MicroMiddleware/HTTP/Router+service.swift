package import Contracts
package import Hummingbird

extension Router<BaseRequestContext> {
    /// A router with the house's middleware: scope, access log and metrics, errors as envelopes. What it answers to GET it
    /// answers to HEAD without the body (RFC 9110, section 9.3.2). Add groups to it, then give it to ``ServiceApplication``,
    /// which adds `/livez`, `/readyz` and `/metrics`.
    package static func service(_ telemetry: Telemetry, settings: ServiceSettings) throws -> Router<BaseRequestContext>
    {
        let router = Router(context: BaseRequestContext.self, options: .autoGenerateHeadEndpoints)
        let timeout = try settings.value(.requestTimeout)
        router.addMiddleware {
            RequestScopeMiddleware(defaultTimeout: timeout)
            ObservationMiddleware(telemetry: telemetry)
            ErrorMappingMiddleware()
        }
        return router
    }
}

extension RouterMethods<BaseRequestContext> {
    /// A group whose handlers get an ``AuthenticatedRequestContext``.
    /// - Parameter allowsPasswordChangeDue: Whether a user who must choose a new password first is let through: for the
    ///   few paths that this takes.
    /// - Parameter scope: What a confined token may be confined to and still reach this.
    package func authenticated(
        _ path: RouterPath = "", allowsPasswordChangeDue: Bool = false, scope: TokenScope? = nil,
        verify: @escaping AuthenticationMiddleware.Verify
    ) -> RouterGroup<AuthenticatedRequestContext> {
        group(path)
            .add(
                middleware: AuthenticationMiddleware(
                    allowsPasswordChangeDue: allowsPasswordChangeDue, scope: scope, verify: verify)
            )
            .group(context: AuthenticatedRequestContext.self)
    }

    /// A group that only services of the suite may call; its handlers get an ``InternalRequestContext``.
    package func internalOnly(
        _ path: RouterPath = "", verify: @escaping InternalCredentialMiddleware.Verify
    ) -> RouterGroup<InternalRequestContext> {
        group(path).add(middleware: InternalCredentialMiddleware(verify: verify))
            .group(context: InternalRequestContext.self)
    }
}

extension RouterMethods<AuthenticatedRequestContext> {
    /// A group for those who hold the permission.
    package func requiring(
        _ permission: Permission, _ path: RouterPath = ""
    ) -> RouterGroup<AuthenticatedRequestContext> {
        group(path).add(middleware: PermissionMiddleware(permission))
    }
}
