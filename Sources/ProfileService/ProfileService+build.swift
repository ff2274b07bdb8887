import Contracts
import Hummingbird
package import MicroMiddleware
import Postgres
import RabbitMQ
import ServiceLifecycle

/// Composes the profile service: what people say about themselves, and who may see it.
package func buildProfileService(
    settings: ServiceSettings, telemetry: Telemetry? = nil
) async throws -> ServiceApplication {
    let telemetry = try telemetry ?? Telemetry(settings: settings)
    let security = try ServiceSecurity.verifying(settings: settings)

    var databaseConfiguration = try PostgresConfiguration(url: settings.value(.databaseURL))
    databaseConfiguration.poolSize = try settings.value(.databasePoolSize)
    databaseConfiguration.applicationName = "profile"
    let database = PostgresClient(configuration: databaseConfiguration, logger: telemetry.logger)
    let events = try EventProducer(
        source: .profile, database: database, settings: settings, telemetry: telemetry)

    let router = try Router.service(telemetry, settings: settings)
    let api = router.group("api/v1")
    let repository = PostgresProfileRepository(database: database, outbox: events.outbox)
    ProfileController(repository: repository).addRoutes(to: api.authenticated(verify: security.verifyToken))
    events.controller.addRoutes(to: api.internalOnly("internal", verify: security.verifyCaller))

    let health = HealthRegistry()
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    return ServiceApplication(
        name: "profile", settings: settings, telemetry: telemetry, router: router,
        services: [database] + events.services, health: health,
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/profile", logger: telemetry.logger)
            : nil)
}
