import ConnectionKit
import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// One broker that these tests hurt, in turn: it starts in some seconds, so they share it.
private let victim = Task {
    let certificate = try await TestCertificate.make()
    let broker = try await TestRabbitMQ.start(certificate: certificate, virtualHosts: 16)
    return (broker: broker, authorityPath: certificate.authorityPath)
}

/// A virtual host with a queue that will have to outlive a kill, made before the other tests run. RabbitMQ 3.10 writes a new
/// quorum queue's registration down some seconds later (the delayed writes of Erlang's dets): killed before, it comes back
/// without a leader.
private let survivor = Task {
    let url = try await victim.value.broker.createVirtualHost()
    let fixture = try await Fixture(url: url, Topology(queues: [.quorum("q")]))
    return (fixture: fixture, isWrittenDown: Deadline.after(.seconds(8)))
}

/// The messages that the broker has confirmed.
private final class Confirmed: Sendable {
    private let state = Mutex<[String]>([])

    func add(_ texts: [String]) { state.withLock { $0 += texts } }
    var texts: [String] { state.withLock { $0 } }
}

@Suite(.serialized) struct BrokerFaultTests {
    @Test("TLS works with the right authority and name, and is refused with any other")
    func tls() async throws {
        let (broker, authorityPath) = try await victim.value
        _ = try await survivor.value
        let port = try #require(broker.tlsPort)
        var configuration = try RabbitMQConfiguration(url: broker.createVirtualHost())
        configuration.host = "localhost"
        configuration.port = port
        configuration.tls = RabbitMQConfiguration.TLS(rootCertificatePath: authorityPath)
        let topology = Topology(queues: [.quorum("q")])
        let publisher = RabbitMQPublisher(configuration: configuration, topology: topology, logger: silence)
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(
            configuration: configuration, queue: "q", topology: topology, logger: silence
        ) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        let large = [UInt8](repeating: 1, count: 300_000)
        try await whileRunning(consumer) {
            try await publisher.publishEventually([AMQPMessage("hello", to: "q")])
            try await publisher.publish(
                (0..<500).map { AMQPMessage("\($0)", to: "q") }
                    + [AMQPMessage(exchange: "", routingKey: "q", body: large)], deadline: .generous)
            try await eventually("all should arrive") { inbox.deliveries.count == 502 }
        }
        #expect(inbox.deliveries.last?.body == large)
        await publisher.close()

        configuration.tls = RabbitMQConfiguration.TLS()
        let distrustful = RabbitMQAdmin(configuration: configuration, logger: silence)
        let unknown = await #expect(throws: RabbitMQError.self) { try await distrustful.ping(deadline: .generous) }
        #expect(unknown?.kind == .tls)
        // The same broker by another name than its certificate bears.
        configuration.tls = RabbitMQConfiguration.TLS(rootCertificatePath: authorityPath)
        configuration.host = "127.1"
        let misled = RabbitMQAdmin(configuration: configuration, logger: silence)
        let mismatch = await #expect(throws: RabbitMQError.self) { try await misled.ping(deadline: .generous) }
        #expect(mismatch?.kind == .tls)
        configuration.tls = RabbitMQConfiguration.TLS(verifies: false)
        let careless = RabbitMQAdmin(configuration: configuration, logger: silence)
        try await careless.ping(deadline: .generous)
        await careless.close()
    }

    @Test("Under a memory alarm a publication fails by its deadline, and works again afterwards")
    func memoryAlarm() async throws {
        let (broker, _) = try await victim.value
        let fixture = try await Fixture(url: broker.createVirtualHost(), Topology(queues: [.quorum("q")]))
        try await fixture.publisher.publish([AMQPMessage("before", to: "q")], deadline: .generous)
        try await broker.control("set_vm_memory_high_watermark", "0.00001")
        let clock = ContinuousClock()
        // The alarm takes hold a moment after the command has returned.
        try await eventually("the broker should block") {
            var kind: RabbitMQError.Kind?
            let time = await clock.measure {
                do throws(RabbitMQError) {
                    try await fixture.publisher.publish(
                        [AMQPMessage("during", to: "q")], deadline: .after(.milliseconds(500)))
                } catch {
                    kind = error.kind
                    #expect(error.failures.map(\.reason) == [.unconfirmed])
                }
            }
            #expect(time < .seconds(3))
            return kind == .blocked
        }
        #expect(!fixture.publisher.isAvailable)
        // A publisher that has not been told yet is held up in its first large write: its callers are not, and once that
        // is noticed it drops the connection and comes back.
        var configuration = fixture.configuration
        configuration.heartbeat = .seconds(1)
        let newcomer = RabbitMQPublisher(configuration: configuration, logger: silence)
        let large = AMQPMessage(exchange: "", routingKey: "q", body: [UInt8](repeating: 0, count: 64 << 20))
        let time = await clock.measure {
            let error = await #expect(throws: RabbitMQError.self) {
                try await newcomer.publish([large], deadline: .after(.milliseconds(500)))
            }
            #expect(error?.isUnavailable == true)
        }
        #expect(time < .seconds(3))
        try await eventually("the newcomer should be told") {
            do throws(RabbitMQError) {
                try await newcomer.publish([AMQPMessage("small", to: "q")], deadline: .after(.milliseconds(300)))
            } catch {
                return error.kind == .blocked
            }
            return false
        }
        await newcomer.close()
        try await broker.control("set_vm_memory_high_watermark", "0.6")
        try await eventually("the broker should take messages again") { fixture.publisher.isAvailable }
        try await fixture.publisher.publish([AMQPMessage("after", to: "q")], deadline: .generous)
        await fixture.close()
    }

    @Test("A stalled broker costs a publication its deadline; heartbeats notice, and the publisher comes back")
    func stall() async throws {
        let (broker, _) = try await victim.value
        let fixture = try await Fixture(url: broker.createVirtualHost(), Topology(queues: [.quorum("q")]))
        var configuration = fixture.configuration
        configuration.heartbeat = .seconds(1)
        configuration.connectTimeout = .seconds(1)
        let publisher = RabbitMQPublisher(configuration: configuration, logger: silence)
        try await publisher.publishEventually([AMQPMessage("before", to: "q")])
        await broker.pause()
        let clock = ContinuousClock()
        let time = await clock.measure {
            let error = await #expect(throws: RabbitMQError.self) {
                try await publisher.publish([AMQPMessage("during", to: "q")], deadline: .after(.milliseconds(300)))
            }
            #expect(error?.kind == .deadlineExceeded)
        }
        #expect(time >= .milliseconds(300) && time < .seconds(2))
        let cancelled = Task {
            try await publisher.publish([AMQPMessage("cancelled", to: "q")], deadline: .generous)
        }
        try await Task.sleep(for: .milliseconds(50))
        let cancellation = await clock.measure {
            cancelled.cancel()
            let error = await #expect(throws: RabbitMQError.self) { try await cancelled.value }
            #expect(error?.kind == .cancelled)
        }
        #expect(cancellation < .seconds(5))
        try await eventually("heartbeats should notice") { !publisher.isAvailable }
        await broker.continue()
        try await publisher.publishEventually([AMQPMessage("after", to: "q")])
        await publisher.close()
        await fixture.close()
    }

    @Test("A broker killed under load loses no confirmed message; publisher, consumer and their topology come back")
    func kill() async throws {
        let (broker, _) = try await victim.value
        let (fixture, isWrittenDown) = try await survivor.value
        // Not durable: gone with the broker, unless it is declared again.
        let fleeting = Topology(
            exchanges: [.init("fleeting", .topic, durable: false)],
            bindings: [.init(queue: "q", exchange: "fleeting", routingKey: "#")])
        let publisher = RabbitMQPublisher(configuration: fixture.configuration, topology: fleeting, logger: silence)
        let inbox = Inbox()
        let consumer = RabbitMQConsumer(configuration: fixture.configuration, queue: "q", logger: silence) { batch in
            inbox.append(batch)
            return batch.map { _ in .ack }
        }
        @Sendable func batch(_ round: Int) -> [AMQPMessage] {
            (0..<50).map { AMQPMessage(exchange: "fleeting", routingKey: "k", body: Array("\(round):\($0)".utf8)) }
        }
        let confirmed = Confirmed()
        try await whileRunning(consumer) {
            try await publisher.publishEventually(batch(0))
            let load = Task {
                var round = 0
                while !Task.isCancelled {
                    round += 1
                    let messages = batch(round)
                    var failures: [PublishFailure] = []
                    do throws(RabbitMQError) {
                        try await publisher.publish(messages, deadline: .generous)
                    } catch {
                        failures = error.failures
                        #expect(
                            [.unavailable, .connectionLost, .cancelled].contains(error.kind) || error.isRefusal)
                    }
                    let failed = Set(failures.map(\.index))
                    let safe = messages.indices.filter { !failed.contains($0) }
                    confirmed.add(safe.map { String(decoding: messages[$0].body, as: UTF8.self) })
                    if !failed.isEmpty { try? await Task.sleep(for: .milliseconds(20)) }
                }
            }
            try await eventually("load should run") { confirmed.texts.count > 2_000 && isWrittenDown.hasPassed }
            await broker.kill()
            try await eventually("the publisher should notice") { !publisher.isAvailable }
            let before = confirmed.texts.count
            try await broker.restart()
            try await eventually(within: .seconds(60), "load should run again") {
                confirmed.texts.count > before + 1_000
            }
            load.cancel()
            await load.value
            try await eventually("everything confirmed should arrive") {
                Set(inbox.bodies).isSuperset(of: confirmed.texts)
            }
        }
        await publisher.close()
        await fixture.close()
    }
}
