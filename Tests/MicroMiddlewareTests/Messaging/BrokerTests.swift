import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import RabbitMQ
import Redis
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
            try await eventually(within: .seconds(60), "all consumed") {
                Set(collector.events.map(\.id)).count == 500
            }
        }
        // At least once: a batch whose confirms were lost comes again, as a whole and in order.
        var seen: Set<UUID> = []
        let once = collector.events.filter { seen.insert($0.id).inserted }
        expectChained(once)
        #expect(try await fixture.stream() == once)
    }

    @Test("What cannot be decoded or handled is a dead letter; an outage burns nothing", .timeLimit(.minutes(3)))
    func deadLetters() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let collector = Collector()
        let outage = Atomic(3)
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: fixture.broker, retries: RetrySchedule([]),
            metrics: fixture.metrics, logger: fixture.logger
        ) { events in
            switch outage.load(ordering: .relaxed) {
            case 2...:
                outage.subtract(1, ordering: .relaxed)
                throw PostgresError(.unavailable)
            case 1:
                outage.subtract(1, ordering: .relaxed)
                throw PostgresError(.server(sqlState: "42P01", constraint: nil))
            default: break
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
            let rubbish = AMQPMessage(
                exchange: EventTopology.exchange, routingKey: "x.y", body: Array("rubbish".utf8), messageID: "rubbish")
            // A queue that has just been declared refuses for a moment.
            try await eventually(within: .seconds(30), "published") {
                await (try? publisher.publish([rubbish], deadline: .after(.seconds(10)))) != nil
            }
            try await eventually(within: .seconds(30), "published") {
                await (try? BrokerEventPublisher(publisher).publish([good, poison], deadline: .after(.seconds(10))))
                    != nil
            }
            let deadLetters = EventTopology.deadLetterQueue(of: EventTopology.auditQueue)
            try await eventually(within: .seconds(60), "two dead letters") {
                try await admin.inspect(queue: deadLetters, deadline: .after(.seconds(5))).messages >= 2
            }
            try await eventually("the good one is handled") { Set(collector.events.map(\.id)) == [good.id] }
        }
        await admin.close()
    }

    @Test(
        "What fails is put aside, comes back after each delay, and is a dead letter after the last",
        .timeLimit(.minutes(3)))
    func retries() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let collector = Collector()
        let tries = Mutex<[String: [ContinuousClock.Instant]]>([:])
        let schedule = RetrySchedule([.milliseconds(400), .milliseconds(900)])
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: fixture.broker, retries: schedule,
            metrics: fixture.metrics, logger: fixture.logger
        ) { events in
            for event in events where event.event.subject != "good" {
                let count = tries.withLock { tries in
                    if events.count == 1 { tries[event.event.subject, default: []].append(.now) }
                    return tries[event.event.subject]?.count ?? 0
                }
                // One heals in its second round, the other never.
                if event.event.subject == "never" || count <= 3 { throw EventStreamError(description: "not yet") }
            }
            collector.add(events)
        }
        let admin = RabbitMQAdmin(configuration: fixture.broker, logger: fixture.logger)
        let good = EventTests.linked(EventTests.event(subject: "good"))
        let later = EventTests.linked(EventTests.event(subject: "later"), at: 2, after: good.hash)
        let never = EventTests.linked(EventTests.event(subject: "never"), at: 3, after: later.hash)
        try await fixture.running([{ try await publisher.run() }, { try await consumer.run() }]) {
            try await eventually(within: .seconds(30), "published") {
                await
                    (try? BrokerEventPublisher(publisher).publish(
                        [good, later, never], deadline: .after(.seconds(10)))) != nil
            }
            // Who failed does not hold up who did not.
            try await eventually(within: .seconds(30), "the good one is handled") {
                collector.events.contains { $0.id == good.id }
            }
            try await eventually(within: .seconds(30), "the late one is handled") {
                collector.events.contains { $0.id == later.id }
            }
            let deadLetters = EventTopology.deadLetterQueue(of: EventTopology.auditQueue)
            try await eventually(within: .seconds(30), "the last is a dead letter") {
                try await admin.inspect(queue: deadLetters, deadline: .after(.seconds(5))).messages > 0
            }
            let delivery = try #require(try await admin.get(queue: deadLetters, deadline: .after(.seconds(5))))
            let letter = DeadLetter(delivery, deadLetterQueue: deadLetters)
            #expect(letter.id == delivery.message.messageID && letter.queue == EventTopology.auditQueue)
            #expect(letter.attempts == 9 && letter.firstError == "not yet")
            let times = tries.withLock { $0["never"] ?? [] }
            try #require(times.count == 9)
            #expect(times[2].duration(to: times[3]) >= .milliseconds(400))
            #expect(times[5].duration(to: times[6]) >= .milliseconds(900))
            for delay in schedule.delays {
                let waiting = RetrySchedule.queue(of: EventTopology.auditQueue, after: delay)
                #expect(try await admin.inspect(queue: waiting, deadline: .after(.seconds(5))).messages == 0)
            }
        }
        await admin.close()
    }

    @Test("What can never be handled is a dead letter at the first try", .timeLimit(.minutes(3)))
    func permanentFailure() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = fixture.publisher()
        let tries = Atomic(0)
        let consumer = EventConsumer(
            queue: EventTopology.auditQueue, configuration: fixture.broker, retries: RetrySchedule([.seconds(60)]),
            metrics: fixture.metrics, logger: fixture.logger, judging: { _ in .permanent }
        ) { _ in
            tries.add(1, ordering: .relaxed)
            throw EventStreamError(description: "never")
        }
        let admin = RabbitMQAdmin(configuration: fixture.broker, logger: fixture.logger)
        let event = EventTests.linked(EventTests.event(subject: "never"))
        try await fixture.running([{ try await publisher.run() }, { try await consumer.run() }]) {
            try await eventually(within: .seconds(30), "published") {
                await (try? BrokerEventPublisher(publisher).publish([event], deadline: .after(.seconds(10)))) != nil
            }
            let deadLetters = EventTopology.deadLetterQueue(of: EventTopology.auditQueue)
            try await eventually(within: .seconds(30), "it is a dead letter") {
                try await admin.inspect(queue: deadLetters, deadline: .after(.seconds(5))).messages > 0
            }
            let delivery = try #require(try await admin.get(queue: deadLetters, deadline: .after(.seconds(5))))
            let letter = DeadLetter(delivery, deadLetterQueue: deadLetters)
            #expect(letter.attempts == 1 && letter.lastError == "never")
        }
        #expect(tries.load(ordering: .relaxed) >= 1)
        await admin.close()
    }

    @Test("With the broker away, revocations are read from Redis", .timeLimit(.minutes(2)))
    func revocationsFromRedis() async throws {
        let server = try await TestRedis.start()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let redis = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: logger)
        let set = RevocationSet()
        let nowhere = try RabbitMQConfiguration(url: "amqp://guest:guest@127.0.0.1:9/")
        let feed = RevocationFeed(
            set: set, broker: nowhere, redis: redis, session: nil, pollInterval: .milliseconds(100), logger: logger)
        func announce(_ sequence: Int64) async throws {
            let revocation = Revocation(
                sequence: sequence, kind: .session, subjectID: UUID.v7(), issuedBefore: nil,
                expiresAt: Date(timeIntervalSinceNow: 60))
            try await redis.zadd(
                RevocationFeed.redisKey, score: Double(sequence),
                member: RedisArgument(Array(try JSONEncoder().encode(revocation))), deadline: .after(.seconds(5)))
        }
        try await announce(7)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await feed.run() }
            defer { group.cancelAll() }
            try await eventually("seeded") { set.count == 1 && feed.isSeeded }
            try await announce(9)
            try await eventually(within: .seconds(2), "heard of the second") { set.count == 2 }
            // One that committed late has a lower sequence than what is known already.
            try await announce(8)
            try await eventually(within: .seconds(2), "heard of the late one") { set.count == 3 }
            try await redis.send("FLUSHALL", deadline: .after(.seconds(5)))
            try await Task.sleep(for: .milliseconds(300))
            #expect(set.count == 3)
        }
        await redis.close()
        await server.stop()
    }

    @Test("A revocation reaches the set through the broker", .timeLimit(.minutes(3)))
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
                try? await BrokerEventPublisher(publisher).publish([event], deadline: .after(.seconds(20)))
                return set.count == 1
            }
            #expect(set.highestSequence == 5)
        }
    }
}
