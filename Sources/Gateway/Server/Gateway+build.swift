internal import Foundation
internal import Logging
package import MicroMiddleware
internal import RabbitMQ
internal import Redis
internal import ServiceLifecycle

/// The gateway as a process: its data plane, and what it runs beside it.
package struct GatewayApplication: Service {
    let settings: ServiceSettings
    let telemetry: Telemetry
    package let server: GatewayServer
    let services: [any Service]

    /// Runs until the surrounding `ServiceGroup` shuts down or the task is cancelled.
    package func run() async throws {
        try await makeGroup().run()
    }

    /// Runs until SIGTERM or SIGINT, then drains; a second signal ends the process at once.
    package func runUntilSignalled() async throws {
        try await makeGroup().runUntilSignalled(
            timeout: try settings.value(.shutdownTimeout), logger: telemetry.logger)
    }

    private func makeGroup() throws -> ServiceGroup {
        let members: [any Service] = services + [server]
        var configuration = ServiceGroupConfiguration(
            services: members.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            }, logger: telemetry.logger)
        // The last fifth is for what has to be cancelled because it does not stop by itself.
        configuration.maximumGracefulShutdownDuration = try settings.value(.shutdownTimeout) * 4 / 5
        return ServiceGroup(configuration: configuration)
    }
}

/// Composes the gateway.
///
/// - Throws: one sentence when a setting, the route document, the keys or the certificate cannot be used.
package func buildGateway(settings: ServiceSettings, telemetry: Telemetry) throws -> GatewayApplication {
    let configuration = try GatewayConfiguration(settings: settings)
    let (ring, watcher) = try verificationKeys(settings, telemetry)
    let revocations = RevocationSet()
    let verifier = TokenVerifier(
        ring: ring, issuer: configuration.issuer, audience: try settings.value(.tokenAudience),
        revocations: revocations)
    let algorithms = Set(ring.keys.filter { $0.use == .access }.map(\.algorithm.rawValue)).sorted()
    let documents = DocumentShelf(logger: telemetry.logger) { try prepareDocuments(settings) }
    let own = OwnEndpoints(
        issuer: configuration.issuer, publicURL: try settings.valueIfPresent(.gatewayPublicURL),
        algorithms: algorithms, keySet: { String(decoding: ring.jwks, as: UTF8.self) },
        metricsText: { telemetry.metrics.prometheusText() }, isReady: { !ring.keys.isEmpty },
        documents: documents)
    var (services, feed) = try revocationServices(settings, telemetry, revocations)
    let server = try GatewayServer(
        configuration: configuration, verifier: verifier, endpoints: own, metrics: telemetry.metrics,
        logger: telemetry.logger
    ) { [feed] in
        // A token that was revoked before this process began must not be taken by its first request.
        guard let feed, await !feed.waitUntilSeeded(atMost: .seconds(2)) else { return }
        telemetry.logger.warning("nobody can say what is revoked; the gateway starts, and goes on asking")
    }
    if let watcher { services.append(watcher) }
    services.append(documents)
    return GatewayApplication(settings: settings, telemetry: telemetry, server: server, services: services)
}

/// The documents under `/docs`.
private func prepareDocuments(_ settings: ServiceSettings) throws -> GatewayDocuments {
    let path = try settings.value(.gatewayRoutesFile)
    let routes = try RouteDocument.parse(yaml: String(contentsOfFile: path, encoding: .utf8))
    return try GatewayDocuments(directory: try settings.value(.documentsDirectory), routes: routes)
}

/// What keeps the revocation set fresh. The gateway starts, and verifies, with all of it down.
private func revocationServices(
    _ settings: ServiceSettings, _ telemetry: Telemetry, _ revocations: RevocationSet
) throws -> (services: [any Service], feed: RevocationFeed?) {
    guard let broker = try settings.valueIfPresent(.rabbitMQURL) else {
        telemetry.logger.warning("rabbitmq.url is not set: a revoked token is good until it expires")
        return ([], nil)
    }
    let redis = try settings.valueIfPresent(.redisURL).map {
        RedisClient(configuration: try RedisConfiguration(url: $0), logger: telemetry.logger)
    }
    let session = try settings.valueIfPresent(.internalSecret).map { secret in
        let credential = try ServiceCredential(service: "gateway", secret: secret)
        return ServiceClient(target: "session", baseURL: try settings.value(.sessionURL)) {
            try credential.issue(for: "session")
        }
    }
    let feed = RevocationFeed(
        set: revocations, broker: try RabbitMQConfiguration(url: broker), redis: redis, session: session,
        logger: telemetry.logger)
    return ((redis.map { [$0] } ?? []) + [feed], feed)
}

/// The keys that verify: those of `JWT_SECRET` for whoever configures it, else the published ones, watched.
private func verificationKeys(
    _ settings: ServiceSettings, _ telemetry: Telemetry
) throws -> (KeyRing, KeyRingWatcher?) {
    if let secret = try settings.valueIfPresent(.jwtSecret) {
        return (try .shared(secret: secret, previous: try settings.valueIfPresent(.previousJWTSecret)), nil)
    }
    let path = try settings.value(.publicKeysFile)
    let ring = try KeyRing.verificationOnly(jwksFile: path)
    let watcher = KeyRingWatcher(
        ring: ring, jwksFile: path, interval: try settings.value(.keysReloadInterval), logger: telemetry.logger)
    return (ring, watcher)
}
