import Contracts
import Crypto
import Foundation
package import RabbitMQ

/// A message that was given up, and what is known of why.
package struct DeadLetter: Sendable, Identifiable {
    /// The message's own id; of one without, its content's.
    package let id: String
    /// The queue whose consumer gave it up, and where a retry puts it; `authms.unrouted` where no queue had it.
    package let queue: String
    /// Whether no queue was bound for its type.
    package let isUnrouted: Bool
    /// The event's type, where the message says so.
    package let type: String?
    /// Why, when it failed first and last; from the broker alone it is its word: `rejected`, `delivery_limit`.
    package let firstError: String
    package let lastError: String
    package let firstFailedAt: String?
    package let lastFailedAt: String?
    /// How often it was tried.
    package let attempts: Int64
    package let body: [UInt8]

    package init(_ delivery: Delivery, deadLetterQueue: String) {
        let headers = delivery.headers
        let died = Self.died(headers)
        id = Self.id(of: delivery.message)
        isUnrouted = deadLetterQueue == EventTopology.unroutedQueue
        queue =
            isUnrouted
            ? deadLetterQueue
            : headers[Header.queue]?.string ?? died?["queue"]?.string
                ?? String(deadLetterQueue.dropLast(EventTopology.deadLetterQueue(of: "").utf8.count))
        type = delivery.message.type ?? (isUnrouted ? delivery.message.routingKey : nil)
        lastError =
            isUnrouted
            ? "no queue is bound for \(delivery.message.routingKey)"
            : headers[Header.lastError]?.string ?? died?["reason"]?.string ?? "unknown"
        firstError = headers[Header.firstError]?.string ?? lastError
        firstFailedAt = headers[Header.firstFailedAt]?.string
        lastFailedAt = headers[Header.lastFailedAt]?.string
        attempts = headers[Header.attempts]?.int ?? died?["count"]?.int ?? (isUnrouted ? 0 : 1)
        body = delivery.body
    }

    /// What names a message: its id, or where a stranger gave it none, the beginning of its content's SHA-256.
    package static func id(of message: AMQPMessage) -> String {
        guard message.messageID.isEmpty else { return message.messageID }
        return "sha256-" + Hex.text(SHA256.hash(data: message.body).prefix(8).map(\.self))
    }

    /// What the broker noted when it moved the message (`x-death`).
    private static func died(_ headers: [String: AMQPValue]) -> [String: AMQPValue]? {
        guard case .array(let deaths)? = headers["x-death"], case .table(let death)? = deaths.first else { return nil }
        return death
    }

    /// What our consumers note on the copy that they leave in the dead letters.
    enum Header {
        static let queue = "x-authms-queue"
        static let attempts = "x-authms-attempts"
        static let firstError = "x-authms-first-error"
        static let lastError = "x-authms-last-error"
        static let firstFailedAt = "x-authms-first-failed-at"
        static let lastFailedAt = "x-authms-last-failed-at"
        /// How many of the schedule's delays it has waited for.
        static let round = "x-authms-round"
        static let all = [queue, round, attempts, firstError, lastError, firstFailedAt, lastFailedAt, "x-death"]
    }
}

// MARK: - The payload, for people

extension DeadLetter {
    /// The payload with every value masked whose name says that it is a secret; of what is no JSON, its length alone.
    package var maskedPayload: String {
        guard let value = try? JSONSerialization.jsonObject(with: Data(body)),
            let text = try? JSONSerialization.data(
                withJSONObject: Self.masked(value), options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
        else { return "(\(body.count) bytes that are no JSON)" }
        return String(decoding: text, as: UTF8.self)
    }

    private static let secretNames = ["password", "secret", "token", "code", "hash", "authorization", "cookie", "key"]
    /// Names that only sound like one: the links of the event's own chain.
    private static let publicNames: Set<String> = ["hash", "prevhash"]

    private static func masked(_ value: Any) -> Any {
        switch value {
        case let object as [String: Any]:
            return Dictionary(
                uniqueKeysWithValues: object.map { name, value in
                    let lower = name.lowercased()
                    let isSecret = !publicNames.contains(lower) && secretNames.contains { lower.contains($0) }
                    return (name, isSecret ? "•••" : masked(value))
                })
        case let list as [Any]: return list.map(masked)
        default: return value
        }
    }
}
