internal import Foundation
package import Gateway
internal import Logging
internal import MicroMiddleware
internal import NIOCore

/// Authenticated requests through the gateway, compared with HAProxy verifying the same token before the same upstream.
///
/// Both run at the same time and are loaded in turn, so that what else the machine does falls on both alike. The upstream
/// is as cheap as can be, and lives in this process, on a thread of its own, for both.
package struct GatewayBench {
    /// What it comes to; the medians of all rounds.
    package struct Outcome: Sendable {
        package var gatewayRequestsPerSecond: Double
        package var haproxyRequestsPerSecond: Double
        package var gatewayP99Milliseconds: Double
        package var haproxyP99Milliseconds: Double

        package var throughputRatio: Double { gatewayRequestsPerSecond / haproxyRequestsPerSecond }
        package var p99Ratio: Double { gatewayP99Milliseconds / haproxyP99Milliseconds }
    }

    private let rounds: Int
    private let secondsPerRound: Int
    private let routesPath: String

    /// - Parameters:
    ///   - rounds: how often each of the two is loaded.
    ///   - secondsPerRound: for how long each time.
    package init(rounds: Int = 4, secondsPerRound: Int = 5, routesPath: String = "configs/gateway/routes.yaml") {
        self.rounds = rounds
        self.secondsPerRound = secondsPerRound
        self.routesPath = routesPath
    }

    /// Measures. `verifier` is what the gateway verifies with; `token` an ES256 token good for both, and
    /// `publicKeyPEM` the key that it verifies under.
    ///
    /// - Throws: `BenchFailure` when wrk or HAProxy is missing, or an answer was not a success.
    package func measure(
        verifier: any AccessTokenVerifying, token: String, publicKeyPEM: String
    ) async throws -> Outcome {
        let upstream = try await TrivialUpstream.start()
        let server = try gateway(upstreamPort: upstream.port, verifier: verifier)
        let gatewayPort = try await server.start().port ?? 0
        let load = LoadGenerator(seconds: secondsPerRound, token: token)
        let path = "/identity/api/v1/auth/me"
        let (rounds, warmUp) = (rounds, LoadGenerator(seconds: 1, token: token))
        let proxy = ComparedProxy(upstreamPort: upstream.port, publicKeyPEM: publicKeyPEM)
        let results = try await proxy.run { proxyPort in
            let urls = [gatewayPort, proxyPort].map { "http://127.0.0.1:\($0)\(path)" }
            for url in urls { _ = try await warmUp.run(url: url) }
            var results: [[LoadResult]] = [[], []]
            for _ in 0..<rounds {
                for (index, url) in urls.enumerated() {
                    let result = try await load.run(url: url)
                    guard result.failures == 0 else {
                        throw BenchFailure(description: "\(result.failures) requests to \(url) failed")
                    }
                    results[index].append(result)
                }
            }
            return results
        }
        await server.stop()
        await upstream.stop()
        return Outcome(
            gatewayRequestsPerSecond: Self.median(results[0].map(\.requestsPerSecond)),
            haproxyRequestsPerSecond: Self.median(results[1].map(\.requestsPerSecond)),
            gatewayP99Milliseconds: Self.median(results[0].map(\.p99Milliseconds)),
            haproxyP99Milliseconds: Self.median(results[1].map(\.p99Milliseconds)))
    }

    private func gateway(upstreamPort: Int, verifier: any AccessTokenVerifying) throws -> GatewayServer {
        let yaml = try String(contentsOfFile: routesPath, encoding: .utf8)
        let routes = try RouteTable(RouteDocument.parse(yaml: yaml))
        let endpoints = routes.upstreams.map { UpstreamEndpoint(name: $0, host: "127.0.0.1", port: upstreamPort) }
        var configuration = try GatewayConfiguration(endpoints: endpoints, routes: routes)
        configuration.port = 0
        let own = OwnEndpoints(
            issuer: configuration.issuer, keySet: { "{}" }, metricsText: { "" }, isReady: { true })
        return try GatewayServer(
            configuration: configuration, verifier: verifier, endpoints: own, metrics: MetricsRegistry(),
            logger: Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
