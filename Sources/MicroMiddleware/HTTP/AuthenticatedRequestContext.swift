internal import Contracts
package import Hummingbird

/// The context of a request whose access token has been verified: a handler that takes it need not ask again.
package struct AuthenticatedRequestContext: ChildRequestContext, ServiceRequestContext {
    package typealias ParentContext = BaseRequestContext

    package var coreContext: CoreRequestContextStorage
    package var request: RequestFacts
    /// Who sends the request, by the token.
    package let identity: AccessTokenClaims

    /// - Throws: ``APIError`` 401002 when nothing has authenticated the request.
    package init(context: BaseRequestContext) throws {
        guard let claims = context.claims else { throw APIError(.tokenInvalid) }
        self.coreContext = context.coreContext
        self.request = context.request
        self.identity = claims
    }
}

/// The context of a request that another service of the suite sends.
package struct InternalRequestContext: ChildRequestContext, ServiceRequestContext {
    package typealias ParentContext = BaseRequestContext

    package var coreContext: CoreRequestContextStorage
    package var request: RequestFacts
    /// The name of the service that calls: `identity`.
    package let caller: String

    /// - Throws: ``APIError`` 401002 when nothing has authenticated the calling service.
    package init(context: BaseRequestContext) throws {
        guard let caller = context.callingService else { throw APIError(.tokenInvalid) }
        self.coreContext = context.coreContext
        self.request = context.request
        self.caller = caller
    }
}
