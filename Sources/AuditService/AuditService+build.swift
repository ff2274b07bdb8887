import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import Logging
package import MicroMiddleware
import Postgres
import RabbitMQ
import Redis
import ServiceLifecycle

/// Composes the audit service: it takes every event into the trail, heals its gaps, and answers questions about it.
///
/// - Throws: ``ConfigurationError`` where a setting is missing or malformed, or what a driver says of a URL.
package func buildAuditService(settings: ServiceSettings) async throws -> ServiceApplication {
    let telemetry = try Telemetry(settings: settings)
    return try buildAuditService(settings: settings, telemetry: telemetry)
}

/// As above, with the telemetry handed in.
package func buildAuditService(
    settings: ServiceSettings, telemetry: Telemetry, onListening: @escaping @Sendable (Int) -> Void = { _ in }
) throws -> ServiceApplication {
    let parts = try AuditParts(settings: settings, telemetry: telemetry)
    let router = try Router.service(telemetry, settings: settings)
    let api = router.group("api/v1")
    let controller = AuditController(reader: AuditReader(parts.database))
    controller.addAdminRoutes(
        to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.auditRead))
    if let checkpoints = parts.checkpoints {
        let proofs = CheckpointController(
            store: checkpoints.store, reader: AuditReader(parts.database), keySet: checkpoints.keySet)
        proofs.addAdminRoutes(
            to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
                .requiring(.auditRead))
        proofs.addPublicRoutes(to: api)
    }
    DeadLetterController(desk: parts.deadLetters).addRoutes(
        to: api.authenticated("admin/dead-letters") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.deadLettersManage))
    LiveStream(exporter: AuditExporter(parts.database)).addAdminRoutes(
        to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.auditRead))
    let exports = ExportController(
        exporter: AuditExporter(parts.database), database: parts.database, outbox: parts.events.outbox,
        logger: telemetry.logger)
    exports.addAdminRoutes(
        to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.auditExport))
    controller.addUserRoutes(
        to: api.authenticated("admin") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.usersRead))
    let retention = RetentionController(retention: parts.retention, outbox: parts.events.outbox)
    retention.addReadRoute(
        to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.auditRead))
    retention.addWriteRoute(
        to: api.authenticated("admin/audit") { [verifier = parts.verifier] in try verifier.verify($0) }
            .requiring(.auditRetention))
    controller.addOwnRoutes(
        to: api.authenticated("auth") { [verifier = parts.verifier] in try verifier.verify($0) })
    PersonalDataController(.audit, database: parts.database).addRoutes(
        to: api.internalOnly("internal") { [credential = parts.credential] in try credential.verify($0) })
    parts.events.controller.addRoutes(
        to: api.internalOnly("internal") { [credential = parts.credential] in try credential.verify($0) })
    return ServiceApplication(
        name: "audit", settings: settings, telemetry: telemetry, router: router, services: parts.services,
        health: parts.health(),
        migration: try .audit(
            settings: settings, service: parts.database.configuration, logger: telemetry.logger),
        onListening: onListening)
}

/// What the audit service consists of.
private struct AuditParts {
    /// What several services publish in this time is stored in one transaction: each costs as much as many records. A batch that
    /// is full does not wait.
    private static let batchWindow = Duration.milliseconds(40)

    let database: PostgresClient
    let credential: ServiceCredential
    let verifier: TokenVerifier
    let events: EventProducer
    private let redis: RedisClient?
    private let feed: RevocationFeed
    private let consumer: EventConsumer
    private let reconcilers: [StreamReconciler]
    let retention: AuditRetention
    private let keeper: PartitionKeeper
    let checkpoints: CheckpointParts?
    let deadLetters: DeadLetterDesk
    private let deadLetterGauge: DeadLetterGauge
    private let keys: [any Service]

    var services: [any Service] {
        let redisService: [any Service] = redis.map { [$0] } ?? []
        // The checkpointer before what stores records: services stop in the opposite order.
        let signing: [any Service] = checkpoints.map { [$0.watcher, $0.checkpointer] } ?? []
        return [database] + redisService + events.services + signing + [feed, keeper, consumer] + reconcilers
            + [deadLetterGauge] + keys
    }

    init(settings: ServiceSettings, telemetry: Telemetry) throws {
        let logger = telemetry.logger
        var configuration = try PostgresConfiguration(url: try settings.value(.databaseURL))
        configuration.poolSize = try settings.value(.databasePoolSize)
        configuration.applicationName = "authms-audit"
        let database = PostgresClient(configuration: configuration, logger: logger)
        let security = try ServiceSecurity.verifying(settings: settings)
        let credential = security.credential
        var broker = try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL))
        broker.connectionName = "audit"
        let redis = try settings.valueIfPresent(.redisURL).map {
            RedisClient(configuration: try RedisConfiguration(url: $0), logger: logger)
        }
        let store = AuditStore(database)
        let events = try EventProducer(source: .audit, database: database, settings: settings, telemetry: telemetry)

        self.database = database
        self.credential = credential
        self.redis = redis
        self.events = events
        verifier = security.verifier
        keys = try security.watchers(settings: settings, logger: logger)
        feed = RevocationFeed(
            set: security.revocations, broker: broker, redis: redis,
            session: ServiceClient(target: "session", baseURL: try settings.value(.sessionURL)) {
                try credential.issue(for: "session")
            }, logger: logger)
        let own = try AuditConfiguration(settings: settings)
        retention = AuditRetention(database, configuredMonths: own.retentionMonths)
        checkpoints = try CheckpointParts(
            own, database: database, outbox: events.outbox, telemetry: telemetry)
        deadLetters = DeadLetterDesk(broker: broker, logger: logger) { event in
            try await database.query(Outbox.insertSQL(event), deadline: .after(.seconds(5)))
            events.outbox.wake()
        }
        deadLetterGauge = DeadLetterGauge(desk: deadLetters, metrics: telemetry.metrics)
        keeper = PartitionKeeper(
            partitions: AuditPartitions(database), retention: retention, wakeRelay: { events.outbox.wake() },
            logger: logger)
        consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: broker, limits: try ConsumerLimits(settings: settings),
            batchWindow: Self.batchWindow, retries: try settings.value(.retryDelays), metrics: telemetry.metrics,
            logger: logger
        ) { batch in
            _ = try await store.store(batch, deadline: .after(.seconds(10)))
        }
        reconcilers = try Self.origins(settings, database, credential).map { origin in
            StreamReconciler(
                origin: origin, store: store, metrics: telemetry.metrics, logger: logger
            ) { healing in
                await events.record(healing, in: database, logger: logger)
            }
        }
    }

    /// Every source of the suite: this service's own stream is in its own database.
    private static func origins(
        _ settings: ServiceSettings, _ database: PostgresClient, _ credential: ServiceCredential
    ) throws -> [any StreamOrigin] {
        let urls: [(EventSource, ConfigurationKey<String>)] = [
            (.identity, .identityURL), (.session, .sessionURL), (.profile, .profileURL), (.mfa, .mfaURL),
        ]
        return [LocalStreamOrigin(source: .audit, database: database)]
            + (try urls.map { source, key in
                RemoteStreamOrigin(
                    source: source,
                    client: ServiceClient(target: source.rawValue, baseURL: try settings.value(key)) {
                        try credential.issue(for: source.rawValue)
                    })
            })
    }

    func health() -> HealthRegistry {
        let health = HealthRegistry()
        health.register("database") { [database] in try await database.ping(deadline: $0) }
        health.register("broker", .degrading) { [publisher = events.publisher, consumer] _ in
            guard publisher.isAvailable, consumer.isAvailable else { throw AuditDegraded.brokerAway }
        }
        health.register("revocations", .degrading) { [feed] _ in
            guard feed.isSeeded else { throw AuditDegraded.revocationsUnknown }
        }
        return health
    }
}

/// Why the service works, but not as well as it should.
private enum AuditDegraded: Error, CustomStringConvertible {
    case brokerAway, revocationsUnknown

    var description: String {
        switch self {
        case .brokerAway: "the broker is away; events are fetched from their sources"
        case .revocationsUnknown: "what was revoked before the start is not known yet"
        }
    }
}

extension EventProducer {
    /// Records in audit's own stream that a gap was closed.
    fileprivate func record(
        _ healing: StreamReconciler.Healing, in database: PostgresClient, logger: Logger
    ) async {
        // Audit's own stream would otherwise heal itself of the event that says so, and so on.
        guard healing.source != .audit else { return }
        do {
            let event = try DomainEvent(
                type: .auditGapHealed, subject: healing.source.uri, tenantID: DefaultTenant.id,
                data: EventDetail(
                    actorType: "service", status: .success,
                    message: "events that had not arrived were fetched from their source",
                    details: [
                        "after": "\(healing.after)", "up_to": "\(healing.upTo)", "events": "\(healing.events)",
                    ]))
            try await database.query(Outbox.insertSQL(event), deadline: .after(.seconds(5)))
            outbox.wake()
        } catch {
            logger.warning("a healed gap could not be recorded", metadata: ["error": "\(error)"])
        }
    }
}
