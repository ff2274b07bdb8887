import Contracts
import Hummingbird
package import MicroMiddleware
import Postgres
import RabbitMQ
import ServiceLifecycle

/// Composes the mfa service. So far it starts, migrates, publishes what its outbox holds and answers for its health:
/// one-time passwords, recovery codes and passkeys follow.
package func buildMFAService(
    settings: ServiceSettings, telemetry: Telemetry? = nil
) async throws -> ServiceApplication {
    let telemetry = try telemetry ?? Telemetry(settings: settings)
    let security = try ServiceSecurity.verifying(settings: settings)

    var databaseConfiguration = try PostgresConfiguration(url: settings.value(.databaseURL))
    databaseConfiguration.poolSize = try settings.value(.databasePoolSize)
    databaseConfiguration.applicationName = "mfa"
    let database = PostgresClient(configuration: databaseConfiguration, logger: telemetry.logger)
    let events = try EventProducer(
        source: .mfa, database: database, settings: settings, telemetry: telemetry)

    let router = try Router.service(telemetry, settings: settings)
    let api = router.group("api/v1")
    let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
    PersonalDataController(.mfa, database: database).addRoutes(to: internalOnly)
    events.controller.addRoutes(to: internalOnly)
    let eraser = PersonalDataEraser(
        .mfa, database: database, outbox: events.outbox,
        broker: try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL)),
        retries: try settings.value(.retryDelays), telemetry: telemetry)

    let health = HealthRegistry()
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    return ServiceApplication(
        name: "mfa", settings: settings, telemetry: telemetry, router: router,
        services: [database] + events.services + [eraser], health: health,
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/mfa", logger: telemetry.logger)
            : nil)
}
