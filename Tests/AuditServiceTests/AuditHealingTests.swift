import AuditService
import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import Logging
import MicroMiddleware
import Postgres
import RabbitMQ
import TestSupport
import Testing

/// A source and the audit service, on a real database each and a real broker.
struct AuditHealingTests {
    @Test("Events that a purged queue lost are fetched from their source", .timeLimit(.minutes(3)))
    func purgedQueue() async throws {
        let (audit, source) = (try await AuditFixture.make(), try await AuditFixture.make())
        let broker = try RabbitMQConfiguration(url: try await TestRabbitMQ.shared().createVirtualHost())
        let metrics = MetricsRegistry()
        let outbox = Outbox()
        let publisher = RabbitMQPublisher(configuration: broker, topology: .events, logger: audit.logger)
        let relay = OutboxRelay(
            source: .identity, outbox: outbox, database: source.database.configuration,
            publisher: BrokerEventPublisher(publisher), metrics: metrics, logger: audit.logger)
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: broker, metrics: metrics, logger: audit.logger
        ) { try await audit.store($0) }
        let reconciler = StreamReconciler(
            origin: LocalStreamOrigin(source: .identity, database: source.database), store: audit.store,
            interval: .milliseconds(200), metrics: metrics, logger: audit.logger)
        let admin = RabbitMQAdmin(configuration: broker, logger: audit.logger)

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await publisher.run() }
            group.addTask { try? await relay.run() }
            defer { group.cancelAll() }
            try await source.commit(200, outbox)
            try await eventually(within: .seconds(60), "published") {
                try await source.query("SELECT FROM stream_head WHERE published_position = 200").count == 1
            }
            #expect(try await admin.purge(queue: EventTopology.auditQueue, deadline: .after(.seconds(5))) == 200)
            try await source.commit(50, outbox)
            group.addTask { try? await consumer.run() }
            try await eventually(within: .seconds(30), "the later ones arrive") { try await audit.count() == 50 }
            let before = try await audit.store.progress(of: .identity, deadline: .after(.seconds(5)))
            #expect(before.completeTo == 0)
            #expect(before.hasGap)
            group.addTask { try? await reconciler.run() }
            try await eventually(within: .seconds(30), "healed") { try await audit.count() == 250 }
            try await eventually("the source knows") {
                try await source.query("SELECT FROM stream_head WHERE reconciled_position = 250").count == 1
            }
        }
        let stream = try #require(try await audit.reader.streams(deadline: .after(.seconds(5))).first)
        #expect(stream.state == "complete")
        #expect(stream.completeTo == 250)
        #expect(stream.healedEvents == 200)
        #expect(try await audit.verify().fault == nil)
        await admin.close()
    }

    @Test(
        "An event that cannot be stored leaves a gap that is seen, and keeps nothing else out", .timeLimit(.minutes(2)))
    func unstorable() async throws {
        let (audit, source) = (try await AuditFixture.make(), try await AuditFixture.make())
        let outbox = Outbox()
        try await source.commit(3, outbox)
        try await source.query(
            """
            INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
            VALUES (\(UUID.v7()), 'a.b', 's', \(DefaultTenant.id), '2150-01-01T00:00:00Z', '{}')
            """)
        try await source.commit(3, outbox)
        try await source.database.withConnection(deadline: .after(.seconds(10))) { connection in
            _ = try await EventStream(source: .identity).number(atMost: 100, on: connection)
        }
        let reconciler = StreamReconciler(
            origin: LocalStreamOrigin(source: .identity, database: source.database), store: audit.store,
            metrics: MetricsRegistry(), logger: audit.logger)
        _ = await reconciler.look()
        #expect(await reconciler.look()?.events == 6)
        let progress = try await audit.store.progress(of: .identity, deadline: .after(.seconds(5)))
        #expect(progress.completeTo == 3)
        #expect(progress.highest == 7)
    }

    @Test("A source that was rolled back is reported, and its stream is not healed over", .timeLimit(.minutes(2)))
    func rolledBack() async throws {
        let (audit, source) = (try await AuditFixture.make(), try await AuditFixture.make())
        try await audit.store(try makeStream(5))
        let reconciler = StreamReconciler(
            origin: LocalStreamOrigin(source: .identity, database: source.database), store: audit.store,
            metrics: MetricsRegistry(), logger: audit.logger)
        #expect(await reconciler.look() == nil)
        #expect(await reconciler.look() == nil)
        let stream = try #require(try await audit.reader.streams(deadline: .after(.seconds(5))).first)
        #expect(stream.state == "conflict")
        #expect(stream.completeTo == 5)
    }
}

extension AuditFixture {
    /// Commits events to this database's outbox, as a source's.
    func commit(_ count: Int, _ outbox: Outbox) async throws {
        let events = try (0..<count).map { number in
            try DomainEvent(
                type: .userUpdated, subject: "user-\(number)", tenantID: DefaultTenant.id,
                data: EventDetail(message: "change"))
        }
        try await query(Outbox.insertSQL(events))
        outbox.wake()
    }
}
