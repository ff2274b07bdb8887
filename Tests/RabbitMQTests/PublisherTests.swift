import ConnectionKit
import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite struct PublisherTests {
    @Test("A message arrives with its body and all its properties")
    func properties() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        let sent = AMQPMessage(
            exchange: "", routingKey: "q", body: [0, 1, 255], contentType: "application/cloudevents+json",
            messageID: "id-1",
            headers: [
                "text": "täxt", "number": -5, "flag": true, "list": .array(["a", 2]), "nested": ["deep": .double(0.5)],
                "when": .timestamp(1_700_000_000), "raw": .bytes([9]),
            ], timestamp: Date(timeIntervalSince1970: 1_700_000_000), type: "identity.user.registered",
            appID: "identity", expiration: .seconds(60))
        try await fixture.publisher.publish([sent], deadline: .generous)
        let delivery = try #require(try await fixture.admin.get(queue: "q", deadline: .generous))
        let got = delivery.message
        #expect(got.body == sent.body && got.contentType == sent.contentType && got.messageID == "id-1")
        #expect(got.timestamp == sent.timestamp && got.type == sent.type && got.appID == sent.appID && got.persistent)
        for (name, value) in sent.headers { #expect(got.headers[name] == value, "\(name)") }
        #expect(!delivery.redelivered && delivery.deliveryCount == 0)
        try await fixture.admin.settle(delivery, .ack)
        #expect(try await fixture.admin.get(queue: "q", deadline: .generous) == nil)
        await fixture.close()
    }

    @Test("An idle connection stays up by its heartbeats")
    func heartbeats() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        var configuration = fixture.configuration
        configuration.heartbeat = .seconds(1)
        let publisher = RabbitMQPublisher(configuration: configuration, logger: silence)
        try await publisher.publishEventually([AMQPMessage("1", to: "q")])
        // The broker gives a peer up after two to three silent intervals.
        let end = Deadline.after(.seconds(5))
        while !end.hasPassed {
            #expect(publisher.isAvailable)
            try await Task.sleep(for: .milliseconds(50))
        }
        try await publisher.publish([AMQPMessage("2", to: "q")], deadline: .generous)
        await publisher.close()
        await fixture.close()
    }

    @Test("Bodies of no byte and of several frames arrive whole")
    func sizes() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await fixture.publisher.publish(
            [
                AMQPMessage(exchange: "", routingKey: "q", body: []),
                AMQPMessage(exchange: "", routingKey: "q", body: large),
            ], deadline: .generous)
        for expected in [[], large] {
            let delivery = try #require(try await fixture.admin.get(queue: "q", deadline: .generous))
            #expect(delivery.body == expected)
            try await fixture.admin.settle(delivery, .ack)
        }
        await fixture.close()
    }

    @Test("Batches from several tasks are all confirmed, each in its own order")
    func concurrentBatches() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        try await withThrowingTaskGroup { group in
            for writer in 0..<4 {
                group.addTask {
                    for round in 0..<5 {
                        let batch = (0..<500).map { AMQPMessage("\(writer):\(round * 500 + $0)", to: "q") }
                        try await fixture.publisher.publish(batch, deadline: .generous)
                    }
                }
            }
            try await group.waitForAll()
        }
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(configuration: fixture.configuration, queue: "q", logger: silence) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        try await whileRunning(consumer) {
            try await eventually("all should arrive") { inbox.deliveries.count >= 10_000 }
        }
        for writer in 0..<4 {
            let own = inbox.bodies.filter { $0.hasPrefix("\(writer):") }
            #expect(own == (0..<2_500).map { "\(writer):\($0)" })
        }
        await fixture.close()
    }

    @Test("A message that no queue takes is named as a failure; the others of its batch are safe")
    func unroutable() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        var batch = (0..<10).map { AMQPMessage("\($0)", to: "q") }
        batch[3].routingKey = "nowhere"
        batch[7].routingKey = "nowhere"
        let error = await #expect(throws: RabbitMQError.self) {
            try await fixture.publisher.publish(batch, deadline: .generous)
        }
        #expect(error?.kind == .notConfirmed)
        #expect(
            error?.failures
                == [3, 7].map {
                    PublishFailure(index: $0, messageID: batch[$0].messageID, reason: .unroutable)
                })
        try await fixture.waitFor(8, in: "q")
        batch[3].mandatory = false
        try await fixture.publisher.publish([batch[3]], deadline: .generous)
        await fixture.close()
    }

    @Test("A message that the queue refuses is named as a failure")
    func refused() async throws {
        let limited = Topology.Queue("q", arguments: ["x-max-length": 2, "x-overflow": "reject-publish"])
        let fixture = try await Fixture(Topology(queues: [limited]))
        let batch = (0..<6).map { AMQPMessage("\($0)", to: "q") }
        let error = await #expect(throws: RabbitMQError.self) {
            try await fixture.publisher.publish(batch, deadline: .generous)
        }
        let failures = try #require(error?.failures)
        #expect(!failures.isEmpty && failures.allSatisfy { $0.reason == .refused })
        try await fixture.waitFor(6 - failures.count, in: "q")
        await fixture.close()
    }

    @Test("A publication to an exchange that does not exist fails, and the next one works")
    func missingExchange() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        let lost = AMQPMessage(exchange: "nowhere", routingKey: "q", body: [1])
        let error = await #expect(throws: RabbitMQError.self) {
            try await fixture.publisher.publish([lost], deadline: .generous)
        }
        #expect(error?.failures.map(\.reason) == [.unconfirmed])
        try await fixture.publisher.publishEventually([AMQPMessage("next", to: "q")])
        await fixture.close()
    }

    @Test("A queue that does not exist is an error of its own; so is one that exists otherwise, or a wrong password")
    func adminErrors() async throws {
        let fixture = try await Fixture(Topology(queues: [.quorum("q")]))
        let missing = await #expect(throws: RabbitMQError.self) {
            try await fixture.admin.inspect(queue: "nowhere", deadline: .generous)
        }
        #expect(missing?.kind == .notFound)
        let different = await #expect(throws: RabbitMQError.self) {
            try await fixture.admin.declare(Topology(queues: [.init("q")]), deadline: .generous)
        }
        #expect(different?.kind == .preconditionFailed)
        #expect(try await fixture.admin.inspect(queue: "q", deadline: .generous).messages == 0)
        var stranger = fixture.configuration
        stranger.password = "wrong"
        let admin = RabbitMQAdmin(configuration: stranger, logger: silence)
        let refused = await #expect(throws: RabbitMQError.self) { try await admin.ping(deadline: .generous) }
        #expect(refused?.kind == .accessRefused)
        await fixture.close()
    }
}

@Suite struct ConfirmWindowTests {
    @Test("Confirms one by one, several at once and out of order each take out what they speak of")
    func confirms() {
        var window = ConfirmWindow<Int>()
        for entry in 1...10 { window.append(entry) }
        #expect(window.remove(upTo: 2, multiple: false) == [2])
        #expect(window.count == 10)
        #expect(window.remove(upTo: 4, multiple: true) == [1, 3, 4])
        #expect(window.count == 6)
        #expect(window.remove(upTo: 4, multiple: true).isEmpty)
        #expect(window.remove(upTo: 5, multiple: false) == [5])
        #expect(window.first { $0 > 7 } == 8)
        #expect(window.remove(upTo: 11, multiple: true).isEmpty)
        window.append(11)
        #expect(window.remove(upTo: 11, multiple: true) == [6, 7, 8, 9, 10, 11])
        #expect(window.isEmpty)
    }
}
