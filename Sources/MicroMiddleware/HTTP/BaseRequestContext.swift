internal import ConnectionKit
package import Hummingbird
internal import NIOCore

/// The context of a request that anybody may send. What a route needs beyond it is said by its type:
/// ``AuthenticatedRequestContext``, ``InternalRequestContext``.
package struct BaseRequestContext: ServiceRequestContext {
    package var coreContext: CoreRequestContextStorage
    package var request: RequestFacts
    /// Set by ``AuthenticationMiddleware``; a handler that needs it takes an ``AuthenticatedRequestContext`` instead.
    package var claims: AccessTokenClaims?
    /// Set by ``InternalCredentialMiddleware``; a handler that needs it takes an ``InternalRequestContext`` instead.
    package var callingService: String?
    private let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        // Until RequestScopeMiddleware, which is the outermost, has read the headers.
        self.request = RequestFacts(scope: .unread)
        self.channel = source.channel
    }

    /// The address of the other end of the connection.
    var peerAddress: String? { channel.remoteAddress?.ipAddress }
}

extension RequestScope {
    /// One for the process, so that a request costs no identifiers that nobody reads.
    fileprivate static let unread = RequestScope(deadline: .after(.zero))
}
