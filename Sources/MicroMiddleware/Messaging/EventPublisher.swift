package import ConnectionKit
package import Contracts
internal import Foundation
package import RabbitMQ

/// Takes events to where consumers find them.
package protocol EventPublisher: Sendable {
    /// Publishes the events in their order and returns when all of them are safe.
    ///
    /// - Throws: ``EventPublishError`` saying how many of the first are safe nevertheless.
    func publish(_ events: [CloudEvent], deadline: Deadline) async throws(EventPublishError)
}

/// Events that could not be published.
package struct EventPublishError: Error, CustomStringConvertible {
    /// So many from the beginning of the batch are safe.
    package let confirmedPrefix: Int
    package let description: String

    package init(confirmedPrefix: Int, description: String) {
        self.confirmedPrefix = confirmedPrefix
        self.description = description
    }
}

/// Publishes to the topic exchange, with confirms.
package struct BrokerEventPublisher: EventPublisher {
    private let publisher: RabbitMQPublisher

    package init(_ publisher: RabbitMQPublisher) {
        self.publisher = publisher
    }

    package func publish(_ events: [CloudEvent], deadline: Deadline) async throws(EventPublishError) {
        do {
            try await publisher.publish(events.map(Self.message), deadline: deadline)
        } catch {
            // Only the failures are named; everything before the first of them is safe.
            let prefix = error.failures.map(\.index).min() ?? 0
            throw EventPublishError(confirmedPrefix: prefix, description: error.description)
        }
    }

    static func message(_ event: CloudEvent) -> AMQPMessage {
        AMQPMessage(
            exchange: EventTopology.exchange, routingKey: event.event.type.rawValue, body: event.encoded(),
            contentType: CloudEvent.contentType, messageID: event.id.text,
            timestamp: event.event.time.date, type: event.event.type.rawValue, appID: event.source)
    }
}
