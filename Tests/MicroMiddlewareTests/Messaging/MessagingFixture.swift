import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// A database with an outbox and a virtual host of a broker, both of the test's own.
struct MessagingFixture: Sendable {
    let database: PostgresClient
    let broker: RabbitMQConfiguration
    let outbox = Outbox()
    let metrics = MetricsRegistry()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static let migrations = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "migrations").path

    static func make() async throws -> MessagingFixture {
        let url = try await TestPostgres.shared().createDatabase()
        let broker = try RabbitMQConfiguration(url: try await TestRabbitMQ.shared().createVirtualHost())
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: url),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await PostgresMigrator(database).migrate(
            try MigrationSet(directory: "\(migrations)/audit"), deadline: .after(.seconds(30)))
        return MessagingFixture(database: database, broker: broker)
    }

    /// A relay with short waits.
    func relay(
        _ publisher: any EventPublisher, source: EventSource = .identity, batchSize: Int = 50,
        linger: Duration = .milliseconds(5), longLinger: Duration? = nil
    ) -> OutboxRelay {
        var configuration = RelayConfiguration()
        configuration.batchSize = batchSize
        configuration.idleInterval = .milliseconds(50)
        configuration.linger = linger
        configuration.longLinger = longLinger ?? linger
        return OutboxRelay(
            source: source, outbox: outbox, database: database.configuration, publisher: publisher,
            configuration: configuration, metrics: metrics, logger: logger)
    }

    func publisher() -> RabbitMQPublisher {
        RabbitMQPublisher(configuration: broker, topology: .events, logger: logger)
    }

    /// Commits one event for each number.
    func commit(_ numbers: Range<Int>) async throws {
        let events = try numbers.map { number in
            try DomainEvent(
                type: .userUpdated, subject: "user-\(number)", tenantID: DefaultTenant.id,
                data: EventDetail(message: "change \(number)"))
        }
        try await database.query(Outbox.insertSQL(events), deadline: .after(.seconds(10)))
        outbox.wake()
    }

    func head() async throws -> StreamHead {
        let head: StreamHead? = try await database.query(
            "SELECT position, hash, published_position, reconciled_position FROM stream_head",
            deadline: .after(.seconds(5))
        ).first()
        return try #require(head)
    }

    func stream() async throws -> [CloudEvent] {
        try EventStream(source: .identity).events(
            try await database.query(
                EventStream.eventsSQL(after: 0, limit: 10_000), deadline: .after(.seconds(5))))
    }

    /// Runs `body` while the services run; they are cancelled afterwards.
    func running<Value: Sendable>(
        _ services: [@Sendable () async throws -> Void], _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try? await service() } }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}

/// Checks that events are numbered without gaps and each is linked to the one before.
func expectChained(_ events: [CloudEvent], sourceLocation: SourceLocation = #_sourceLocation) {
    var previous = StreamLink.genesis
    for (index, event) in events.enumerated() {
        #expect(event.position == Int64(index + 1), sourceLocation: sourceLocation)
        #expect(event.previousHash == previous, sourceLocation: sourceLocation)
        #expect(StreamLink.isIntact(event), sourceLocation: sourceLocation)
        previous = event.hash
    }
}
