import Contracts
import Foundation
import Logging
import Postgres
import RabbitMQ

/// Decides what becomes of each delivery of a queue.
struct EventSettling: Sendable {
    private let logger: Logger
    private let judging: @Sendable (any Error) -> EventFailure
    private let handler: EventConsumer.Handler
    private let retries: RetrySchedule
    /// Publishes copies of what is put aside or given up, with what is known of why, and returns once they are safe.
    private let publish: @Sendable ([AMQPMessage]) async throws -> Void
    private let queue: String
    private let consumed: MetricCounter
    private let putAside: MetricCounter
    private let deadLettered: MetricCounter

    init(
        queue: String, retries: RetrySchedule, metrics: MetricsRegistry, logger: Logger,
        judging: @escaping @Sendable (any Error) -> EventFailure, handler: @escaping EventConsumer.Handler,
        publish: @escaping @Sendable ([AMQPMessage]) async throws -> Void
    ) {
        self.queue = queue
        self.retries = retries
        self.publish = publish
        var logger = logger
        logger[metadataKey: "queue"] = .string(queue)
        self.logger = logger
        self.judging = judging
        self.handler = handler
        consumed = metrics.counter(
            "authms_events_consumed_total", help: "Events taken from a queue and stored.", labels: [("queue", queue)])
        putAside = metrics.counter(
            "authms_events_put_aside_total", help: "Events that failed and will be tried again later.",
            labels: [("queue", queue)])
        deadLettered = metrics.counter(
            "authms_events_dead_lettered_total", help: "Messages given up.", labels: [("queue", queue)])
    }

    /// - Throws: what the handler threw, when it is an outage: nothing is settled then.
    func settle(_ deliveries: [Delivery]) async throws -> [DeliveryVerdict] {
        var verdicts = [DeliveryVerdict](repeating: .ack, count: deliveries.count)
        var events: [(index: Int, event: CloudEvent)] = []
        var rubbish: [Int: Failure] = [:]
        var failures: [Int: Failure] = [:]
        for (index, delivery) in deliveries.enumerated() {
            do {
                events.append((index, try CloudEvent(decoding: delivery.body)))
            } catch {
                rubbish[index] = Failure(error)
            }
        }
        try await handle(events, &failures)
        // Only now: after an outage the same batch comes again.
        for (index, failure) in rubbish { verdicts[index] = await giveUp(deliveries[index].message, failure) }
        for (index, failure) in failures {
            let message = deliveries[index].message
            verdicts[index] = failure.isPermanent ? await giveUp(message, failure) : await putOff(message, failure)
        }
        return verdicts
    }

    private func handle(
        _ events: [(index: Int, event: CloudEvent)], _ failures: inout [Int: Failure]
    ) async throws {
        if events.count > 1 {
            do {
                try await handler(events.map(\.event))
                consumed.increment(by: Int64(events.count))
                return
            } catch  where judge(error) == .outage {
                throw error
            } catch {
                logger.warning("a batch failed; its events are tried one by one", metadata: ["error": "\(error)"])
            }
        }
        for (index, event) in events { failures[index] = try await settleAlone(event) }
    }

    /// - Returns: why the event is to be put aside or given up; nil when it is stored.
    private func settleAlone(_ event: CloudEvent) async throws -> Failure? {
        var failure: Failure?
        for attempt in 1...EventConsumer.attemptLimit {
            do {
                try await handler([event])
                consumed.increment()
                return nil
            } catch {
                let verdict = judge(error)
                if verdict == .outage { throw error }
                if failure == nil { failure = Failure(error) } else { failure?.again(error) }
                if verdict == .permanent {
                    failure?.isPermanent = true
                    return failure
                }
                if attempt < EventConsumer.attemptLimit { try await Task.sleep(for: .milliseconds(50 * attempt)) }
            }
        }
        return failure
    }

    /// Our own end is like an outage: nothing is settled.
    private func judge(_ error: any Error) -> EventFailure {
        if let error = error as? PostgresError { return error.isAboutData ? .passing : .outage }
        return error is CancellationError ? .outage : judging(error)
    }

    /// Puts a copy aside that comes back after the next of the schedule's delays; after the last, gives up.
    private func putOff(_ message: AMQPMessage, _ failure: Failure) async -> DeliveryVerdict {
        let round = Int(clamping: message.headers[DeadLetter.Header.round]?.int ?? 0)
        guard round >= 0, round < retries.delays.count else { return await giveUp(message, failure) }
        var copy = note(failure, on: message)
        copy.exchange = ""
        copy.routingKey = RetrySchedule.queue(of: queue, after: retries.delays[round])
        copy.headers[DeadLetter.Header.round] = .int(Int64(round + 1))
        do {
            try await publish([copy])
        } catch {
            logger.warning(
                "an event that failed cannot be put aside and is given up",
                metadata: ["message_id": "\(DeadLetter.id(of: message))", "error": "\(error)"])
            return await giveUp(message, failure)
        }
        putAside.increment()
        logger.warning(
            "an event failed and is tried again later",
            metadata: [
                "message_id": "\(DeadLetter.id(of: message))", "error": "\(failure.last)",
                "delay": "\(DurationText.render(retries.delays[round]))",
            ])
        return .ack
    }

    /// Leaves a copy that says why in the dead letters; where that cannot be, the broker moves the message by itself, and
    /// knows only that it was rejected.
    private func giveUp(_ message: AMQPMessage, _ failure: Failure) async -> DeliveryVerdict {
        deadLettered.increment()
        logger.error(
            "a message goes to the dead letters",
            metadata: ["message_id": "\(DeadLetter.id(of: message))", "error": "\(failure.last)"])
        var copy = note(failure, on: message)
        copy.exchange = EventTopology.deadLetterExchange
        copy.routingKey = queue
        do {
            try await publish([copy])
            return .ack
        } catch {
            logger.warning("the broker itself moves the dead letter", metadata: ["error": "\(error)"])
            return .reject
        }
    }

    /// A copy that says why and how often it failed, earlier rounds included.
    private func note(_ failure: Failure, on message: AMQPMessage) -> AMQPMessage {
        var copy = message
        copy.mandatory = true
        // The broker's own notes are of the rounds before, and grow with each.
        copy.headers["x-death"] = nil
        let earlier = copy.headers[DeadLetter.Header.attempts]?.int ?? 0
        copy.headers[DeadLetter.Header.queue] = .string(queue)
        copy.headers[DeadLetter.Header.attempts] = .int(earlier + failure.attempts)
        if copy.headers[DeadLetter.Header.firstError] == nil {
            copy.headers[DeadLetter.Header.firstError] = .string(String(failure.first.prefix(1_000)))
            copy.headers[DeadLetter.Header.firstFailedAt] = .string(failure.firstAt.text)
        }
        copy.headers[DeadLetter.Header.lastError] = .string(String(failure.last.prefix(1_000)))
        copy.headers[DeadLetter.Header.lastFailedAt] = .string(failure.lastAt.text)
        return copy
    }

    /// Why and how often a message failed in this process, one try after the other.
    private struct Failure {
        let first: String
        let firstAt = EventTime(Date())
        private(set) var last: String
        private(set) var lastAt: EventTime
        private(set) var attempts: Int64 = 1
        /// Whether trying again cannot help.
        var isPermanent = false

        init(_ error: any Error) {
            first = "\(error)"
            last = first
            lastAt = firstAt
        }

        mutating func again(_ error: any Error) {
            last = "\(error)"
            lastAt = EventTime(Date())
            attempts += 1
        }
    }
}
