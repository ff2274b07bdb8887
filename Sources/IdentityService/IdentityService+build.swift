import Contracts
import Foundation
import Hummingbird
package import MicroMiddleware
import Passwords
import Postgres
import RabbitMQ
import Redis
import ServiceLifecycle

/// Composes the identity service: users, their passwords, and signing in.
package func buildIdentityService(
    settings: ServiceSettings, telemetry: Telemetry? = nil
) async throws -> ServiceApplication {
    let telemetry = try telemetry ?? Telemetry(settings: settings)
    let configuration = try IdentityConfiguration(settings: settings)
    let security = try ServiceSecurity.signing(settings: settings)

    var databaseConfiguration = try PostgresConfiguration(url: settings.value(.databaseURL))
    databaseConfiguration.poolSize = try settings.value(.databasePoolSize)
    databaseConfiguration.applicationName = "identity"
    let load = DatabaseLoad(metrics: telemetry.metrics)
    let database = PostgresClient(
        configuration: databaseConfiguration, logger: telemetry.logger, onStatement: load.record)
    let events = try EventProducer(
        source: .identity, database: database, settings: settings, telemetry: telemetry)
    let redis = RedisClient(
        configuration: try RedisConfiguration(url: settings.value(.redisURL)), logger: telemetry.logger)
    let session = try security.client(of: "session", at: .sessionURL, settings: settings)
    let feed = RevocationFeed(
        set: security.revocations, broker: try RabbitMQConfiguration(url: settings.value(.rabbitMQURL)), redis: redis,
        session: session, logger: telemetry.logger)

    let warmup = try ServiceWarmup(
        database: database, redis: redis, load: load, outbox: events.outbox, settings: settings, telemetry: telemetry)

    let repository = PostgresIdentityRepository(database: database, wakeRelay: { events.outbox.wake($0) })
    let rules = try IdentityRules(
        repository: repository, hasher: hasher(configuration, settings: settings), sessions: RemoteSessions(session),
        tokens: security.issuer(settings: settings), security: security, warmup: warmup, telemetry: telemetry)

    let router = try Router.service(telemetry, settings: settings)
    router.addMiddleware {
        WarmupMiddleware(
            warmup.controller, verify: security.verifyToken, refreshTokens: RefreshTokenCodec(ring: security.ring))
    }
    rules.addRoutes(to: router, security: security, events: events)

    let keys = try security.watchers(signing: [.access], settings: settings, logger: telemetry.logger)
    return ServiceApplication(
        name: "identity", settings: settings, telemetry: telemetry, router: router,
        services: [database, redis] + events.services + [feed, warmup.controller] + keys,
        health: health(security, database: database, redis: redis, events: events, session: session),
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/identity", logger: telemetry.logger)
            : nil,
        beforeListening: {
            _ = await feed.waitUntilSeeded(atMost: .seconds(2))
            await warmup.controller.waitUntilKnown(atMost: .seconds(2))
        })
}

private func hasher(_ configuration: IdentityConfiguration, settings: ServiceSettings) throws -> PasswordHasher {
    let secret = try settings.value(.passwordPepper).reveal()
    let previous = try settings.valueIfPresent(.previousPasswordPepper)?.reveal()
    return try PasswordHasher(
        parameters: configuration.hashing,
        peppers: PepperRing(current: Array(secret.utf8), previous: previous.map { Array($0.utf8) }),
        threads: configuration.hashingThreads, queueLimit: configuration.hashingQueueLimit)
}

/// Without its database identity can do nothing; without the others it does all that the degraded-mode contract says.
private func health(
    _ security: ServiceSecurity, database: PostgresClient, redis: RedisClient, events: EventProducer,
    session: ServiceClient
) -> HealthRegistry {
    let health = HealthRegistry()
    health.register("signing keys") { _ in try security.ring.selfTest(uses: [.access]) }
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    health.register("redis", .degrading) { try await redis.ping(deadline: $0) }
    health.register("session", .degrading) { _ in try Unavailable.unless(session.isAvailable, "session") }
    return health
}

/// The rules of the service over one store.
struct IdentityRules {
    let repository: any IdentityRepository
    let registration: Registration
    let signIn: SignIn
    let refreshFallback: RefreshFallback
    let passwordChange: PasswordChange
    let settings: AccountSettings
    let bootstrap: Bootstrap
    let warmup: ServiceWarmup

    init(
        repository: any IdentityRepository, hasher: any PasswordHashing, sessions: RemoteSessions,
        tokens: any AccessTokenMinting, security: ServiceSecurity, warmup: ServiceWarmup,
        telemetry: Telemetry
    ) {
        self.repository = repository
        self.warmup = warmup
        registration = Registration(repository: repository, hasher: hasher)
        signIn = SignIn(
            repository: repository, hasher: hasher, sessions: sessions, tokens: tokens, logger: telemetry.logger)
        refreshFallback = RefreshFallback(
            sessions: sessions, codec: RefreshTokenCodec(ring: security.ring),
            degraded: DegradedRefresh(tokens: tokens, revocations: security.revocations), repository: repository,
            logger: telemetry.logger)
        passwordChange = PasswordChange(
            repository: repository, hasher: hasher, sessions: sessions, tokens: tokens, logger: telemetry.logger)
        settings = AccountSettings(
            repository: repository, accounts: CachedAccounts(repository, cache: warmup.caching("account")))
        bootstrap = Bootstrap(repository: repository, hasher: hasher)
    }

    func addRoutes(to router: Router<BaseRequestContext>, security: ServiceSecurity, events: EventProducer) {
        let api = router.group("api/v1")
        PublicController(registration: registration, signIn: signIn, repository: repository).addRoutes(to: api)
        RefreshController(fallback: refreshFallback).addRoutes(to: api)
        MeController(settings: settings, passwordChange: passwordChange).addRoutes(
            to: api.authenticated(verify: security.verifyToken),
            evenWithPasswordChangeDue: api.authenticated(allowsPasswordChangeDue: true, verify: security.verifyToken))
        AdminController(settings: settings, repository: repository).addRoutes(
            to: api.authenticated("admin", verify: security.verifyToken))
        let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
        InternalController(bootstrap: bootstrap).addRoutes(to: internalOnly)
        events.controller.addRoutes(to: internalOnly)
        warmup.routes.addRoutes(to: internalOnly)
    }
}
