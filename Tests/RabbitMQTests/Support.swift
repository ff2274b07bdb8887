import ConnectionKit
import Logging
import RabbitMQ
import ServiceLifecycle
import Synchronization
import TestSupport

/// A log that goes nowhere.
let silence = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension Deadline {
    /// Long enough for a busy machine.
    static var generous: Deadline { .after(.seconds(30)) }
}

/// Runs the service while `body` does, then shuts it down gracefully and waits for its end.
func whileRunning<Value: Sendable>(
    _ service: any Service, _ body: () async throws -> Value
) async throws -> Value {
    let group = ServiceGroup(services: [service], logger: silence)
    let task = Task { try await group.run() }
    do {
        let value = try await body()
        await group.triggerGracefulShutdown()
        try await task.value
        return value
    } catch {
        await group.triggerGracefulShutdown()
        try await task.value
        throw error
    }
}

/// What a handler was given.
final class Inbox: Sendable {
    private let received = Mutex<[[Delivery]]>([])

    func append(_ batch: [Delivery]) { received.withLock { $0.append(batch) } }
    var batches: [[Delivery]] { received.withLock { $0 } }
    var deliveries: [Delivery] { batches.flatMap { $0 } }
    var bodies: [String] { deliveries.map { String(decoding: $0.body, as: UTF8.self) } }
}

extension AMQPMessage {
    /// A short message to a queue, by the default exchange.
    init(_ text: String, to queue: String) {
        self.init(exchange: "", routingKey: queue, body: Array(text.utf8))
    }
}

extension RabbitMQPublisher {
    /// Publishes as soon as the broker is there and takes it. A quorum queue that does not answer a new channel in time,
    /// on a busy machine, makes the broker refuse that channel's first messages.
    func publishEventually(_ batch: [AMQPMessage], deadline: Deadline = .generous) async throws {
        while true {
            do throws(RabbitMQError) {
                return try await publish(batch, deadline: deadline)
            } catch {
                guard error.kind == .unavailable || error.isRefusal, !deadline.hasPassed else { throw error }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension RabbitMQError {
    /// Whether all that failed was refused by the broker.
    var isRefusal: Bool { kind == .notConfirmed && failures.allSatisfy { $0.reason == .refused } }
}

/// A virtual host of the shared broker with a publisher and an admin on it.
struct Fixture {
    let configuration: RabbitMQConfiguration
    let publisher: RabbitMQPublisher
    let admin: RabbitMQAdmin

    init(_ topology: Topology = Topology()) async throws {
        let broker = try await TestRabbitMQ.shared()
        try await self.init(url: broker.createVirtualHost(), topology)
    }

    init(url: String, _ topology: Topology = Topology()) async throws {
        configuration = try RabbitMQConfiguration(url: url)
        publisher = RabbitMQPublisher(configuration: configuration, logger: silence)
        admin = RabbitMQAdmin(configuration: configuration, logger: silence)
        try await admin.declare(topology, deadline: .generous)
        // The publisher is no stranger to the queues when the test begins.
        for queue in topology.queues where queue.arguments["x-queue-type"] == "quorum" {
            try await publisher.publishEventually([AMQPMessage("hello", to: queue.name)])
            try await admin.purge(queue: queue.name, deadline: .generous)
        }
    }

    func close() async {
        await publisher.close()
        await admin.close()
    }

    /// Waits until the queue holds this many messages that are ready.
    func waitFor(_ count: Int, in queue: String) async throws {
        try await eventually("\(queue) should hold \(count) messages") {
            try await admin.inspect(queue: queue, deadline: .generous).messages == count
        }
    }
}
