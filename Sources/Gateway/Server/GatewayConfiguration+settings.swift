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
        let endpoints = try routes.upstreams.map { name in
            let key = Self.urls.first { $0.name == "services.\(name).url" } ?? .serviceURL(name, defaultPort: 80)
            return try UpstreamEndpoint(name: name, url: settings.value(key))
        }
        try self.init(endpoints: endpoints, routes: routes)
        host = try settings.value(.httpHost)
        port = try settings.value(.httpPort(default: 11_080))
        issuer = try settings.value(.tokenIssuer)
        allowedOrigins = try settings.value(.gatewayOrigins)
        certificate = try Self.certificate(settings)
        limits.maximumConnections = try settings.value(.gatewayMaximumConnections)
        limits.maximumInFlightPerUpstream = try settings.value(.gatewayMaximumInFlight)
        limits.headTimeout = try TimeAmount(settings.value(.gatewayHeadTimeout))
        limits.idleTimeout = try TimeAmount(settings.value(.gatewayIdleTimeout))
        limits.connectTimeout = try TimeAmount(settings.value(.gatewayConnectTimeout))
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
