import ConnectionKit
import Synchronization

/// A batch on its way to the broker, and what is known of each of its messages.
final class Publication: Sendable {
    private struct Progress {
        var failures: [PublishFailure.Reason?]
        var isAnswered: [Bool]
        var missing: Int
        var wasBlocked = false
    }

    let messages: [AMQPMessage]
    let slot = ReplySlot<Void, RabbitMQError>()
    private let progress: Mutex<Progress>

    init(_ messages: [AMQPMessage]) {
        self.messages = messages
        progress = Mutex(
            Progress(
                failures: Array(repeating: nil, count: messages.count),
                isAnswered: Array(repeating: false, count: messages.count), missing: messages.count))
    }

    /// Whether nobody waits for it any more.
    var isOver: Bool { slot.isResolved }

    /// The message came back; the broker's answer to it follows, and is an ack all the same.
    func markUnroutable(_ index: Int) {
        progress.withLock { $0.failures[index] = .unroutable }
    }

    /// Whether the message has come back.
    func isMarked(_ index: Int) -> Bool {
        progress.withLock { $0.failures[index] != nil }
    }

    /// Whether the broker takes nothing at the moment, for the error that a deadline makes.
    func markBlocked(_ isBlocked: Bool) {
        progress.withLock { $0.wasBlocked = isBlocked }
    }

    /// The broker's answer to one message; the last one answers the caller.
    func confirm(_ index: Int, isAck: Bool) {
        let failures = progress.withLock { progress -> [PublishFailure.Reason?]? in
            guard !progress.isAnswered[index] else { return nil }
            progress.isAnswered[index] = true
            if !isAck { progress.failures[index] = .refused }
            progress.missing -= 1
            return progress.missing == 0 ? progress.failures : nil
        }
        guard let failures else { return }
        let named = name(failures)
        guard !named.isEmpty else {
            slot.resolve(.success(()))
            return
        }
        let unroutable = named.count { $0.reason == .unroutable }
        slot.resolve(
            .failure(
                RabbitMQError(
                    .notConfirmed,
                    "of \(messages.count) messages the broker refused \(named.count - unroutable) and could not route "
                        + "\(unroutable)", failures: named)))
    }

    /// The error for a wait that ended early: it names what is not known to be safe.
    func error(_ kind: RabbitMQError.Kind, _ description: String) -> RabbitMQError {
        let (failures, wasBlocked) = progress.withLock { progress in
            let reasons = zip(progress.failures, progress.isAnswered).map { reason, isAnswered in
                reason ?? (isAnswered ? nil : PublishFailure.Reason.unconfirmed)
            }
            return (reasons, progress.wasBlocked)
        }
        let named = name(failures)
        if kind == .deadlineExceeded, wasBlocked {
            return RabbitMQError(
                .blocked, "\(description), since the broker has blocked its publishers", failures: named)
        }
        return RabbitMQError(kind, description, failures: named)
    }

    func fail(_ kind: RabbitMQError.Kind, _ description: String) {
        slot.resolve(.failure(error(kind, description)))
    }

    private func name(_ failures: [PublishFailure.Reason?]) -> [PublishFailure] {
        failures.enumerated().compactMap { index, reason in
            reason.map { PublishFailure(index: index, messageID: messages[index].messageID, reason: $0) }
        }
    }
}
