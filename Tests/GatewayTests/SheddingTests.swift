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
        public: [{service: identity, path: /**}, {service: session, path: /**}]
        overrides:
          - {service: session, path: /stall, to: session, fallback: identity, fallback_path: /second, fallback_after_ms: 200}
          - {service: session, path: /hangup, to: session, fallback: identity, fallback_path: /second}
          - {service: session, path: /declined, to: session, fallback: identity, fallback_path: /second}
        limits: []
        priorities:
          - {service: identity, path: /verify/*, priority: verify}
          - {service: identity, path: /refresh/*, methods: [POST], priority: refresh}
          - {service: identity, path: /login/*, priority: login}
        """

    /// A gateway that takes ten requests at a time to a service.
    private struct Crowd {
        let gateway: GatewayFixture
        let metrics: MetricsRegistry
        private var stalled: [RawClient] = []

        static func run(_ body: (inout Crowd) async throws -> Void) async throws {
            let upstream = try await StubUpstream.start()
            // One loop, so that all requests share one limit.
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            var configuration = try GatewayFixture.configuration(upstreamPort: upstream.port)
            configuration.routes = try RouteTable(RouteDocument.parse(yaml: SheddingTests.routes))
            configuration.limits.maximumInFlightPerUpstream = 10
            configuration.limits.drainTimeout = .milliseconds(50)
            let metrics = MetricsRegistry()
            let server = try GatewayFixture.server(configuration, group: group, metrics: metrics)
            let gateway = GatewayFixture(port: try await server.start().port ?? 0, upstream: upstream)
            var crowd = Crowd(gateway: gateway, metrics: metrics)
            try await body(&crowd)
            for client in crowd.stalled { await client.close() }
            await server.stop()
            await upstream.stop()
            try await group.shutdownGracefully()
        }

        func answer(_ path: String) async throws -> String {
            try await gateway.exchange("POST \(path) HTTP/1.1\r\nHost: g\r\n\r\n")
        }

        /// Leaves so many requests of a kind under way at identity.
        mutating func fill(_ kind: String, _ count: Int) async throws {
            for _ in 0..<count {
                let client = try await RawClient.connect(port: gateway.port)
                stalled.append(client)
                let seen = gateway.upstream.seen.requests.count
                try await client.send("POST /identity/api/v1/\(kind)/stall HTTP/1.1\r\nHost: g\r\n\r\n")
                let deadline = ContinuousClock.now + .seconds(2)
                while gateway.upstream.seen.requests.count == seen, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    @Test("The lowest priority is refused first, with 503001, Retry-After and a count; the highest goes on")
    func order() async throws {
        try await Crowd.run { crowd in
            try await crowd.fill("anything", 7)
            let refused = try await crowd.answer("/identity/api/v1/anything/now")
            #expect(refused.hasPrefix("HTTP/1.1 503") && refused.contains("\"code\":503001"))
            #expect(refused.contains("Retry-After: "))
            for (kind, next) in [("login", 1), ("refresh", 1), ("verify", 1)] {
                let path = "/identity/api/v1/\(kind)/now"
                #expect(try await crowd.answer(path).hasPrefix("HTTP/1.1 200"), "\(kind)")
                try await crowd.fill(kind, next)
                #expect(try await crowd.answer(path).contains("\"code\":503001"), "\(kind)")
            }
            let text = crowd.metrics.prometheusText()
            #expect(text.contains("gateway_shed_total{priority=\"other\",upstream=\"identity\"} 1"))
            #expect(text.contains("gateway_shed_total{priority=\"verify\",upstream=\"identity\"} 1"))
            #expect(text.contains("gateway_concurrency_limit{upstream=\"identity\"} 10"))
            // Other services have limits of their own.
            #expect(try await crowd.gateway.get("/mfa/api/v1/x").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("What another service may have acted on gets in all the same, what it declined does not")
    func fallback() async throws {
        try await Crowd.run { crowd in
            try await crowd.fill("anything", 7)
            for path in ["stall", "hangup"] {
                let answer = try await crowd.answer("/session/api/v1/\(path)")
                #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("POST /api/v1/second"), "\(path)")
            }
            #expect(try await crowd.answer("/session/api/v1/declined").contains("\"code\":503001"))
        }
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
