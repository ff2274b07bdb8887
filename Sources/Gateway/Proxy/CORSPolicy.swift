/// Which browser origins may call, by the configured list (Fetch standard, CORS protocol).
package struct CORSPolicy: Sendable {
    private let exact: Set<String>
    private let anyPort: [String]

    /// Seconds for which a browser may keep a preflight's answer.
    package static let preflightLifetimeSeconds = "7200"
    package static let allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    /// Every header of a request that something here reads, and that a browser does not send of its own accord.
    package static let allowedHeaders =
        "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, X-Device-Token, X-Tenant-ID, X-Request-Id"
        + ", traceparent, tracestate"
    /// Every header of an answer that a client acts on, and that a page may not read unless it is named.
    package static let exposedHeaders =
        "Content-Disposition, ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id, traceparent"

    /// - Parameter origins: each `scheme://host[:port]`; a port of `*` allows any. `*` alone is not accepted: answers
    ///   carry tokens.
    package init(origins: [String]) {
        exact = Set(origins.filter { !$0.hasSuffix(":*") })
        anyPort = origins.filter { $0.hasSuffix(":*") }.map { String($0.dropLast(2)) }
    }

    /// Whether the value of an `Origin` header is allowed.
    package func allows(_ origin: String) -> Bool {
        if exact.contains(origin) { return true }
        return anyPort.contains { base in
            guard origin.hasPrefix(base) else { return false }
            let rest = origin.utf8.dropFirst(base.utf8.count)
            guard let colon = rest.first else { return true }
            return colon == UInt8(ascii: ":") && rest.count > 1 && rest.count <= 6
                && rest.dropFirst().allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        }
    }
}
