import Contracts
import Foundation
import Hummingbird
package import MicroMiddleware
import Postgres
import RabbitMQ
import Redis
import ServiceLifecycle

/// Composes the session service: refresh tokens, devices, revocation. It asks no other service for anything.
package func buildSessionService(
    settings: ServiceSettings, telemetry: Telemetry? = nil
) async throws -> ServiceApplication {
    let telemetry = try telemetry ?? Telemetry(settings: settings)
    let security = try ServiceSecurity.signing(settings: settings)

    var databaseConfiguration = try PostgresConfiguration(url: settings.value(.databaseURL))
    databaseConfiguration.poolSize = try settings.value(.databasePoolSize)
    databaseConfiguration.applicationName = "session"
    let load = DatabaseLoad(metrics: telemetry.metrics)
    let database = PostgresClient(
        configuration: databaseConfiguration, logger: telemetry.logger, onStatement: load.record)
    let events = try EventProducer(
        source: .session, database: database, settings: settings, telemetry: telemetry)
    let redis = RedisClient(
        configuration: try RedisConfiguration(url: settings.value(.redisURL)), logger: telemetry.logger)
    let broker = try RabbitMQConfiguration(url: settings.value(.rabbitMQURL))
    let feed = RevocationFeed(
        set: security.revocations, broker: broker, redis: redis, session: nil, logger: telemetry.logger)

    let repository = PostgresSessionRepository(database: database, wakeRelay: { events.outbox.wake($0) })
    let recent = RecentSessions()
    let announcer = RevocationAnnouncer(
        set: security.revocations, recent: recent, redis: redis, logger: telemetry.logger)
    let warmup = try ServiceWarmup(
        database: database, redis: redis, load: load, outbox: events.outbox, settings: settings, telemetry: telemetry,
        onCacheLost: { await announcer.restore(from: repository) })
    let stall = StallDetector()
    let rules = SessionRules(
        repository: repository, lifetime: try SessionConfiguration(settings: settings).lifetime, security: security,
        tokens: try security.issuer(settings: settings), announcer: announcer, recent: recent, warmup: warmup,
        stall: stall, telemetry: telemetry)
    let consumer = EventConsumer(
        queue: EventTopology.sessionQueue, configuration: broker, limits: try ConsumerLimits(settings: settings),
        retries: try settings.value(.retryDelays), metrics: telemetry.metrics, logger: telemetry.logger
    ) { try await rules.identityEvents.apply($0) }

    let router = try Router.service(telemetry, settings: settings)
    router.addMiddleware {
        WarmupMiddleware(
            warmup.controller, verify: security.verifyToken, refreshTokens: RefreshTokenCodec(ring: security.ring))
    }
    rules.addRoutes(to: router, security: security, events: events)
    PersonalDataController(.session, database: database).addRoutes(
        to: router.group("api/v1").internalOnly("internal", verify: security.verifyCaller))
    let eraser = PersonalDataEraser(
        .session, database: database, outbox: events.outbox, broker: broker,
        retries: try settings.value(.retryDelays), telemetry: telemetry)

    let seeding = RevocationSeeding(repository: repository, revocations: security.revocations)
    let housekeeping = Housekeeping(Sweep.session, database: database, telemetry: telemetry)
    let keys = try security.watchers(signing: [.access, .refresh], settings: settings, logger: telemetry.logger)
    return ServiceApplication(
        name: "session", settings: settings, telemetry: telemetry, router: router,
        services: [database, redis, announcer, stall] + events.services
            + [feed, consumer, eraser, seeding, housekeeping, warmup.controller] + keys,
        health: health(security, database: database, redis: redis, events: events),
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/session", importance: .degrading,
                logger: telemetry.logger)
            : nil,
        beforeListening: {
            await seeding.waitUntilSeeded(atMost: .seconds(2))
            await warmup.controller.waitUntilKnown(atMost: .seconds(2))
            rules.refresh.isToldFrom.listens(from: Date())
        })
}

/// Without its database the service still refreshes, with tokens of five minutes: so that does not take it out of
/// traffic. Without keys it can do nothing.
private func health(
    _ security: ServiceSecurity, database: PostgresClient, redis: RedisClient, events: EventProducer
) -> HealthRegistry {
    let health = HealthRegistry()
    health.register("signing keys") { _ in try security.ring.selfTest(uses: [.access, .refresh]) }
    health.register("database", .degrading) { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    health.register("redis", .degrading) { try await redis.ping(deadline: $0) }
    return health
}

/// The rules of the service over one store.
struct SessionRules {
    let repository: any SessionRepository
    let sessions: CachedSessions
    let warmup: ServiceWarmup
    let opening: Opening
    let refresh: Refresh
    let signOut: SignOut
    let identityEvents: IdentityEvents
    let deviceTrust: DeviceTrust
    let inspection: TokenInspection

    init(
        repository: any SessionRepository & TrustedDeviceRepository, lifetime: SessionLifetime,
        security: ServiceSecurity, tokens: any AccessTokenMinting, announcer: RevocationAnnouncer,
        recent: RecentSessions, warmup: ServiceWarmup, stall: StallDetector, telemetry: Telemetry
    ) {
        self.repository = repository
        self.warmup = warmup
        let codec = RefreshTokenCodec(ring: security.ring)
        let sessions = CachedSessions(
            repository, revocations: security.revocations,
            cache: warmup.caching("sessions", lifetime: CachedSessions.lifetime))
        self.sessions = sessions
        opening = Opening(
            repository: repository, codec: codec, lifetime: lifetime, recent: recent, announcer: announcer,
            onOpened: { await sessions.opened($0) })
        let isToldFrom = ToldMoment()
        isToldFrom.listens(from: Date())
        refresh = Refresh(
            repository: repository, codec: codec, tokens: tokens, lifetime: lifetime, recent: recent,
            announcer: announcer, stall: stall, isToldFrom: isToldFrom)
        signOut = SignOut(repository: repository, codec: codec, lifetime: lifetime, announcer: announcer)
        deviceTrust = DeviceTrust(repository: repository)
        inspection = TokenInspection(
            repository: repository, codec: codec, verify: security.verifyToken, lifetime: lifetime)
        identityEvents = IdentityEvents(
            opening: opening, signOut: signOut, deviceTrust: deviceTrust, repository: repository,
            logger: telemetry.logger)
    }

    func addRoutes(to router: Router<BaseRequestContext>, security: ServiceSecurity, events: EventProducer) {
        let api = router.group("api/v1")
        RefreshController(refresh: refresh, signOut: signOut, verify: security.verifyToken).addRoutes(to: api)
        let mine = api.authenticated(verify: security.verifyToken)
        MySessionsController(repository: repository, sessions: sessions, signOut: signOut).addRoutes(to: mine)
        TrustedDeviceController(trust: deviceTrust).addRoutes(to: mine)
        let admin = api.authenticated("admin", verify: security.verifyToken)
        AdminSessionController(repository: repository, signOut: signOut).addRoutes(to: admin)
        let tokens = TokenController(inspection: inspection, signOut: signOut, repository: repository)
        tokens.addAdminRoutes(to: admin)
        tokens.addPublicRoutes(to: api)
        let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
        InternalController(
            opening: opening, signOut: signOut, deviceTrust: deviceTrust, repository: repository,
            identityEvents: identityEvents
        ).addRoutes(to: internalOnly)
        events.controller.addRoutes(to: internalOnly)
        warmup.routes.addRoutes(to: internalOnly)
    }
}
