internal import Foundation
package import MicroMiddleware
internal import NIOCore

extension GatewayConfiguration {
    /// Reads the configuration of the process.
    ///
    /// - Throws: `ConfigurationError` or `RouteError`, each one sentence for the operator.
    package init(settings: ServiceSettings) throws {
        let path = try settings.value(.gatewayRoutesFile)
        guard let yaml = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw RouteError("the route document \(path) cannot be read (gateway.routes_file)")
        }
        let routes = try RouteTable(RouteDocument.parse(yaml: yaml))
        let endpoints = try routes.upstreams.flatMap { name in
            let key = Self.urls.first { $0.name == "services.\(name).url" } ?? .serviceURL(name, defaultPort: 80)
            return try ServiceClient.bases(of: settings.value(key)).map { try UpstreamEndpoint(name: name, url: $0) }
        }
        try self.init(endpoints: endpoints, routes: routes)
        host = try settings.value(.httpHost)
        port = try settings.value(.httpPort(default: 11_080))
        issuer = try settings.value(.tokenIssuer)
        allowedOrigins = try settings.value(.gatewayOrigins)
        trustedProxies = try settings.value(.gatewayTrustedProxies)
        certificate = try Self.certificate(settings)
        limits.maximumConnections = try settings.value(.gatewayMaximumConnections)
        limits.maximumInFlightPerUpstream = try settings.value(.gatewayMaximumInFlight)
        limits.headTimeout = try TimeAmount(settings.value(.gatewayHeadTimeout))
        limits.idleTimeout = try TimeAmount(settings.value(.gatewayIdleTimeout))
        limits.connectTimeout = try TimeAmount(settings.value(.gatewayConnectTimeout))
        limits.drainDelay = try TimeAmount(settings.value(.drainDelay))
        // What is left of the four fifths after which whatever does not stop by itself is cancelled, but for a second.
        let patience = try settings.value(.shutdownTimeout) * 4 / 5 - settings.value(.drainDelay) - .seconds(1)
        limits.drainTimeout = TimeAmount(max(patience, .milliseconds(500)))
    }

    private static let urls: [ConfigurationKey<String>] = [.identityURL, .profileURL, .sessionURL, .mfaURL, .auditURL]

    /// Both files or none.
    private static func certificate(_ settings: ServiceSettings) throws -> (chainPath: String, keyPath: String)? {
        let chain = try settings.valueIfPresent(.gatewayCertificateFile)
        let key = try settings.valueIfPresent(.gatewayPrivateKeyFile)
        switch (chain, key) {
        case (let chain?, let key?): return (chain, key)
        case (nil, nil): return nil
        default:
            throw RouteError("gateway.tls.certificate_file and gateway.tls.private_key_file must be set together")
        }
    }
}
