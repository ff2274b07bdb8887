package import MicroMiddleware
package import NIOCore

/// Where a replica of a service listens.
package struct UpstreamEndpoint: Sendable, Equatable {
    package var name: String
    package var host: String
    package var port: Int

    package init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
    }

    /// Reads `http://host:port`.
    ///
    /// - Throws: `RouteError` in one sentence when the URL has another form.
    package init(name: String, url: String) throws(RouteError) {
        let trimmed = url.hasSuffix("/") ? String(url.dropLast()) : url
        guard trimmed.hasPrefix("http://"), let colon = trimmed.lastIndex(of: ":"),
            let port = Int(trimmed[trimmed.index(after: colon)...]), (1...65_535).contains(port)
        else { throw RouteError("services.\(name).url is \"\(url)\"; expected http://host:port") }
        let host = trimmed[trimmed.index(trimmed.startIndex, offsetBy: 7)..<colon]
        guard !host.isEmpty, !host.contains("/") else {
            throw RouteError("services.\(name).url is \"\(url)\"; expected http://host:port")
        }
        self.init(
            name: name, host: host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host), port: port)
    }
}

/// A service and its replicas.
package struct Upstream: Sendable, Equatable {
    /// More than anybody runs, and few enough for a bit each.
    package static let maximumReplicas = 32

    package var name: String
    /// 1 to ``maximumReplicas``, any of which may be given any request.
    package var replicas: [UpstreamEndpoint]
}

/// The limits that the gateway holds every client and every service to.
package struct GatewayLimits: Sendable {
    /// Connections of clients, all loops together; one more is closed at once.
    package var maximumConnections = 10_000
    /// Requests under way to one service on one event loop; one more is answered 503001.
    package var maximumInFlightPerUpstream = 512
    /// Idle connections kept to one service on one event loop.
    package var maximumIdlePerUpstream = 64
    package var maximumTargetBytes = 8_192
    package var maximumHeaderBytes = 32_768
    package var maximumHeaderFieldBytes = 16_384
    package var maximumHeaderFields = 100
    /// From accepting a connection to the end of its first request head.
    package var headTimeout = TimeAmount.seconds(10)
    /// Between two requests of a connection, the second one's head included.
    package var idleTimeout = TimeAmount.seconds(60)
    /// Between two pieces of a response that has begun.
    package var streamTimeout = TimeAmount.seconds(60)
    package var connectTimeout = TimeAmount.seconds(1)
    package var upstreamIdleTimeout = TimeAmount.seconds(30)
    /// For requests in flight when the gateway stops; with the rest of the shutdown it stays below 25 s.
    package var drainTimeout = TimeAmount.seconds(15)
    /// For how long a gateway that stops goes on taking connections, with readiness red and each answer the last on its
    /// connection, so that whoever balances in front of it has gone elsewhere by then.
    package var drainDelay = TimeAmount.zero
    /// How often time-outs are looked for.
    package var tick = TimeAmount.milliseconds(100)

    package init() {}
}

/// Everything a gateway needs to know, already read and checked.
package struct GatewayConfiguration: Sendable {
    package var host = "127.0.0.1"
    package var port = 11_080
    package var upstreams: [Upstream]
    package var routes: RouteTable
    package var limits = GatewayLimits()
    package var issuer = "https://authms.local"
    package var allowedOrigins = ["http://localhost:*", "http://127.0.0.1:*"]
    /// The balancers in front, whose `X-Forwarded-For` and `X-Forwarded-Proto` hold; nobody else's do.
    package var trustedProxies: [AddressRange] = []
    /// PEM files; nil serves plain HTTP/1.1.
    package var certificate: (chainPath: String, keyPath: String)?
    /// How often certificate and key files are looked at for a newer version.
    package var reloadInterval = Duration.seconds(5)
    package var probeInterval = TimeAmount.seconds(2)
    package var probeTimeout = TimeAmount.seconds(1)
    /// How often each service is asked whether it lives, and after how long without an answer it counts as silent: then it
    /// is not waited for. Together they bound how long a stopped process goes unnoticed.
    package var lifeInterval = TimeAmount.milliseconds(500)
    package var silenceTimeout = TimeAmount.seconds(1)

    /// - Parameter endpoints: one or more for each service of the route table, in any order; several of one name are the
    ///   replicas of that service.
    /// - Throws: `RouteError` when a service of the table has no endpoint, or too many.
    package init(endpoints: [UpstreamEndpoint], routes: RouteTable) throws(RouteError) {
        var ordered: [Upstream] = []
        for name in routes.upstreams {
            let replicas = endpoints.filter { $0.name == name }
            guard !replicas.isEmpty else {
                throw RouteError("no address is configured for the service \"\(name)\"")
            }
            guard replicas.count <= Upstream.maximumReplicas else {
                throw RouteError("services.\(name).url has more than \(Upstream.maximumReplicas) addresses")
            }
            ordered.append(Upstream(name: name, replicas: replicas))
        }
        upstreams = ordered
        self.routes = routes
    }
}
