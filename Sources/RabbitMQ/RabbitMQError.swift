/// Why RabbitMQ did not do what was asked.
///
/// The description names the broker and the reason; it holds no message body and no password.
package struct RabbitMQError: Error, Equatable, CustomStringConvertible {
    /// What happened.
    package enum Kind: Equatable, Sendable {
        /// No connection; nothing was sent.
        case unavailable
        /// The connection broke; the outcome is unknown for what had been sent and was not confirmed.
        case connectionLost
        /// The deadline passed first.
        case deadlineExceeded
        /// The deadline passed while the broker had blocked its publishers (memory or disk alarm).
        case blocked
        /// The caller's task was cancelled.
        case cancelled
        /// Too many messages wait already.
        case queueFull
        /// The broker refused at least one message (nack) or could not route it (return); see `failures`.
        case notConfirmed
        /// The queue or exchange does not exist (404).
        case notFound
        /// It exists with other properties, or is in use otherwise (405, 406).
        case preconditionFailed
        /// Wrong credentials or no permission (403).
        case accessRefused
        /// Any other error of the broker, by its AMQP reply code.
        case server(code: Int)
        /// The broker's certificate or the TLS handshake.
        case tls
        /// What arrived is not AMQP as we understand it.
        case protocolViolation
        /// The configuration cannot be used.
        case invalidConfiguration
    }

    package let kind: Kind
    /// One sentence for the log.
    package let description: String
    /// The messages of a publication that were not confirmed, by their place in the batch. Empty in other errors.
    package let failures: [PublishFailure]

    package init(_ kind: Kind, _ description: String, failures: [PublishFailure] = []) {
        self.kind = kind
        self.description = description
        self.failures = failures
    }

    /// Whether the cause is the broker's absence, not the call: the caller tries again later.
    package var isUnavailable: Bool {
        switch kind {
        case .unavailable, .connectionLost, .deadlineExceeded, .blocked, .queueFull, .tls: true
        case .server(let code): code == 320
        case .cancelled, .notConfirmed, .notFound, .preconditionFailed, .accessRefused, .protocolViolation,
            .invalidConfiguration:
            false
        }
    }
}

/// A message that was published and is not known to be safe.
package struct PublishFailure: Equatable, Sendable {
    /// Why.
    package enum Reason: Equatable, Sendable {
        /// The broker refused it (`basic.nack`): a full queue with `overflow=reject-publish`, for example.
        case refused
        /// No queue is bound for it (`basic.return` of a mandatory message).
        case unroutable
        /// Neither confirmed nor refused when the wait ended: it may have arrived or not.
        case unconfirmed
    }

    /// The message's place in the batch.
    package let index: Int
    package let messageID: String
    package let reason: Reason

    package init(index: Int, messageID: String, reason: Reason) {
        self.index = index
        self.messageID = messageID
        self.reason = reason
    }
}
