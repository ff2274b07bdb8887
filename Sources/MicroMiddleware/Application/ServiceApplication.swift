internal import CoreMetrics
internal import HTTPTypes
package import Hummingbird
package import Logging
package import ServiceLifecycle

/// A service as a process: its HTTP server, what it runs beside it, and the order in which all that starts and stops.
///
/// ```swift
/// func buildWalletService(settings: ServiceSettings, telemetry: Telemetry) throws -> ServiceApplication {
///     let database = PostgresClient(configuration: try PostgresConfiguration(url: …), logger: telemetry.logger)
///     let health = HealthRegistry()
///     health.register("database") { try await database.ping(deadline: $0) }
///
///     let router = try Router.service(telemetry, settings: settings)
///     WalletController(repository: PostgresWalletRepository(database), verify: verifier.verify)
///         .addRoutes(to: router.group("api/v1"))
///     return ServiceApplication(
///         name: "wallet", settings: settings, telemetry: telemetry, router: router, services: [database],
///         health: health,
///         migration: DatabaseMigration(database, directory: "migrations/wallet", logger: telemetry.logger))
/// }
/// ```
/// `Tests/MicroMiddlewareTests/ExampleService.swift` is such a service, whole.
///
/// Stopping: readiness turns red, and every answer asks its client to go elsewhere; after `http.drain_delay` the listener
/// closes and requests in flight end; then the services stop in reverse order. After `shutdown.timeout` the process ends
/// itself.
package struct ServiceApplication: Service {
    /// What every service answers by itself.
    package static let ownPaths: Set<String> = ["/livez", "/readyz", "/metrics"]

    package let name: String
    let settings: ServiceSettings
    let telemetry: Telemetry
    /// What answers requests: tests can ask it without a socket.
    package let responder: RouterResponder<BaseRequestContext>
    let services: [any Service]
    let health: HealthRegistry
    let migration: DatabaseMigration?
    let beforeListening: @Sendable () async -> Void
    let onListening: @Sendable (Int) -> Void
    /// Everything that the service answers, but for ``ownPaths``: what its OpenAPI document must describe, beside paths for
    /// services only.
    package let operations: [APIOperation]

    /// - Parameters:
    ///   - router: From ``Router/service(_:settings:)``, with every group added: what is added later is not served.
    ///   - services: What runs beside the server, each after what it depends on: pools first. They stop in reverse order,
    ///     after the server.
    ///   - migration: Runs before the server listens, or as soon as the database is there; see ``DatabaseMigration``.
    ///   - beforeListening: Called once the services run and the first attempt to migrate has ended; no request is taken before
    ///     it returns. It must not take long.
    ///   - onListening: Called with the port once the server accepts connections.
    package init(
        name: String, settings: ServiceSettings, telemetry: Telemetry, router: Router<BaseRequestContext>,
        services: [any Service] = [], health: HealthRegistry, migration: DatabaseMigration? = nil,
        beforeListening: @escaping @Sendable () async -> Void = {},
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.name = name
        self.settings = settings
        self.telemetry = telemetry
        self.services = services
        self.health = health
        self.migration = migration
        self.beforeListening = beforeListening
        self.onListening = onListening
        if let migration {
            health.register("migrations", migration.importance) { _ in try migration.requireComplete() }
        }
        let documents = (try? settings.value(.documentsDirectory)) ?? ""
        OpenAPIEndpoint(service: name, directory: documents, logger: telemetry.logger).addRoute(to: router)
        operations = router.operations
        OwnEndpoints(telemetry: telemetry, health: health).addRoutes(to: router)
        router.answerOtherMethods()
        self.responder = router.buildResponder()
    }

    package var logger: Logger { telemetry.logger }

    /// Runs until the surrounding `ServiceGroup` shuts down or the task is cancelled: for tests, and for processes that
    /// hold several services.
    /// - Throws: ``ConfigurationError``, or what made a service or the listener fail.
    package func run() async throws {
        try await makeGroup().run()
    }

    /// Runs until SIGTERM or SIGINT, then stops in order; a second signal ends the process at once.
    /// - Throws: As ``run()``.
    package func runUntilSignalled() async throws {
        try await makeGroup().runUntilSignalled(
            timeout: try settings.value(.shutdownTimeout), logger: logger)
    }

    private func makeGroup() throws -> ServiceGroup {
        let timeout = try settings.value(.shutdownTimeout)
        let drainDelay = try settings.value(.drainDelay)
        let members: [any Service] =
            services + (migration.map { [$0] } ?? [])
            + [try makeServer(), ReadinessSwitch(health: health, drainDelay: drainDelay)]
        // Whatever ends by itself takes the others down in order, rather than all at once.
        var configuration = ServiceGroupConfiguration(
            services: members.map { service in
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup,
                    serviceName: String(describing: type(of: service)))
            },
            logger: logger)
        // The last fifth is for what has to be cancelled because it does not stop by itself.
        configuration.maximumGracefulShutdownDuration = timeout * 4 / 5
        return ServiceGroup(configuration: configuration)
    }

    private func makeServer() throws -> any Service {
        let host = try settings.value(.httpHost)
        let port = try settings.value(.httpPort(default: 0))
        let (logger, onListening, name) = (logger, onListening, name)
        var application = Application(
            responder: DrainingResponder(responder: responder, health: health),
            server: .http1(configuration: .init(idleTimeout: .seconds(75))),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 1_024),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? port
                logger.info("\(name) answers on http://\(host):\(port)")
                onListening(port)
            },
            logger: logger)
        application.beforeServerStarts { [migration, beforeListening] in
            await migration?.waitForFirstAttempt(atMost: .seconds(3))
            await beforeListening()
        }
        return application
    }
}

/// Says `Connection: close` (RFC 9112 §9.6) with every answer of a service that is stopping: whoever sends the next request
/// does so on a new connection, to a replica that stays, and none is under way on a connection when that is closed.
private struct DrainingResponder: HTTPResponder {
    let responder: RouterResponder<BaseRequestContext>
    let health: HealthRegistry

    func respond(to request: Request, context: BaseRequestContext) async throws -> Response {
        var response = try await responder.respond(to: request, context: context)
        if health.isStopping { response.headers[.connection] = "close" }
        return response
    }
}

/// The last to start and so the first to stop: turns readiness red, and gives balancers time to see it.
private struct ReadinessSwitch: Service {
    let health: HealthRegistry
    let drainDelay: Duration

    func run() async throws {
        try? await gracefulShutdown()
        health.startStopping()
        try? await Task.sleep(for: drainDelay)
    }
}
