import Contracts
import Hummingbird
import Images
package import MicroMiddleware
import Postgres
import RabbitMQ
import Redis
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
    let load = DatabaseLoad(metrics: telemetry.metrics)
    let database = PostgresClient(
        configuration: databaseConfiguration, logger: telemetry.logger, onStatement: load.record)
    let events = try EventProducer(
        source: .profile, database: database, settings: settings, telemetry: telemetry)

    let redis = RedisClient(
        configuration: try RedisConfiguration(url: settings.value(.redisURL)), logger: telemetry.logger)
    let session = try security.client(of: "session", at: .sessionURL, settings: settings)
    let feed = RevocationFeed(
        set: security.revocations, broker: try RabbitMQConfiguration(url: settings.value(.rabbitMQURL)), redis: redis,
        session: session, logger: telemetry.logger)
    let warmup = try ServiceWarmup(
        database: database, redis: redis, load: load, outbox: events.outbox, settings: settings, telemetry: telemetry)

    let router = try Router.service(telemetry, settings: settings)
    router.addMiddleware { WarmupMiddleware(warmup.controller, verify: security.verifyToken) }
    let api = router.group("api/v1")
    let repository = PostgresProfileRepository(database: database, outbox: events.outbox)
    let profiles = CachedProfiles(repository, cache: warmup.caching("profile"))
    let authenticated = api.authenticated(verify: security.verifyToken)
    ProfileController(repository: repository, profiles: profiles).addRoutes(to: authenticated)
    AvatarController(repository: repository, profiles: profiles, workshop: ImageWorkshop()).addRoutes(
        to: authenticated)
    CustomFieldController(repository: repository).addRoutes(to: authenticated)
    let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
    PersonalDataController(.profile, database: database).addRoutes(to: internalOnly)
    events.controller.addRoutes(to: internalOnly)
    warmup.routes.addRoutes(to: internalOnly)
    let eraser = PersonalDataEraser(
        .profile, database: database, outbox: events.outbox,
        broker: try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL)),
        retries: try settings.value(.retryDelays), telemetry: telemetry,
        around: { user, erase in try await profiles.erasing(user, erase) })

    let health = HealthRegistry()
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    health.register("redis", .degrading) { try await redis.ping(deadline: $0) }
    let housekeeping = Housekeeping([.erasedUsers], database: database, telemetry: telemetry)
    let keys = try security.watchers(settings: settings, logger: telemetry.logger)
    return ServiceApplication(
        name: "profile", settings: settings, telemetry: telemetry, router: router,
        services: [database, redis] + events.services + [feed, warmup.controller, eraser, housekeeping] + keys,
        health: health,
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/profile", logger: telemetry.logger)
            : nil,
        beforeListening: {
            _ = await feed.waitUntilSeeded(atMost: .seconds(2))
            await warmup.controller.waitUntilKnown(atMost: .seconds(2))
        })
}
