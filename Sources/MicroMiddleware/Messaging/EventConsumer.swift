import ConnectionKit
package import Contracts
package import Logging
internal import Foundation
internal import Postgres
package import RabbitMQ
internal import ServiceLifecycle

/// What an error of a handler says about the event.
package enum EventFailure: Sendable, Hashable {
    /// Something is down: the event is not at fault, and waits.
    case outage
    /// The event failed and may not fail later.
    case passing
    /// The event will fail every time.
    case permanent
}

/// Reads a queue of events in batches.
///
/// The handler gets a batch in the queue's order and returns once all of it is stored; it must take an event that it has
/// seen before for what it is, by `id`. When it throws because something is down, nothing is settled and the consumer
/// waits without burning deliveries. When it throws otherwise, the events are given to it one by one; the one that keeps
/// failing is put aside and comes back after each of the schedule's delays, and is a dead letter when it has failed after
/// the last. What cannot ever be handled is one at once, and so is a message that is no event. Who is put aside does not hold up who comes after: the handler
/// must bear an event that comes late.
package final class EventConsumer: Service, Sendable {
    package typealias Handler = @Sendable ([CloudEvent]) async throws -> Void

    /// How often one event is tried before it is put aside.
    static let attemptLimit = 3

    /// The queue's name; its dead letters are in `{queue}.dlq`.
    package let queue: String
    private let consumer: RabbitMQConsumer
    /// Publishes what is put aside or given up.
    private let copies: RabbitMQPublisher

    /// - Parameters:
    ///   - limits: how much it takes at a time.
    ///   - retries: how long an event that cannot be handled is put aside before it is tried again.
    ///   - judging: what an error of the handler says about the event. Errors of the database are not asked about: they
    ///     are outages unless they are about the data, and pass then.
    package init(
        queue: String, configuration: RabbitMQConfiguration, limits: ConsumerLimits = ConsumerLimits(),
        batchWindow: Duration = .milliseconds(5), retries: RetrySchedule = .standard, metrics: MetricsRegistry,
        logger: Logger, judging: @escaping @Sendable (any Error) -> EventFailure = { _ in .passing },
        handler: @escaping Handler
    ) {
        self.queue = queue
        var topology = Topology.events
        topology.queues += retries.queues(of: queue)
        let copies = RabbitMQPublisher(configuration: configuration, topology: topology, logger: logger)
        self.copies = copies
        let settling = EventSettling(
            queue: queue, retries: retries, metrics: metrics, logger: logger, judging: judging, handler: handler
        ) { messages in
            try await copies.publish(messages, deadline: .after(.seconds(5)))
        }
        consumer = RabbitMQConsumer(
            configuration: configuration, queue: .named(queue), prefetch: limits.prefetch,
            batchSize: limits.batchSize, batchWindow: batchWindow, topology: .events, logger: logger
        ) { deliveries in
            try await settling.settle(deliveries)
        }
    }

    package func run() async throws {
        do {
            try await consumer.run()
        } catch {
            await copies.close()
            throw error
        }
        await copies.close()
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
