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
        let settling = EventSettling(
            queue: queue, metrics: metrics, logger: logger, isOutage: isOutage, handler: handler)
        consumer = RabbitMQConsumer(
            configuration: configuration, queue: .named(queue), prefetch: prefetch, batchSize: batchSize,
            batchWindow: batchWindow, topology: .events, logger: logger
        ) { deliveries in
            try await settling.settle(deliveries)
        }
    }

    package func run() async throws {
        try await consumer.run()
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
    private let consumed: MetricCounter
    private let deadLettered: MetricCounter

    init(
        queue: String, metrics: MetricsRegistry, logger: Logger, isOutage: @escaping @Sendable (any Error) -> Bool,
        handler: @escaping EventConsumer.Handler
    ) {
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
        var unreadable: [(messageID: String, reason: String)] = []
        for (index, delivery) in deliveries.enumerated() {
            do {
                events.append((index, try CloudEvent(decoding: delivery.body)))
            } catch {
                unreadable.append((delivery.message.messageID, error.description))
                verdicts[index] = .reject
            }
        }
        try await handle(events, &verdicts)
        // Only now: after an outage the same batch comes again.
        for message in unreadable { giveUp(message.messageID, reason: message.reason) }
        return verdicts
    }

    private func handle(
        _ events: [(index: Int, event: CloudEvent)], _ verdicts: inout [DeliveryVerdict]
    ) async throws {
        guard !events.isEmpty else { return }
        do {
            try await handler(events.map(\.event))
            consumed.increment(by: Int64(events.count))
        } catch  where isOutageOrEnd(error) {
            throw error
        } catch {
            logger.warning("a batch failed; its events are tried one by one", metadata: ["error": "\(error)"])
            for (index, event) in events where try await !settleAlone(event) { verdicts[index] = .reject }
        }
    }

    /// - Returns: false when the event has been given up.
    private func settleAlone(_ event: CloudEvent) async throws -> Bool {
        for attempt in 1...EventConsumer.attemptLimit {
            do {
                try await handler([event])
                consumed.increment()
                return true
            } catch  where isOutageOrEnd(error) {
                throw error
            } catch {
                if attempt == EventConsumer.attemptLimit {
                    giveUp(event.id.text, reason: "\(error)")
                } else {
                    try await Task.sleep(for: .milliseconds(50 * attempt))
                }
            }
        }
        return false
    }

    private func isOutageOrEnd(_ error: any Error) -> Bool {
        if let error = error as? PostgresError { return !error.isAboutData }
        return error is CancellationError || isOutage(error)
    }

    private func giveUp(_ messageID: String, reason: String) {
        deadLettered.increment()
        logger.error(
            "a message goes to the dead letters", metadata: ["message_id": "\(messageID)", "error": "\(reason)"])
    }
}
