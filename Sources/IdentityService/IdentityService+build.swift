import Contracts
import Foundation
import Hummingbird
import Mail
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
    let mfa = try security.client(of: "mfa", at: .mfaURL, settings: settings)
    let feed = RevocationFeed(
        set: security.revocations, broker: try RabbitMQConfiguration(url: settings.value(.rabbitMQURL)), redis: redis,
        session: session, logger: telemetry.logger)

    let warmup = try ServiceWarmup(
        database: database, redis: redis, load: load, outbox: events.outbox, settings: settings, telemetry: telemetry)

    let repository = PostgresIdentityRepository(database: database, wakeRelay: { events.outbox.wake($0) })
    let codes = PostgresCodeRepository(database: database, wakeRelay: { events.outbox.wake($0) })
    let deletions = PostgresDeletionRepository(database: database, wakeRelay: { events.outbox.wake($0) })
    let oneTime = OneTimeCodes(pepper: try settings.value(.passwordPepper))
    let invitationCodes = InvitationCodes(pepper: try settings.value(.passwordPepper))
    let guessing = try ThrottleSettings(settings: settings)
    let addresses = CountedAddresses(trusted: guessing.trusted)
    let throttle = try makeThrottle(guessing, redis: redis, settings: settings, telemetry: telemetry)
    let hasher = try hasher(configuration, settings: settings)
    let screening = PasswordScreen(
        common: try CommonPasswords(file: try settings.value(.commonPasswords)),
        context: ContextWords(try settings.value(.contextWords)),
        rangeURL: try settings.valueIfPresent(.breachRangeURL), metrics: telemetry.metrics, logger: telemetry.logger)
    let invitations = PostgresInvitationRepository(database: database)
    // A client of its own, whose breaker logins know nothing of.
    let notices = SessionNotices(
        RemoteSessions(try security.client(of: "session", at: .sessionURL, settings: settings)),
        logger: telemetry.logger)
    let unanswered = UnansweredRefreshes(
        store: repository, sessions: RemoteSessions(session), metrics: telemetry.metrics, logger: telemetry.logger)
    let rules = try IdentityRules(
        repository: repository, invitations: invitations, codes: codes, deletions: deletions, oneTime: oneTime,
        hasher: hasher, screening: screening, sessions: RemoteSessions(session), factors: RemoteSecondFactors(mfa),
        tokens: security.issuer(settings: settings), throttle: throttle, security: security, warmup: warmup,
        unanswered: unanswered, notices: notices,
        oneTimePassword: OneTimePassword(lifetime: try settings.value(.oneTimePasswordLifetime)), telemetry: telemetry)
    let personal = try personalDataConsumer(
        deletions, session: session, security: security, settings: settings, telemetry: telemetry)
    let consumer = try notificationsConsumer(
        repository: repository, codes: codes, deletions: deletions, invitations: invitations, oneTime: oneTime,
        invitationCodes: invitationCodes, addresses: addresses, settings: settings, telemetry: telemetry)

    let router = try Router.service(telemetry, settings: settings)
    router.addMiddleware {
        WarmupMiddleware(
            warmup.controller, verify: security.verifyToken, refreshTokens: RefreshTokenCodec(ring: security.ring))
    }
    let budget = CallBudget(
        addresses: addresses, perMinute: guessing.callsPerMinute, burst: guessing.callsAtOnce)
    rules.addRoutes(to: router, budget: budget, security: security, events: events)
    TenancyRules(
        database: database, wakeRelay: { events.outbox.wake($0) }, repository: repository,
        accounts: rules.settings.accounts, hasher: rules.hasher, choice: rules.choice, oneTime: rules.oneTimePassword,
        invitationCodes: invitationCodes, sessions: RemoteSessions(session), notices: notices,
        tokens: try security.issuer(settings: settings), logger: telemetry.logger
    ).addRoutes(to: router.group("api/v1"), security: security)

    let housekeeping = Housekeeping(Sweep.identity, database: database, telemetry: telemetry)
    let keys = try security.watchers(signing: [.access], settings: settings, logger: telemetry.logger)
    return ServiceApplication(
        name: "identity", settings: settings, telemetry: telemetry, router: router,
        services: [database, redis] + events.services
            + [feed, warmup.controller, throttle, consumer, personal, unanswered, housekeeping] + keys,
        health: health(security, database: database, redis: redis, events: events, session: session, mfa: mfa),
        migration: try settings.value(.databaseMigrate)
            ? DatabaseMigration(
                database, directory: try settings.value(.migrationsDirectory) + "/identity", logger: telemetry.logger)
            : nil,
        beforeListening: {
            _ = await feed.waitUntilSeeded(atMost: .seconds(2))
            await warmup.controller.waitUntilKnown(atMost: .seconds(2))
        })
}

private func makeThrottle(
    _ configuration: ThrottleSettings, redis: RedisClient, settings: ServiceSettings, telemetry: Telemetry
) throws -> Throttle {
    let pepper = try settings.value(.passwordPepper)
    return Throttle(
        keys: ThrottleKeys(pepper: pepper, trusted: configuration.trusted), limits: configuration.limits, redis: redis,
        proofs: ProofOfWork(pepper: pepper, difficulty: configuration.difficulty), metrics: telemetry.metrics,
        logger: telemetry.logger)
}

private func personalDataConsumer(
    _ deletions: any DeletionRepository, session: ServiceClient, security: ServiceSecurity, settings: ServiceSettings,
    telemetry: Telemetry
) throws -> EventConsumer {
    let events = PersonalDataEvents(
        repository: deletions,
        services: [
            "session": session,
            "profile": try security.client(of: "profile", at: .profileURL, settings: settings),
            "mfa": try security.client(of: "mfa", at: .mfaURL, settings: settings),
            "audit": try security.client(of: "audit", at: .auditURL, settings: settings),
        ])
    return EventConsumer(
        queue: EventTopology.identityQueue,
        configuration: try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL)),
        limits: ConsumerLimits(prefetch: 100, batchSize: 20),
        retries: try settings.value(.retryDelays), metrics: telemetry.metrics, logger: telemetry.logger
    ) { try await events.handle($0) }
}

private func notificationsConsumer(
    repository: any IdentityRepository, codes: PostgresCodeRepository, deletions: any DeletionRepository,
    invitations: any InvitationRepository, oneTime: OneTimeCodes, invitationCodes: InvitationCodes,
    addresses: CountedAddresses, settings: ServiceSettings, telemetry: Telemetry
) throws -> EventConsumer {
    let mail = try MailSettings(settings: settings, logger: telemetry.logger)
    let notifications = Notifications(
        repository: repository, codes: codes, deletions: deletions, invitations: invitations, oneTime: oneTime,
        invitationCodes: invitationCodes, templates: mail.templates, transport: mail.transport, addresses: addresses,
        metrics: telemetry.metrics, logger: telemetry.logger)
    return EventConsumer(
        queue: EventTopology.notificationsQueue,
        configuration: try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL)),
        limits: ConsumerLimits(prefetch: 100, batchSize: 20),
        retries: try settings.value(.retryDelays), metrics: telemetry.metrics, logger: telemetry.logger,
        judging: { ($0 as? MailError).map(Notifications.failure) ?? .passing }
    ) { try await notifications.handle($0) }
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
    session: ServiceClient, mfa: ServiceClient
) -> HealthRegistry {
    let health = HealthRegistry()
    health.register("signing keys") { _ in try security.ring.selfTest(uses: [.access]) }
    health.register("database") { try await database.ping(deadline: $0) }
    health.register("rabbitmq", .degrading) { _ in try Unavailable.unless(events.publisher.isAvailable, "RabbitMQ") }
    health.register("redis", .degrading) { try await redis.ping(deadline: $0) }
    health.register("session", .degrading) { _ in try Unavailable.unless(session.isAvailable, "session") }
    health.register("mfa", .degrading) { _ in try Unavailable.unless(mfa.isAvailable, "mfa") }
    return health
}

/// The rules of the service over one store.
struct IdentityRules {
    let repository: any IdentityRepository & SecondFactorRepository & RememberedDeviceRepository
    let throttle: Throttle
    let hasher: any PasswordHashing
    let choice: PasswordChoice
    let registration: Registration
    let signIn: SignIn
    let challenge: ChallengeCompletion
    let stepUp: StepUp
    let passkeyLogin: PasskeyLogin
    let refreshFallback: RefreshFallback
    let passwordChange: PasswordChange
    let settings: AccountSettings
    let bootstrap: Bootstrap
    let oneTimePassword: OneTimePassword
    let passwordReset: PasswordReset
    let emailVerification: EmailVerification
    let strength: PasswordStrength
    let reauthentication: Reauthentication
    let emailChange: EmailChange
    let deletion: AccountDeletion
    let warmup: ServiceWarmup

    init(
        repository: any IdentityRepository & SecondFactorRepository & RememberedDeviceRepository,
        invitations: any InvitationRepository, codes: PostgresCodeRepository, deletions: any DeletionRepository,
        oneTime: OneTimeCodes, hasher: any PasswordHashing, screening: any PasswordScreening, sessions: RemoteSessions,
        factors: any SecondFactorService, tokens: any AccessTokenMinting, throttle: Throttle,
        security: ServiceSecurity, warmup: ServiceWarmup, unanswered: UnansweredRefreshes, notices: SessionNotices,
        oneTimePassword: OneTimePassword, telemetry: Telemetry
    ) {
        self.repository = repository
        self.throttle = throttle
        self.warmup = warmup
        self.hasher = hasher
        let choice = PasswordChoice(screening: screening, hasher: hasher) { user, tenant, limit, deadline in
            try await codes.passwordHistory(of: user, tenantID: tenant, limit: limit, deadline: deadline)
        }
        let accounts = CachedAccounts(repository, cache: warmup.caching("account"))
        reauthentication = Reauthentication(
            repository: repository, hasher: hasher, throttle: throttle, tokens: tokens)
        deletion = AccountDeletion(repository: deletions, accounts: accounts, notices: notices)
        emailChange = EmailChange(changes: codes, oneTime: oneTime, accounts: accounts)
        strength = PasswordStrength(repository: repository, screening: screening)
        passwordReset = PasswordReset(
            repository: repository, codes: codes, oneTime: oneTime, hasher: hasher, choice: choice,
            accounts: accounts, throttle: throttle, notices: notices)
        emailVerification = EmailVerification(
            codes: codes, oneTime: oneTime, accounts: accounts, throttle: throttle)
        self.choice = choice
        registration = Registration(
            repository: repository, hasher: hasher, choice: choice, throttle: throttle,
            invitations: invitations)
        let tickets = ChallengeTickets(ring: security.ring)
        let devices = RememberedDevices(repository: repository, ring: security.ring)
        let gate = SecondFactorGate(
            repository: repository, factors: factors, tickets: tickets, tokens: tokens, devices: devices,
            logger: telemetry.logger)
        signIn = SignIn(
            repository: repository, hasher: hasher, sessions: sessions, tokens: tokens, gate: gate, throttle: throttle,
            logger: telemetry.logger)
        challenge = ChallengeCompletion(
            repository: repository, factors: factors, tickets: tickets, completion: signIn.completion,
            devices: devices)
        passkeyLogin = PasskeyLogin(
            repository: repository, factors: factors, tickets: tickets, completion: signIn.completion)
        stepUp = StepUp(repository: repository, gate: gate, tokens: tokens)
        refreshFallback = RefreshFallback(
            sessions: sessions, codec: RefreshTokenCodec(ring: security.ring),
            degraded: DegradedRefresh(tokens: tokens, revocations: security.revocations), repository: repository,
            unanswered: unanswered, logger: telemetry.logger)
        passwordChange = PasswordChange(
            repository: repository, hasher: hasher, tokens: tokens, choice: choice, throttle: throttle,
            notices: notices)
        settings = AccountSettings(repository: repository, accounts: accounts)
        bootstrap = Bootstrap(repository: repository, hasher: hasher)
        self.oneTimePassword = oneTimePassword
    }

    func addRoutes(
        to router: Router<BaseRequestContext>, budget: CallBudget, security: ServiceSecurity, events: EventProducer
    ) {
        let api = router.group("api/v1")
        let budgeted = router.group("api/v1").add(middleware: CallBudgetMiddleware(budget: budget))
        PublicController(registration: registration, signIn: signIn, throttle: throttle, repository: repository)
            .addRoutes(to: api, budgeted: budgeted)
        PasswordStrengthController(strength: strength).addRoutes(to: budgeted)
        CodeController(reset: passwordReset, verification: emailVerification).addRoutes(to: budgeted)
        ChallengeController(completion: challenge, stepUp: stepUp, passkeyLogin: passkeyLogin).addRoutes(
            to: api, budgeted: budgeted, authenticated: api.authenticated(verify: security.verifyToken))
        RememberedDevicesController(repository: repository).addRoutes(
            to: api.authenticated(verify: security.verifyToken))
        let secondFactors = SecondFactorsController(repository: repository)
        secondFactors.addAdminRoutes(to: api.authenticated("admin", verify: security.verifyToken))
        RefreshController(fallback: refreshFallback).addRoutes(to: api)
        MeController(settings: settings, passwordChange: passwordChange).addRoutes(
            to: api.authenticated(verify: security.verifyToken),
            evenWithPasswordChangeDue: api.authenticated(allowsPasswordChangeDue: true, verify: security.verifyToken))
        DeletionController(rules: deletion).addRoutes(
            to: api.authenticated(verify: security.verifyToken), public: api)
        AccountController(reauthentication: reauthentication, emailChange: emailChange).addRoutes(
            to: api.authenticated(verify: security.verifyToken))
        AccountUnlockController(unlock: AccountUnlock(repository: repository, throttle: throttle)).addRoutes(
            to: api.authenticated("admin", verify: security.verifyToken))
        let internalOnly = api.internalOnly("internal", verify: security.verifyCaller)
        InternalController(bootstrap: bootstrap).addRoutes(to: internalOnly)
        secondFactors.addRoutes(to: internalOnly)
        events.controller.addRoutes(to: internalOnly)
        warmup.routes.addRoutes(to: internalOnly)
    }
}
