import Foundation
import Gateway
import MicroMiddleware
import NIOCore
import NIOPosix
import Testing

@Suite("A service that has as much to do as it can")
struct SheddingTests {
    private static let routes = """
        services: [identity, session, profile, mfa, audit]
        public: [{service: identity, path: /**}]
        overrides: []
        limits: []
        priorities:
          - {service: identity, path: /verify/*, priority: verify}
          - {service: identity, path: /refresh/*, methods: [POST], priority: refresh}
          - {service: identity, path: /login/*, priority: login}
        """

    @Test("The lowest priority is refused first, with 503001, Retry-After and a count; the highest goes on")
    func order() async throws {
        let upstream = try await StubUpstream.start()
        // One loop, so that all requests share one limit.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = try GatewayFixture.configuration(upstreamPort: upstream.port)
        configuration.routes = try RouteTable(RouteDocument.parse(yaml: Self.routes))
        configuration.limits.maximumInFlightPerUpstream = 10
        configuration.limits.drainTimeout = .milliseconds(50)
        let metrics = MetricsRegistry()
        let server = try GatewayFixture.server(configuration, group: group, metrics: metrics)
        let gateway = GatewayFixture(port: try await server.start().port ?? 0, upstream: upstream)
        var stalled: [RawClient] = []

        func answers(_ path: String) async throws -> String {
            try await gateway.exchange("POST /identity/api/v1/\(path)/now HTTP/1.1\r\nHost: g\r\n\r\n")
        }
        func fill(_ path: String, _ count: Int) async throws {
            for _ in 0..<count {
                let client = try await RawClient.connect(port: gateway.port)
                stalled.append(client)
                let seen = upstream.seen.requests.count
                try await client.send("POST /identity/api/v1/\(path)/stall HTTP/1.1\r\nHost: g\r\n\r\n")
                let deadline = ContinuousClock.now + .seconds(2)
                while upstream.seen.requests.count == seen, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }

        try await fill("anything", 7)
        let refused = try await answers("anything")
        #expect(refused.hasPrefix("HTTP/1.1 503") && refused.contains("\"code\":503001"))
        #expect(refused.contains("Retry-After: "))
        for (path, next) in [("login", 1), ("refresh", 1), ("verify", 1)] {
            #expect(try await answers(path).hasPrefix("HTTP/1.1 200"), "\(path)")
            try await fill(path, next)
            #expect(try await answers(path).contains("\"code\":503001"), "\(path)")
        }
        let text = metrics.prometheusText()
        #expect(text.contains("gateway_shed_total{priority=\"other\",upstream=\"identity\"} 1"))
        #expect(text.contains("gateway_shed_total{priority=\"verify\",upstream=\"identity\"} 1"))
        #expect(text.contains("gateway_concurrency_limit{upstream=\"identity\"} 10"))
        // Other services have limits of their own.
        #expect(try await gateway.get("/mfa/api/v1/x").hasPrefix("HTTP/1.1 200"))

        for client in stalled { await client.close() }
        await server.stop()
        await upstream.stop()
        try await group.shutdownGracefully()
    }

    @Test("A service that refuses because it is warming up is believed, with its Retry-After, and not given up")
    func warmingUp() async throws {
        try await GatewayFixture.run { gateway in
            for _ in 0..<10 {
                let answer = try await gateway.get("/mfa/api/v1/busy")
                #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("Retry-After: 17"))
            }
            #expect(try await gateway.get("/mfa/api/v1/x").hasPrefix("HTTP/1.1 200"))
            #expect(gateway.upstream.seen.requests.count { $0 == "GET /api/v1/busy" } == 10)
        }
    }
}
