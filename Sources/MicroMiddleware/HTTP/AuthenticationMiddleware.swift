package import Contracts
internal import HTTPTypes
package import Hummingbird

/// Verifies the bearer token, or ends the request with 401 (RFC 6750).
package struct AuthenticationMiddleware: RouterMiddleware {
    /// What verifies a token: ``TokenVerifier/verify(_:)`` in a service, something simpler in a test.
    package typealias Verify = @Sendable (String) throws -> AccessTokenClaims

    private let verify: Verify
    private let allowsPasswordChangeDue: Bool
    private let scope: TokenScope?

    /// - Parameters:
    ///   - allowsPasswordChangeDue: Whether a user who must choose a new password first is let through.
    ///   - scope: What a confined token must be confined to; without it none is let through.
    package init(allowsPasswordChangeDue: Bool = false, scope: TokenScope? = nil, verify: @escaping Verify) {
        self.verify = verify
        self.allowsPasswordChangeDue = allowsPasswordChangeDue
        self.scope = scope
    }

    package func handle(
        _ request: Request, context: BaseRequestContext, next: Next<BaseRequestContext>
    ) async throws -> Response {
        guard let token = Self.bearer(request.headers[.authorization]) else { throw APIError(.tokenInvalid) }
        let claims = try verify(token)
        guard allowsPasswordChangeDue || !claims.mustChangePassword else { throw APIError(.passwordChangeRequired) }
        if let confined = claims.scope, confined != scope?.rawValue {
            throw APIError(confined == TokenScope.mfaSetup.rawValue ? .mfaSetupRequired : .permissionDenied)
        }
        var context = context
        context.claims = claims
        return try await next(request, context)
    }

    /// The credential after `Bearer `, the scheme in any case.
    static func bearer(_ header: String?) -> String? {
        guard let header, header.utf8.count > 7, header.prefix(7).lowercased() == "bearer " else { return nil }
        return String(header.dropFirst(7))
    }
}

/// Verifies the credential of the calling service, or ends the request with 401.
package struct InternalCredentialMiddleware: RouterMiddleware {
    /// Gives the name of the service that the credential was issued to.
    package typealias Verify = @Sendable (String) throws -> String

    private let verify: Verify

    package init(verify: @escaping Verify) {
        self.verify = verify
    }

    package func handle(
        _ request: Request, context: BaseRequestContext,
        next: Next<BaseRequestContext>
    ) async throws -> Response {
        guard let credential = AuthenticationMiddleware.bearer(request.headers[.internalCredential]) else {
            throw APIError(.tokenInvalid, "This path is for services of the suite.")
        }
        var context = context
        context.callingService = try verify(credential)
        return try await next(request, context)
    }
}

/// Lets a request through when its sender holds a permission, or ends it with 403001.
package struct PermissionMiddleware: RouterMiddleware {
    private let permission: Permission

    package init(_ permission: Permission) {
        self.permission = permission
    }

    package func handle(
        _ request: Request, context: AuthenticatedRequestContext,
        next: Next<AuthenticatedRequestContext>
    ) async throws -> Response {
        guard context.identity.granted.contains(permission) else {
            throw APIError(.permissionDenied, "This needs the permission \(permission.rawValue).")
        }
        return try await next(request, context)
    }
}
