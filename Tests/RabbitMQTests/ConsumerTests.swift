import ConnectionKit
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite struct ConsumerTests {
    @Test("Deliveries come in order and in batches, and are acknowledged all")
    func batches() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        try await fixture.publisher.publish((0..<1_000).map { AMQPMessage("\($0)", to: "q") }, deadline: .generous)
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(
            configuration: fixture.configuration, queue: "q", prefetch: 300, batchSize: 100, logger: silence
        ) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(consumer) {
            try await eventually("all should arrive") { inbox.deliveries.count == 1_000 }
            #expect(consumer.isAvailable)
        }
        #expect(!consumer.isAvailable)
        #expect(inbox.bodies == (0..<1_000).map(String.init))
        #expect(inbox.batches.count < 100 && inbox.batches.allSatisfy { $0.count <= 100 })
        try await fixture.waitFor(0, in: "q")
        await fixture.close()
    }

    @Test("Each delivery of a batch gets its own verdict: done, again, or to the dead letters")
    func verdicts() async throws {
        let queue = Topology.Queue.quorum(
            "q", arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"])
        let fixture = try await Fixture(Topology(queues: [queue, .quorum("dead")]))
        try await fixture.publisher.publish(
            ["ok", "bad", "later", "ok", "bad"].map { AMQPMessage($0, to: "q") }, deadline: .generous)
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(
            configuration: fixture.configuration, queue: "q", batchWindow: .milliseconds(200), logger: silence
        ) { batch in
            inbox.append(batch)
            return batch.map { delivery in
                switch String(decoding: delivery.body, as: UTF8.self) {
                case "bad": .reject
                case "later" where delivery.deliveryCount == 0: .requeue
                default: .ack
                }
            }
        }
        try await whileRunning(consumer) {
            try await eventually("the one for later should come again") { inbox.deliveries.count == 6 }
        }
        #expect(inbox.bodies.last == "later" && inbox.deliveries.last?.deliveryCount == 1)
        try await fixture.waitFor(2, in: "dead")
        try await fixture.waitFor(0, in: "q")
        await fixture.close()
    }

    @Test("A graceful shutdown finishes what was delivered, and no delivery count rises")
    func cleanShutdown() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        try await fixture.publisher.publish((0..<200).map { AMQPMessage("\($0)", to: "q") }, deadline: .generous)
        let inbox = Inbox()
        for _ in 0..<4 {
            let consumer = RabbitMQConsumer(
                configuration: fixture.configuration, queue: "q", prefetch: 20, batchSize: 5, logger: silence
            ) { batch in
                inbox.append(batch)
                try await Task.sleep(for: .milliseconds(10))
                return batch.map { _ in .ack }
            }
            let before = inbox.deliveries.count
            try await whileRunning(consumer) {
                try await eventually("some should arrive") { inbox.deliveries.count > before }
            }
        }
        let handled = inbox.deliveries.count
        #expect(handled < 200)
        #expect(inbox.bodies == (0..<handled).map(String.init))
        try await fixture.waitFor(200 - handled, in: "q")
        let next = try #require(try await fixture.admin.get(queue: "q", deadline: .generous))
        #expect(next.deliveryCount == 0 && !next.redelivered)
        await fixture.close()
    }

    @Test("A handler that fails gets the same batch again, and the queue keeps the rest without counting")
    func failingHandler() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        try await fixture.publisher.publish((0..<50).map { AMQPMessage("\($0)", to: "q") }, deadline: .generous)
        struct DatabaseDown: Error {}
        let attempts = Mutex<[[UInt64]]>([])
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(
            configuration: fixture.configuration, queue: "q", prefetch: 10, batchSize: 10,
            batchWindow: .seconds(1), logger: silence
        ) { batch in
            let attempt = attempts.withLock { attempts in
                attempts.append(batch.map(\.tag))
                return attempts.count
            }
            if attempt <= 3 { throw DatabaseDown() }
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(consumer) {
            try await eventually("the handler should be asked again") { attempts.withLock { $0.count >= 2 } }
            // The subscription is gone meanwhile.
            try await eventually("the consumer should be cancelled") {
                let state = try await fixture.admin.inspect(queue: "q", deadline: .generous)
                return state.consumers == 0 || !inbox.batches.isEmpty
            }
            try await eventually("all should arrive") { inbox.deliveries.count == 50 }
        }
        let first = attempts.withLock { Array($0.prefix(4)) }
        #expect(Set(first).count == 1)
        #expect(inbox.bodies == (0..<50).map(String.init))
        #expect(inbox.deliveries.allSatisfy { $0.deliveryCount == 0 })
        await fixture.close()
    }

    @Test("A paused consumer takes nothing; resumed, it goes on")
    func pause() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(configuration: fixture.configuration, queue: "q", logger: silence) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(consumer) {
            try await fixture.publisher.publish([AMQPMessage("1", to: "q")], deadline: .generous)
            try await eventually("the first should arrive") { inbox.bodies == ["1"] }
            consumer.pause()
            try await eventually("the subscription should end") {
                try await fixture.admin.inspect(queue: "q", deadline: .generous).consumers == 0
            }
            try await fixture.publisher.publish([AMQPMessage("2", to: "q")], deadline: .generous)
            try await fixture.waitFor(1, in: "q")
            #expect(consumer.isAvailable)
            consumer.resume()
            try await eventually("the second should arrive") { inbox.bodies == ["1", "2"] }
        }
        await fixture.close()
    }

    @Test("Exclusive queues of two consumers both hear what is published, and go when they go")
    func fanOut() async throws {
        let fixture = try await Fixture(Topology(exchanges: [.init("events", .topic)]))
        let inboxes = [Inbox(), Inbox()]
        func consumer(_ inbox: Inbox) -> RabbitMQConsumer {
            RabbitMQConsumer(
                configuration: fixture.configuration,
                queue: .exclusive(exchange: "events", routingKeys: ["session.revoked", "session.*.ended"]),
                batchWindow: .zero, logger: silence
            ) { batch in
                inbox.append(batch)
                return batch.map { _ in .ack }
            }
        }
        let (first, second) = (consumer(inboxes[0]), consumer(inboxes[1]))
        func event(_ key: String) -> AMQPMessage {
            AMQPMessage(exchange: "events", routingKey: key, body: Array(key.utf8))
        }
        try await whileRunning(first) {
            try await whileRunning(second) {
                try await eventually("both should listen") { first.isAvailable && second.isAvailable }
                try await fixture.publisher.publish(
                    [event("session.revoked"), event("session.x.ended")], deadline: .generous)
                try await eventually("both should hear") { inboxes.allSatisfy { $0.deliveries.count == 2 } }
            }
        }
        let nobody = await #expect(throws: RabbitMQError.self) {
            try await fixture.publisher.publish([event("session.revoked")], deadline: .generous)
        }
        #expect(nobody?.failures.map(\.reason) == [.unroutable])
        await fixture.close()
    }

    @Test("A consumer of a missing queue waits for it, and one whose queue is deleted comes back with its topology")
    func missingQueue() async throws {
        let fixture = try await Fixture()
        let inbox = Inbox()
        let patient = RabbitMQConsumer(configuration: fixture.configuration, queue: "q", logger: silence) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(patient) {
            try await Task.sleep(for: .milliseconds(200))
            #expect(!patient.isAvailable)
            try await fixture.admin.declare(Topology(queues: [.quorum("q")]), deadline: .generous)
            try await eventually("it should subscribe") { patient.isAvailable }
        }
        try await fixture.admin.delete(queue: "q", deadline: .generous)
        let declaring = RabbitMQConsumer(
            configuration: fixture.configuration, queue: "q", topology: Topology(queues: [.quorum("q")]),
            logger: silence
        ) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(declaring) {
            try await eventually("it should subscribe") { declaring.isAvailable }
            try await fixture.admin.delete(queue: "q", deadline: .generous)
            try await eventually("the queue should be there again") {
                do throws(RabbitMQError) {
                    return try await fixture.admin.inspect(queue: "q", deadline: .generous).consumers == 1
                } catch {
                    return false
                }
            }
            try await fixture.publisher.publish([AMQPMessage("here", to: "q")], deadline: .generous)
            try await eventually("it should arrive") { inbox.bodies == ["here"] }
        }
        await fixture.close()
    }
}
