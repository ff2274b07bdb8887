package import Foundation

/// A message to publish, or one that arrived.
package struct AMQPMessage: Sendable, Equatable {
    /// The exchange to publish to; "" is the default exchange, which routes by the name of a queue.
    package var exchange: String
    package var routingKey: String
    package var body: [UInt8]
    package var contentType: String?
    /// Identifies the message in a publication's failures and to consumers that deduplicate.
    package var messageID: String
    /// Whether a durable queue keeps it over a restart of the broker.
    package var persistent: Bool
    package var headers: [String: AMQPValue]
    package var timestamp: Date?
    /// The kind of message, the application's own word.
    package var type: String?
    package var appID: String?
    /// How long it may wait in a queue before it expires.
    package var expiration: Duration?
    /// Whether a message that no queue takes comes back as a failure. Without it such a message is confirmed and gone.
    package var mandatory: Bool

    package init(
        exchange: String, routingKey: String, body: [UInt8], contentType: String? = "application/json",
        messageID: String = UUID().uuidString, persistent: Bool = true, headers: [String: AMQPValue] = [:],
        timestamp: Date? = nil, type: String? = nil, appID: String? = nil, expiration: Duration? = nil,
        mandatory: Bool = true
    ) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.body = body
        self.contentType = contentType
        self.messageID = messageID
        self.persistent = persistent
        self.headers = headers
        self.timestamp = timestamp
        self.type = type
        self.appID = appID
        self.expiration = expiration
        self.mandatory = mandatory
    }
}

/// A message that a queue delivered and that waits for its verdict.
package struct Delivery: Sendable {
    /// Number of the delivery on its channel.
    package let tag: UInt64
    /// Whether it may have been delivered before.
    package let redelivered: Bool
    /// The message; `exchange` and `routingKey` are those it was published with.
    package let message: AMQPMessage

    package init(tag: UInt64, redelivered: Bool, message: AMQPMessage) {
        self.tag = tag
        self.redelivered = redelivered
        self.message = message
    }

    package var body: [UInt8] { message.body }
    package var headers: [String: AMQPValue] { message.headers }

    /// How often a quorum queue has taken it back before this delivery (`x-delivery-count`).
    package var deliveryCount: Int {
        Int(headers["x-delivery-count"]?.int ?? 0)
    }
}

/// What becomes of a delivery.
package enum DeliveryVerdict: Hashable, Sendable {
    /// Done: the queue forgets it.
    case ack
    /// Back to the queue, which counts that as one delivery more.
    case requeue
    /// Never again: to the dead-letter exchange where the queue has one, else dropped.
    case reject
}
