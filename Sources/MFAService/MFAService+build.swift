import Contracts
import Hummingbird
package import MicroMiddleware
import Postgres
import RabbitMQ
import Redis
import ServiceLifecycle

/// Composes the mfa service: one-time passwords, recovery codes and passkeys.
package func buildMFAService(
    settings: ServiceSettings, telemetry: Telemetry? = nil
) async throws -> ServiceApplication {
    let telemetry = try telemetry ?? Telemetry(settings: settings)
    let configuration = try MFAConfiguration(settings: settings)
    let security = try ServiceSecurity.verifying(settings: settings)

    var databaseConfiguration = try PostgresConfiguration(url: settings.value(.databaseURL))
    databaseConfiguration.poolSize = try settings.value(.databasePoolSize)
    databaseConfiguration.applicationName = "mfa"
    let database = PostgresClient(configuration: databaseConfiguration, logger: telemetry.logger)
    let events = try EventProducer(
        source: .mfa, database: database, settings: settings, telemetry: telemetry)
    let redis = RedisClient(
        configuration: try RedisConfiguration(url: settings.value(.redisURL)), logger: telemetry.logger)
    let feed = RevocationFeed(
        set: security.revocations, broker: try RabbitMQConfiguration(url: settings.value(.rabbitMQURL)), redis: redis,
        session: try security.client(of: "session", at: .sessionURL, settings: settings), logger: telemetry.logger)
    let identity = try security.client(of: "identity", at: .identityURL, settings: settings)

    let rules = MFARules(
        repository: PostgresMFARepository(database: database, outbox: events.outbox),
        identity: RemoteIdentity(identity), configuration: configuration, telemetry: telemetry)
    let router = try Router.service(telemetry, settings: settings)
    rules.addRoutes(to: router, security: security, events: events, database: database)
    let eraser = PersonalDataEraser(
        .mfa, database: database, outbox: events.outbox,
        broker: try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL)),
        retries: try settings.value(.retryDelays), telemetry: telemetry)

    let housekeeping = Housekeeping(Sweep.mfa, database: database, telemetry: telemetry)

    let health = HealthRegistry()
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("encryption keys", .degrading) { try await rules.resealing.requireKeys(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    health.register("redis", .degrading) { try await redis.ping(deadline: $0) }
    health.register("identity", .degrading) { _ in try Unavailable.unless(identity.isAvailable, "identity") }
    let keys = try security.watchers(settings: settings, logger: telemetry.logger)
    return ServiceApplication(
        name: "mfa", settings: settings, telemetry: telemetry, router: router,
        services: [database, redis] + events.services + [feed, eraser, housekeeping] + rules.services + keys,
        health: health,
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/mfa", logger: telemetry.logger)
            : nil,
        beforeListening: { _ = await feed.waitUntilSeeded(atMost: .seconds(2)) })
}

/// The rules of the service over one store.
struct MFARules {
    let repository: any MFARepository & PasskeyRepository
    let news: FactorNews
    let totp: TOTPSetup
    let recovery: RecoveryCodes
    let passkeys: PasskeyProof
    let registrar: PasskeyRegistrar
    let desk: ChallengeDesk
    let resealing: Resealing
    let reset: FactorReset

    init(
        repository: any MFARepository & PasskeyRepository, identity: any IdentityPort, configuration: MFAConfiguration,
        telemetry: Telemetry
    ) {
        self.repository = repository
        let cipher = FactorCipher(
            secret: configuration.encryptionKey, previous: configuration.previousEncryptionKey)
        news = FactorNews(repository: repository, identity: identity, logger: telemetry.logger)
        totp = TOTPSetup(
            repository: repository, identity: identity, news: news, cipher: cipher, issuer: configuration.issuer)
        recovery = RecoveryCodes(repository: repository)
        reset = FactorReset(repository: repository, identity: identity, news: news)
        passkeys = PasskeyProof(repository: repository, party: configuration.relyingParty)
        registrar = PasskeyRegistrar(
            repository: repository, identity: identity, news: news, party: configuration.relyingParty,
            partyName: configuration.issuer)
        desk = ChallengeDesk(repository: repository, cipher: cipher, passkeys: passkeys)
        resealing = Resealing(repository: repository, cipher: cipher, logger: telemetry.logger)
    }

    var services: [any Service] { [news, resealing] }

    func addRoutes(
        to router: Router<BaseRequestContext>, security: ServiceSecurity, events: EventProducer,
        database: PostgresClient
    ) {
        let api = router.group("api/v1")
        let mine = api.authenticated(scope: .mfaSetup, verify: security.verifyToken)
        MyFactorsController(repository: repository, totp: totp, recovery: recovery).addRoutes(to: mine)
        PasskeyController(repository: repository, registrar: registrar).addRoutes(to: mine)
        AdminController(repository: repository, factors: reset).addRoutes(
            to: api.authenticated("admin", verify: security.verifyToken))
        let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
        ChallengeController(desk: desk, passkeys: passkeys).addRoutes(to: internalOnly)
        PersonalDataController(.mfa, database: database).addRoutes(to: internalOnly)
        events.controller.addRoutes(to: internalOnly)
    }
}
