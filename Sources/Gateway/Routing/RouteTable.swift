package import Contracts
package import NIOHTTP1

/// Where a request goes, and under which limits.
package struct Route: Equatable, Sendable {
    /// Index of the upstream in `RouteTable.upstreams`.
    package var upstream: Int
    /// Whether the request may come without an access token.
    package var isPublic: Bool
    /// Whether the path lies under `/auth`, whose answers are never to be stored.
    package var isAuthentication: Bool
    /// Offset in the request target where the service's own path (`/api/v1/…`) begins.
    package var pathOffset: Int
    package var maximumBodyBytes: Int
    package var deadlineMilliseconds: Int
    package var fallback: Fallback?
    /// What the request is worth when not all can be served.
    package var priority = RequestPriority.other

    /// Who is asked when the upstream gives no answer: refused, broken off, or nothing in time. Whatever it answers, a 503
    /// too, stands.
    package struct Fallback: Equatable, Sendable {
        package var upstream: Int
        /// The target there: `/api/v1/auth/refresh`.
        package var target: String
        package var afterMilliseconds: Int
    }
}

/// What the target of a request turned out to be.
package enum RouteDecision: Equatable, Sendable {
    case service(Route)
    /// Not a service's path: one of the gateway's own, or nothing.
    case notRouted(RequestTarget)
    /// A path that the gateway never routes, or of an unknown service: 404.
    case notFound
    /// A target that must not be interpreted: 400.
    case malformed
}

/// The compiled route document: decides by bytes, without allocating.
package struct RouteTable: Sendable {
    package static let defaultBodyBytes = 1_048_576
    package static let defaultDeadlineMilliseconds = 10_000
    /// Longer than a service takes to find out that its database is gone and answer without it, short enough that both
    /// together answer within two seconds.
    package static let defaultFallbackMilliseconds = 1_050

    private struct PublicRule: Sendable {
        var pattern: PathPattern
        var methods: [HTTPMethod]?
    }

    private struct Service: Sendable {
        var name: [UInt8]
        var publicRules: [PublicRule] = []
        var overrides: [(pattern: PathPattern, upstream: Int, fallback: Route.Fallback?)] = []
        var priorities: [(pattern: PathPattern, methods: [HTTPMethod]?, priority: RequestPriority)] = []
        var limits: [(pattern: PathPattern, bodyBytes: Int, deadlineMilliseconds: Int)] = []
    }

    /// The names of the services in the order of `Route.upstream`.
    package let upstreams: [String]
    private var services: [Service]

    private static let bffPrefix = Array("/bff/".utf8)
    private static let suffix = Array("-service".utf8)
    private static let apiPrefix = Array("/api/v1".utf8)
    private static let internalSegment: StaticString = "internal"

    /// - Throws: `RouteError` when a rule names a service that the document does not list, or a malformed pattern.
    package init(_ document: RouteDocument) throws(RouteError) {
        upstreams = document.services
        services = document.services.map { Service(name: Array($0.utf8)) }
        for rule in document.public {
            let pattern = try PathPattern(rule.path)
            let methods = Self.methods(rule.methods)
            services[try index(of: rule.service)].publicRules.append(PublicRule(pattern: pattern, methods: methods))
        }
        for rule in document.overrides {
            let pattern = try PathPattern(rule.path)
            let upstream = try index(of: rule.to)
            let fallback = try fallback(of: rule)
            services[try index(of: rule.service)].overrides.append((pattern, upstream, fallback))
        }
        for rule in document.priorities ?? [] {
            let pattern = try PathPattern(rule.path)
            let methods = Self.methods(rule.methods)
            services[try index(of: rule.service)].priorities.append((pattern, methods, rule.priority))
        }
        for rule in document.limits {
            let pattern = try PathPattern(rule.path)
            services[try index(of: rule.service)].limits.append(
                (
                    pattern, rule.bodyBytes ?? Self.defaultBodyBytes,
                    rule.deadlineMilliseconds ?? Self.defaultDeadlineMilliseconds
                ))
        }
    }

    /// A rule for GET is one for HEAD, which asks for the same (RFC 9110 §9.3.2).
    private static func methods(_ names: [String]?) -> [HTTPMethod]? {
        names.map { $0.map { HTTPMethod(rawValue: $0) } + ($0.contains("GET") ? [.HEAD] : []) }
    }

    private func fallback(of rule: RouteDocument.Override) throws(RouteError) -> Route.Fallback? {
        guard let name = rule.fallback else { return nil }
        let path = rule.fallbackPath ?? rule.path
        guard path.hasPrefix("/"), !path.contains("*") else {
            throw RouteError("the fallback of \"\(rule.path)\" needs a fallback_path without wildcards")
        }
        let after = rule.fallbackAfterMilliseconds ?? Self.defaultFallbackMilliseconds
        guard (1...Self.defaultDeadlineMilliseconds).contains(after) else {
            throw RouteError("fallback_after_ms of \"\(rule.path)\" is \(after); expected 1 to 10000")
        }
        return Route.Fallback(upstream: try index(of: name), target: "/api/v1\(path)", afterMilliseconds: after)
    }

    private func index(of name: String) throws(RouteError) -> Int {
        guard let index = upstreams.firstIndex(of: name) else {
            throw RouteError("the route document names the service \"\(name)\", which its list of services lacks")
        }
        return index
    }

    /// Decides where a request goes.
    package func decide(method: HTTPMethod, target bytes: UnsafeBufferPointer<UInt8>) -> RouteDecision {
        guard let target = RequestTarget.parse(bytes) else { return .malformed }
        var start = target.pathStart
        if Self.has(bytes, start..<target.pathEnd, Self.bffPrefix) { start += Self.bffPrefix.count - 1 }
        var nameEnd = start + 1
        while nameEnd < target.pathEnd, bytes[nameEnd] != Ascii.slash { nameEnd += 1 }
        guard let serviceIndex = service(bytes, (start + 1)..<nameEnd) else { return .notRouted(target) }

        let api = Self.apiPrefix.count
        guard Self.has(bytes, nameEnd..<target.pathEnd, Self.apiPrefix), nameEnd + api < target.pathEnd,
            bytes[nameEnd + api] == Ascii.slash
        else { return .notFound }
        let path = (nameEnd + api)..<target.pathEnd
        if Self.isInternal(bytes, path) { return .notFound }
        return .service(route(services[serviceIndex], serviceIndex, method, bytes, path, offset: nameEnd))
    }

    private func route(
        _ service: Service, _ index: Int, _ method: HTTPMethod, _ bytes: UnsafeBufferPointer<UInt8>,
        _ path: Range<Int>, offset: Int
    ) -> Route {
        var route = Route(
            upstream: index, isPublic: false,
            isAuthentication: Self.has(bytes, path, Self.authenticationPrefix), pathOffset: offset,
            maximumBodyBytes: Self.defaultBodyBytes, deadlineMilliseconds: Self.defaultDeadlineMilliseconds)
        for rule in service.publicRules where rule.pattern.matches(bytes, path) {
            route.isPublic = rule.methods?.contains(method) ?? true
            if route.isPublic { break }
        }
        for rule in service.overrides where rule.pattern.matches(bytes, path) {
            route.upstream = rule.upstream
            route.fallback = rule.fallback
            break
        }
        for rule in service.priorities where rule.pattern.matches(bytes, path) {
            guard rule.methods?.contains(method) ?? true else { continue }
            route.priority = rule.priority
            break
        }
        for rule in service.limits where rule.pattern.matches(bytes, path) {
            route.maximumBodyBytes = rule.bodyBytes
            route.deadlineMilliseconds = rule.deadlineMilliseconds
            break
        }
        return route
    }

    private static let authenticationPrefix = Array("/auth/".utf8)

    /// The index of the service that the segment names, with or without the suffix `-service`.
    private func service(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
        for (index, service) in services.enumerated() {
            let bare = range.lowerBound + service.name.count
            if range.upperBound == bare, Ascii.equal(bytes, range, service.name) { return index }
            if range.count == service.name.count + Self.suffix.count,
                Ascii.equal(bytes, range.lowerBound..<bare, service.name),
                Ascii.equal(bytes, bare..<range.upperBound, Self.suffix)
            {
                return index
            }
        }
        return nil
    }

    /// Whether the first segment of the path is `internal`, in any case.
    private static func isInternal(_ bytes: UnsafeBufferPointer<UInt8>, _ path: Range<Int>) -> Bool {
        let start = path.lowerBound + 1
        let count = internalSegment.utf8CodeUnitCount
        guard start + count <= path.upperBound else { return false }
        let rest = UnsafeBufferPointer(rebasing: bytes[start..<path.upperBound])
        guard Ascii.hasPrefix(rest, "internal", ignoringCase: true) else { return false }
        return start + count == path.upperBound || bytes[start + count] == Ascii.slash
    }

    private static func has(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ prefix: [UInt8]) -> Bool {
        range.count >= prefix.count
            && Ascii.equal(bytes, range.lowerBound..<(range.lowerBound + prefix.count), prefix)
    }
}
