import ConnectionKit
package import Contracts
package import Logging
internal import Foundation
internal import Postgres
package import RabbitMQ
internal import ServiceLifecycle

/// Reads a queue of events in batches.
///
/// The handler gets a batch in the queue's order and returns once all of it is stored; it must take an event that it has
/// seen before for what it is, by `id`. When it throws because something is down, nothing is settled and the consumer
/// waits without burning deliveries. When it throws otherwise, the events are given to it one by one, and the one that
/// keeps failing becomes a dead letter, as does a message that is no event.
package final class EventConsumer: Service, Sendable {
    package typealias Handler = @Sendable ([CloudEvent]) async throws -> Void

    /// How often one event is tried before it is given up.
    static let attemptLimit = 3

    /// The queue's name; its dead letters are in `{queue}.dlq`.
    package let queue: String
    private let consumer: RabbitMQConsumer
    private let deadLetters: RabbitMQPublisher

    /// - Parameters:
    ///   - prefetch: how many events may wait unsettled in this process.
    ///   - batchSize: the most that the handler gets at once.
    ///   - isOutage: whether an error means that something is down, rather than that an event cannot be handled. An error
    ///     of the database is an outage unless it is about the data.
    package init(
        queue: String, configuration: RabbitMQConfiguration, prefetch: Int = 1_000, batchSize: Int = 250,
        batchWindow: Duration = .milliseconds(5), metrics: MetricsRegistry, logger: Logger,
        isOutage: @escaping @Sendable (any Error) -> Bool = { _ in false }, handler: @escaping Handler
    ) {
        self.queue = queue
        let deadLetters = RabbitMQPublisher(configuration: configuration, topology: .events, logger: logger)
        self.deadLetters = deadLetters
        let settling = EventSettling(
            queue: queue, metrics: metrics, logger: logger, isOutage: isOutage, handler: handler
        ) { copies in
            try await deadLetters.publish(copies, deadline: .after(.seconds(5)))
        }
        consumer = RabbitMQConsumer(
            configuration: configuration, queue: .named(queue), prefetch: prefetch, batchSize: batchSize,
            batchWindow: batchWindow, topology: .events, logger: logger
        ) { deliveries in
            try await settling.settle(deliveries)
        }
    }

    package func run() async throws {
        do {
            try await consumer.run()
        } catch {
            await deadLetters.close()
            throw error
        }
        await deadLetters.close()
    }

    /// Whether the queue delivers to this process, or to another that is ahead of it.
    package var isAvailable: Bool { consumer.isAvailable }
}

extension PostgresError {
    /// Whether the data of the statement is the reason, so that trying it again cannot help: a value out of range, a
    /// constraint. Everything else may pass: a server that is away, a schema that is not migrated yet, a standby.
    package var isAboutData: Bool {
        switch kind {
        case .server(let sqlState, _): sqlState.hasPrefix("22") || sqlState.hasPrefix("23")
        case .decoding, .invalidParameter: true
        case .unavailable, .acquireTimeout, .deadlineExceeded, .cancelled, .connectionLost, .protocolViolation: false
        }
    }
}

/// Decides what becomes of each delivery.
struct EventSettling: Sendable {
    private let logger: Logger
    private let isOutage: @Sendable (any Error) -> Bool
    private let handler: EventConsumer.Handler
    /// Publishes copies of what is given up, with what is known of why, and returns once they are safe.
    private let bury: @Sendable ([AMQPMessage]) async throws -> Void
    private let queue: String
    private let consumed: MetricCounter
    private let deadLettered: MetricCounter

    init(
        queue: String, metrics: MetricsRegistry, logger: Logger, isOutage: @escaping @Sendable (any Error) -> Bool,
        handler: @escaping EventConsumer.Handler, bury: @escaping @Sendable ([AMQPMessage]) async throws -> Void
    ) {
        self.queue = queue
        self.bury = bury
        var logger = logger
        logger[metadataKey: "queue"] = .string(queue)
        self.logger = logger
        self.isOutage = isOutage
        self.handler = handler
        consumed = metrics.counter(
            "authms_events_consumed_total", help: "Events taken from a queue and stored.", labels: [("queue", queue)])
        deadLettered = metrics.counter(
            "authms_events_dead_lettered_total", help: "Messages given up.", labels: [("queue", queue)])
    }

    /// - Throws: what the handler threw, when it is an outage: nothing is settled then.
    func settle(_ deliveries: [Delivery]) async throws -> [DeliveryVerdict] {
        var verdicts = [DeliveryVerdict](repeating: .ack, count: deliveries.count)
        var events: [(index: Int, event: CloudEvent)] = []
        var failures: [Int: Failure] = [:]
        for (index, delivery) in deliveries.enumerated() {
            do {
                events.append((index, try CloudEvent(decoding: delivery.body)))
            } catch {
                failures[index] = Failure(error)
            }
        }
        try await handle(events, &failures)
        // Only now: after an outage the same batch comes again.
        for (index, failure) in failures {
            verdicts[index] = await giveUp(deliveries[index].message, failure)
        }
        return verdicts
    }

    /// Why and how often a message failed.
    struct Failure {
        let first: String
        let firstAt = EventTime(Date())
        private(set) var last: String
        private(set) var lastAt: EventTime
        private(set) var attempts: Int64 = 1

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

    private func handle(
        _ events: [(index: Int, event: CloudEvent)], _ failures: inout [Int: Failure]
    ) async throws {
        guard !events.isEmpty else { return }
        do {
            try await handler(events.map(\.event))
            consumed.increment(by: Int64(events.count))
        } catch  where isOutageOrEnd(error) {
            throw error
        } catch {
            logger.warning("a batch failed; its events are tried one by one", metadata: ["error": "\(error)"])
            for (index, event) in events { failures[index] = try await settleAlone(event) }
        }
    }

    /// - Returns: why the event is to be given up; nil when it is stored.
    private func settleAlone(_ event: CloudEvent) async throws -> Failure? {
        var failure: Failure?
        for attempt in 1...EventConsumer.attemptLimit {
            do {
                try await handler([event])
                consumed.increment()
                return nil
            } catch  where isOutageOrEnd(error) {
                throw error
            } catch {
                if failure == nil { failure = Failure(error) } else { failure?.again(error) }
                if attempt < EventConsumer.attemptLimit { try await Task.sleep(for: .milliseconds(50 * attempt)) }
            }
        }
        return failure
    }

    private func isOutageOrEnd(_ error: any Error) -> Bool {
        if let error = error as? PostgresError { return !error.isAboutData }
        return error is CancellationError || isOutage(error)
    }

    /// Leaves a copy that says why in the dead letters; where that cannot be, the broker moves the message by itself, and
    /// knows only that it was rejected.
    private func giveUp(_ message: AMQPMessage, _ failure: Failure) async -> DeliveryVerdict {
        deadLettered.increment()
        logger.error(
            "a message goes to the dead letters",
            metadata: ["message_id": "\(DeadLetter.id(of: message))", "error": "\(failure.last)"])
        var copy = message
        copy.exchange = EventTopology.deadLetterExchange
        copy.routingKey = queue
        copy.mandatory = true
        copy.headers[DeadLetter.Header.queue] = .string(queue)
        copy.headers[DeadLetter.Header.attempts] = .int(failure.attempts)
        copy.headers[DeadLetter.Header.firstError] = .string(String(failure.first.prefix(1_000)))
        copy.headers[DeadLetter.Header.lastError] = .string(String(failure.last.prefix(1_000)))
        copy.headers[DeadLetter.Header.firstFailedAt] = .string(failure.firstAt.text)
        copy.headers[DeadLetter.Header.lastFailedAt] = .string(failure.lastAt.text)
        do {
            try await bury([copy])
            return .ack
        } catch {
            logger.warning("the broker itself moves the dead letter", metadata: ["error": "\(error)"])
            return .reject
        }
    }
}
