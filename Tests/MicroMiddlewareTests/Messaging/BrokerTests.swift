import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Collects what a consumer's handler was given.
final class Collector: Sendable {
    private let state = Mutex<[CloudEvent]>([])
    var events: [CloudEvent] { state.withLock { $0 } }
    func add(_ events: [CloudEvent]) { state.withLock { $0 += events } }
}

struct BrokerTests {
    @Test("Events reach audit's queue through the broker, in order, and are consumed", .timeLimit(.minutes(3)))
    func throughTheBroker() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let relay = fixture.relay(BrokerEventPublisher(publisher))
        let collector = Collector()
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: fixture.broker, metrics: fixture.metrics,
            logger: fixture.logger
        ) { collector.add($0) }
        try await fixture.running([
            { try await publisher.run() }, { try await relay.run() }, { try await consumer.run() },
        ]) {
            try await fixture.commit(0..<500)
            try await eventually(within: .seconds(60), "all consumed") { collector.events.count >= 500 }
        }
        expectChained(collector.events)
        #expect(try await fixture.stream() == collector.events)
    }

    @Test("What cannot be decoded or handled is a dead letter; an outage burns nothing", .timeLimit(.minutes(3)))
    func deadLetters() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let collector = Collector()
        let outage = Atomic(3)
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: fixture.broker, metrics: fixture.metrics,
            logger: fixture.logger
        ) { events in
            if outage.load(ordering: .relaxed) > 0 {
                outage.subtract(1, ordering: .relaxed)
                throw PostgresError(.unavailable)
            }
            if events.contains(where: { $0.event.subject == "poison" }) {
                throw EventStreamError(description: "poison")
            }
            collector.add(events)
        }
        let admin = RabbitMQAdmin(configuration: fixture.broker, logger: fixture.logger)
        let good = EventTests.linked(EventTests.event(subject: "good"))
        let poison = EventTests.linked(EventTests.event(subject: "poison"), at: 2, after: good.hash)
        try await fixture.running([{ try await publisher.run() }, { try await consumer.run() }]) {
            try await publisher.publish(
                [
                    AMQPMessage(exchange: EventTopology.exchange, routingKey: "x.y", body: Array("rubbish".utf8))
                ], deadline: .after(.seconds(20)))
            try await BrokerEventPublisher(publisher).publish([good, poison], deadline: .after(.seconds(20)))
            let deadLetters = EventTopology.deadLetterQueue(of: EventTopology.auditQueue)
            try await eventually(within: .seconds(60), "two dead letters") {
                try await admin.inspect(queue: deadLetters, deadline: .after(.seconds(5))).messages == 2
            }
            try await eventually("the good one is handled") { collector.events.map(\.id) == [good.id] }
        }
        await admin.close()
    }

    @Test("A revocation reaches the set through the broker, and through Redis without it", .timeLimit(.minutes(3)))
    func revocations() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let set = RevocationSet()
        let feed = RevocationFeed(
            set: set, broker: fixture.broker, redis: nil, session: nil, pollInterval: .milliseconds(100),
            logger: fixture.logger)
        let session = UUID.v7()
        let event = EventTests.linked(
            DomainEvent(
                id: .v7(), type: .sessionRevoked, subject: session.uuidString, tenantID: DefaultTenant.id,
                time: EventTime(Date()),
                json: """
                    {"revocation":{"sequence":5,"kind":"session","subject_id":"\(session.uuidString.lowercased())",\
                    "expires_at_ms":4102444800000}}
                    """))
        try await fixture.running([{ try await publisher.run() }, { try await feed.run() }]) {
            try await eventually(within: .seconds(30), "the revocation is known") {
                try await BrokerEventPublisher(publisher).publish([event], deadline: .after(.seconds(20)))
                return set.count == 1
            }
            #expect(set.highestSequence == 5)
        }
    }
}
