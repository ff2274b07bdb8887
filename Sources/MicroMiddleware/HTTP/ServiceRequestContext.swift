package import ConnectionKit
package import Hummingbird
package import Logging

/// What every context of ours has, whatever else it proves.
package protocol ServiceRequestContext: RequestContext {
    var request: RequestFacts { get }
}

/// What is known of a request before anybody has looked at who sent it.
package struct RequestFacts: Sendable {
    package var scope: RequestScope
    /// The client's address as the gateway saw it, or the peer's where no gateway is in front. For records, not for
    /// decisions.
    package var clientAddress: String?
    package var userAgent: String?
}

extension ServiceRequestContext {
    package var requestID: String { request.scope.requestID }
    package var scope: RequestScope { request.scope }
    package var deadline: Deadline { request.scope.deadline }
    package var clientAddress: String? { request.clientAddress }
    package var userAgent: String? { request.userAgent }
    package var id: String { request.scope.requestID }

    /// Bodies that are decoded may be so large.
    package var maxUploadSize: Int { StrictJSON.maximumBytes }
    package var requestDecoder: StrictJSON { StrictJSON() }
    package var responseEncoder: StrictJSON { StrictJSON() }

    /// The logger, with the request's ids in every line: made when asked, because most requests log nothing.
    package var log: Logger {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = nil
        logger[metadataKey: "request_id"] = .string(request.scope.requestID)
        logger[metadataKey: "trace_id"] = .string(request.scope.trace.traceID)
        return logger
    }
}
