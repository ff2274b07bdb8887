internal import ConnectionKit
internal import HTTPTypes
package import Hummingbird

/// Reads or makes the request's identity and deadline, and puts the id and the trace on the answer. The outermost of all.
package struct RequestScopeMiddleware: RouterMiddleware {
    /// No caller gets more time than this, whatever it asks for.
    package static let maximumTimeout = Duration.seconds(300)

    private let defaultTimeout: Duration

    package init(defaultTimeout: Duration = .seconds(10)) {
        self.defaultTimeout = defaultTimeout
    }

    package func handle(
        _ request: Request, context: BaseRequestContext,
        next: Next<BaseRequestContext>
    ) async throws -> Response {
        var context = context
        var asked: (id: String?, trace: String?, deadline: String?, forwarded: String?) = (nil, nil, nil, nil)
        for field in request.headers {
            switch field.name {
            case .requestID: asked.id = field.value
            case .traceparent: asked.trace = field.value
            case .requestDeadline: asked.deadline = field.value
            case .forwardedFor: asked.forwarded = field.value
            case .userAgent: context.request.userAgent = String(field.value.prefix(256))
            default: break
            }
        }
        let trace = asked.trace.flatMap { TraceContext(traceparent: $0) } ?? TraceContext()
        let id = asked.id.flatMap { RequestScope.isAcceptable(requestID: $0) ? $0 : nil } ?? trace.traceID
        context.request.scope = RequestScope(
            requestID: id, trace: trace, deadline: .after(timeout(asked.deadline)))
        context.request.clientAddress = asked.forwarded.map(Self.firstAddress) ?? context.peerAddress

        var response = try await next(request, context)
        response.headers[.requestID] = id
        response.headers[.traceparent] = trace.traceparent
        // Refusals too: a body after the head of an answer to HEAD would be taken for the next answer (RFC 9112, section 6.3).
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func timeout(_ header: String?) -> Duration {
        guard let milliseconds = header.flatMap({ Int64($0) }), milliseconds >= 0 else { return defaultTimeout }
        return min(.milliseconds(milliseconds), Self.maximumTimeout)
    }

    private static func firstAddress(_ header: String) -> String {
        String(trimmed(header.prefix { $0 != "," }).prefix(64))
    }
}
