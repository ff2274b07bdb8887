package import Hummingbird
package import Logging
package import ServiceLifecycle

/// A service as a process: its HTTP server, what it runs beside it, and the order in which all that starts and stops.
///
/// ```swift
/// func buildWalletService(settings: ServiceSettings, telemetry: Telemetry) throws -> ServiceApplication {
///     let database = PostgresClient(configuration: try PostgresConfiguration(url: settings.value(.databaseURL)), …)
///     let health = HealthRegistry()
///     health.register("database") { try await database.ping(deadline: $0) }
///
///     let router = try Router.service(telemetry, settings: settings)
///     WalletController(repository: …).addRoutes(to: router.group("api/v1"))
///     return ServiceApplication(
///         name: "wallet", settings: settings, telemetry: telemetry, router: router, services: [database],
///         health: health)
/// }
/// ```
package struct ServiceApplication: Service {
    /// What every service answers by itself.
    package static let ownPaths: Set<String> = ["/livez", "/readyz", "/metrics"]

    package let name: String
    let settings: ServiceSettings
    let telemetry: Telemetry
    let responder: RouterResponder<BaseRequestContext>
    let services: [any Service]
    let health: HealthRegistry

    /// - Parameters:
    ///   - services: What runs beside the server, each after what it depends on: pools first. They stop in reverse order,
    ///     after the server.
    package init(
        name: String, settings: ServiceSettings, telemetry: Telemetry, router: Router<BaseRequestContext>,
        services: [any Service] = [], health: HealthRegistry
    ) {
        self.name = name
        self.settings = settings
        self.telemetry = telemetry
        self.responder = router.buildResponder()
        self.services = services
        self.health = health
    }

    package var logger: Logger { telemetry.logger }

    /// Runs until the task is cancelled or the surrounding `ServiceGroup` shuts down: for tests and for processes that
    /// hold several services.
    package func run() async throws {
        preconditionFailure("not written yet")
    }

    /// Runs until SIGTERM or SIGINT, then stops in order; a second signal ends the process at once.
    package func runUntilSignalled() async throws {
        preconditionFailure("not written yet")
    }
}
