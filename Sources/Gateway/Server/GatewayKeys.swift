internal import Foundation
package import MicroMiddleware

// The gateway's own keys of configuration; the common ones are declared in MicroMiddleware.

extension ConfigurationKey<String> {
    package static let gatewayRoutesFile = string(
        "gateway.routes_file", default: "configs/gateway/routes.yaml", "The document of routes.")
    package static let gatewayPublicURL = ConfigurationKey(
        "gateway.public_url", type: "http://host[:port] or https://host[:port]", default: nil,
        "Where clients reach the gateway, and so what /.well-known/openid-configuration gives as its endpoints. Without it "
            + "that is token.issuer, which names who issues tokens and need not be an address that anybody can reach.",
        render: { $0 },
        parse: { text in
            // What would have to be written in another way is refused: it goes into a document as it is.
            guard let url = URLComponents(string: text), url.string == text, ["http", "https"].contains(url.scheme),
                let host = url.host, !host.isEmpty, url.user == nil, url.query == nil, url.fragment == nil,
                url.path.isEmpty || url.path == "/"
            else { return nil }
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        })
    package static let gatewayCertificateFile = string(
        "gateway.tls.certificate_file", "The certificate chain (PEM). Present, the gateway serves TLS and HTTP/2.")
    package static let gatewayPrivateKeyFile = string(
        "gateway.tls.private_key_file", "The private key (PEM) of the certificate.")
}

extension ConfigurationKey<[String]> {
    package static let gatewayOrigins = strings(
        "gateway.cors.origins", default: ["http://localhost:*", "http://127.0.0.1:*"],
        "Browser origins that may call; a port of * allows any.")
}

extension ConfigurationKey<[AddressRange]> {
    package static let gatewayTrustedProxies = addressRanges(
        "gateway.trusted_proxies", default: [],
        "The balancers in front of the gateway: the client's address is the rightmost in their X-Forwarded-For that is none"
            + " of them, and X-Forwarded-Proto is theirs to say. Of everybody else both headers are dropped.")
}

extension ConfigurationKey<Int> {
    package static let gatewayMaximumConnections = int(
        "gateway.maximum_connections", default: 10_000, in: 1...1_000_000, "Connections of clients at one time.")
    package static let gatewayMaximumInFlight = int(
        "gateway.upstream.maximum_in_flight", default: 512, in: 1...65_536,
        "Requests under way to one service on one event loop.")
}

extension ConfigurationKey<Duration> {
    package static let gatewayHeadTimeout = duration(
        "gateway.head_timeout", default: .seconds(10), in: .milliseconds(100) ... .seconds(120),
        "From a connection to the end of its first request head.")
    package static let gatewayIdleTimeout = duration(
        "gateway.idle_timeout", default: .seconds(60), in: .milliseconds(100) ... .seconds(3_600),
        "How long a kept-alive connection may rest.")
    package static let gatewayConnectTimeout = duration(
        "gateway.upstream.connect_timeout", default: .seconds(1), in: .milliseconds(10) ... .seconds(30),
        "How long connecting to a service may take.")
}

/// The gateway's section of the configuration reference.
package let gatewayConfigurationSection = ConfigurationCatalogue.Section(
    "Gateway",
    [
        ConfigurationKey<String>.gatewayRoutesFile.summary,
        ConfigurationKey<String>.gatewayPublicURL.summary,
        ConfigurationKey<String>.gatewayCertificateFile.summary,
        ConfigurationKey<String>.gatewayPrivateKeyFile.summary,
        ConfigurationKey<[String]>.gatewayOrigins.summary,
        ConfigurationKey<[AddressRange]>.gatewayTrustedProxies.summary,
        ConfigurationKey<Int>.gatewayMaximumConnections.summary,
        ConfigurationKey<Int>.gatewayMaximumInFlight.summary,
        ConfigurationKey<Duration>.gatewayHeadTimeout.summary,
        ConfigurationKey<Duration>.gatewayIdleTimeout.summary,
        ConfigurationKey<Duration>.gatewayConnectTimeout.summary,
    ])
