package import ConnectionKit
package import Contracts
import Foundation
package import Logging
package import RabbitMQ

/// Why an operation on dead letters was not done.
package enum DeadLetterError: Error, Sendable, Equatable {
    /// There is no such dead letter, or it is gone already.
    case unknown(id: String)
}

/// Looks at dead letters, gives them back to their queue, or throws them away.
///
/// What no queue was bound for is among them, in `authms.unrouted`: its retry publishes it once more to everybody.
///
/// Looking takes nothing and changes nothing, not even a binding that somebody has taken away: what is fetched goes back when
/// the connection closes. A retry is published and confirmed before
/// the dead letter is forgotten, so that a crash in between leaves it twice, which consumers take for what it is, and never
/// not at all.
package struct DeadLetterDesk: Sendable {
    /// The most dead letters of a queue that are looked at.
    package static let scanLimit = 10_000

    /// The queues whose dead letters are ours: all that a service of the suite consumes.
    package static let queues = EventTopology.consumedQueues.map(\.name)

    /// Where messages lie that wait for somebody, each under the name that it is shown by.
    package static let piles: [(name: String, queue: String)] =
        queues.map { ($0, EventTopology.deadLetterQueue(of: $0)) }
        + [(EventTopology.unroutedQueue, EventTopology.unroutedQueue)]

    private let broker: RabbitMQConfiguration
    private let logger: Logger
    /// Writes an event that tells of an act, before the act.
    private let record: @Sendable (DomainEvent) async throws -> Void

    package init(
        broker: RabbitMQConfiguration, logger: Logger, record: @escaping @Sendable (DomainEvent) async throws -> Void
    ) {
        var broker = broker
        broker.connectionName = "dead-letters"
        self.broker = broker
        self.logger = logger
        self.record = record
    }

    /// The oldest first.
    package func list(limit: Int, deadline: Deadline) async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        try await scan(deadline) { letter, _, _ in
            letters.append(letter)
            return letters.count < limit
        }
        return letters
    }

    /// - Throws: ``DeadLetterError/unknown(id:)``
    package func show(_ id: String, deadline: Deadline) async throws -> DeadLetter {
        var found: DeadLetter?
        try await scan(deadline) { letter, _, _ in
            if letter.id == id { found = letter }
            return found == nil
        }
        guard let found else { throw DeadLetterError.unknown(id: id) }
        return found
    }

    /// Gives dead letters back to the queues that they died in.
    ///
    /// - Parameter id: nil for all that are there when it begins.
    /// - Returns: how many.
    /// - Throws: ``DeadLetterError/unknown(id:)`` when the one that was named is not there.
    @discardableResult
    package func retry(_ id: String?, by actor: String, deadline: Deadline) async throws -> Int {
        let publisher = RabbitMQPublisher(configuration: broker, topology: .events, logger: logger)
        var count = 0
        do {
            try await scan(deadline) { letter, delivery, admin in
                guard id == nil || letter.id == id else { return true }
                try await record(try Self.event(.deadLetterRetried, letter, by: actor, reason: nil))
                try await publisher.publish([Self.again(letter, delivery.message)], deadline: deadline)
                try await admin.settle(delivery, .ack)
                count += 1
                return id == nil
            }
        } catch {
            await publisher.close()
            throw error
        }
        await publisher.close()
        if let id, count == 0 { throw DeadLetterError.unknown(id: id) }
        return count
    }

    /// Throws a dead letter away. That it was, why and by whom is in the audit trail first.
    ///
    /// - Throws: ``DeadLetterError/unknown(id:)``
    package func discard(_ id: String, reason: String, by actor: String, deadline: Deadline) async throws {
        var isFound = false
        try await scan(deadline) { letter, delivery, admin in
            guard letter.id == id else { return true }
            try await record(try Self.event(.deadLetterDiscarded, letter, by: actor, reason: reason))
            try await admin.settle(delivery, .ack)
            isFound = true
            return false
        }
        guard isFound else { throw DeadLetterError.unknown(id: id) }
    }

    /// How many wait in each pile, by its name.
    package func depths(deadline: Deadline) async throws -> [(queue: String, count: Int)] {
        let admin = RabbitMQAdmin(configuration: broker, logger: logger)
        var depths: [(queue: String, count: Int)] = []
        do {
            for pile in Self.piles {
                depths.append((pile.name, try await admin.inspect(queue: pile.queue, deadline: deadline).messages))
            }
        } catch {
            await admin.close()
            throw error
        }
        await admin.close()
        return depths
    }

    // MARK: -

    /// Hands every dead letter once to `body`, until it returns false. What it does not settle goes back.
    private func scan(
        _ deadline: Deadline, _ body: (DeadLetter, Delivery, RabbitMQAdmin) async throws -> Bool
    ) async throws {
        for queue in Self.piles.map(\.queue) {
            let admin = RabbitMQAdmin(configuration: broker, logger: logger)
            do {
                // Only those that are there now: what a retry sends back here is not retried again.
                let count = try await admin.inspect(queue: queue, deadline: deadline).messages
                for _ in 0..<min(count, Self.scanLimit) {
                    guard let delivery = try await admin.get(queue: queue, deadline: deadline) else { break }
                    guard try await body(DeadLetter(delivery, deadLetterQueue: queue), delivery, admin) else {
                        await admin.close()
                        return
                    }
                }
            } catch let error as RabbitMQError where error.kind == .notFound {
                // No service has made it yet, so nothing lies there.
            } catch {
                await admin.close()
                throw error
            }
            await admin.close()
        }
    }

    /// The message as it was, to the one queue that it died in and nobody else's; what reached nobody, to everybody.
    private static func again(_ letter: DeadLetter, _ message: AMQPMessage) -> AMQPMessage {
        var again = message
        again.exchange = letter.isUnrouted ? EventTopology.exchange : ""
        again.routingKey = letter.isUnrouted ? message.routingKey : letter.queue
        again.mandatory = true
        for name in DeadLetter.Header.all { again.headers[name] = nil }
        return again
    }

    private static func event(
        _ type: EventType, _ letter: DeadLetter, by actor: String, reason: String?
    ) throws -> DomainEvent {
        var details = ["queue": letter.queue, "error": String(letter.lastError.prefix(500))]
        details["message_type"] = letter.type
        details["reason"] = reason
        return try DomainEvent(
            type: type, subject: String(letter.id.prefix(200)), tenantID: DefaultTenant.id,
            data: EventDetail(actorType: "operator", status: .success, message: "by \(actor)", details: details))
    }
}
