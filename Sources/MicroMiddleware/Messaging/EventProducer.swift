package import Contracts
internal import Hummingbird
internal import Logging
package import Postgres
package import RabbitMQ
package import ServiceLifecycle

/// Everything that makes a service a source of events, composed: the outbox to write to, what runs beside the server,
/// and the paths that audit asks.
///
/// ```swift
/// let events = try EventProducer(source: .identity, database: database, settings: settings, telemetry: telemetry)
/// events.controller.addRoutes(to: router.internalOnly("api/v1/internal", verify: …))
/// ServiceApplication(…, services: [database] + events.services, …)
/// ```
package struct EventProducer: Sendable {
    package let outbox: Outbox
    package let controller: InternalEventsController
    /// To run after the database, in this order.
    package let services: [any Service]
    /// The publisher, for readiness; a broker that is away degrades and never stops a service.
    package let publisher: RabbitMQPublisher

    /// - Throws: ``ConfigurationError`` or `RabbitMQError` when the broker's URL is missing or malformed.
    package init(
        source: EventSource, database: PostgresClient, settings: ServiceSettings, telemetry: Telemetry,
        relay: RelayConfiguration = RelayConfiguration()
    ) throws {
        var broker = try RabbitMQConfiguration(url: try settings.value(.rabbitMQURL))
        broker.connectionName = "\(source.rawValue)-relay"
        let outbox = Outbox()
        let publisher = RabbitMQPublisher(configuration: broker, topology: .events, logger: telemetry.logger)
        self.outbox = outbox
        self.publisher = publisher
        controller = InternalEventsController(source: source, database: database)
        services = [
            publisher,
            OutboxRelay(
                source: source, outbox: outbox, database: database.configuration,
                publisher: BrokerEventPublisher(publisher), configuration: relay, metrics: telemetry.metrics,
                logger: telemetry.logger),
        ]
    }
}
