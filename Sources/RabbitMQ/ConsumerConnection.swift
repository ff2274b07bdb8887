import ConnectionKit
import DequeModule
import Logging

/// What a consumer was asked to do.
struct ConsumerOptions: Sendable {
    var queue: ConsumerQueue
    var prefetch: Int
    var batchSize: Int
    var batchWindow: Duration
    var topology: Topology?
    var shutdownTimeout: Duration
}

/// A consumer's connection, on a thread of its own: subscribes, cuts deliveries into batches, settles them, and connects
/// again.
actor ConsumerConnection {
    private let executor: ThreadExecutor
    private let configuration: RabbitMQConfiguration
    private let options: ConsumerOptions
    private let desk: ConsumerDesk
    private let wait: SocketWait
    private let logger: Logger

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        configuration: RabbitMQConfiguration, options: ConsumerOptions, desk: ConsumerDesk, doorbell: Doorbell,
        logger: Logger
    ) {
        executor = ThreadExecutor(name: "amqp-consume")
        self.configuration = configuration
        self.options = options
        self.desk = desk
        wait = SocketWait(doorbell: doorbell)
        self.logger = logger
    }

    /// Consumes until the desk asks for the end; hands over one batch at a time. Blocks the connection's own thread.
    func run(_ batches: AsyncStream<DeliveryBatch>.Continuation) {
        var backoff = Backoff(limit: .seconds(5))
        while desk.ending == nil {
            do throws(RabbitMQError) {
                let link = try AMQPLink(configuration, deadline: .after(configuration.connectTimeout))
                let queue = try prepare(link)
                if backoff.failures > 0 {
                    logger.notice("consumer connected again", metadata: ["broker": "\(configuration)"])
                }
                backoff.reset()
                var session = ConsumerSession(queue: queue, generation: desk.nextGeneration())
                defer { desk.isReady = false }
                try serve(link, &session, batches)
                link.close()
            } catch {
                guard desk.ending == nil else { break }
                let level: Logger.Level = backoff.failures == 0 ? .warning : .debug
                logger.log(level: level, "consumer has no subscription", metadata: ["reason": "\(error)"])
                rest(until: .after(backoff.next()))
            }
        }
        _ = desk.nextGeneration()
    }

    /// Declares what the consumer needs; the queue's name.
    private func prepare(_ link: AMQPLink) throws(RabbitMQError) -> String {
        link.limitRequests(.after(configuration.requestTimeout))
        if let topology = options.topology { try link.declare(topology) }
        try link.limitPrefetch(to: options.prefetch)
        switch options.queue {
        case .named(let name):
            // A queue that does not exist is noticed here, paused or not.
            _ = try link.inspect(queue: name)
            return name
        case .exclusive(let exchange, let routingKeys):
            let name = try link.declare(Topology.Queue("", durable: false, exclusive: true, autoDelete: false))
            for key in routingKeys {
                try link.bind(Topology.Binding(queue: name, exchange: exchange, routingKey: key))
            }
            return name
        }
    }

    /// Waits without a socket; only the end cuts it short.
    private func rest(until deadline: Deadline) {
        while desk.ending == nil, !deadline.hasPassed {
            guard (try? wait.wait(for: [], on: -1, until: deadline)) == .doorbell else { return }
        }
    }
}

/// What one connection of a consumer has in hand.
struct ConsumerSession {
    let queue: String
    let generation: Int
    /// The subscription, while there is one.
    var consumerTag: String?
    /// Delivered and not yet handed over.
    var buffer: Deque<Delivery> = []
    /// When the oldest delivery of the buffer came.
    var bufferedSince = ContinuousClock.now
    /// Whether the handler has a batch.
    var isHandlerBusy = false
    /// Verdicts that wait for the subscription to end.
    var held: [(batch: DeliveryBatch, verdicts: [DeliveryVerdict])] = []
    /// How many deliveries have come and are not settled with the broker.
    var unsettled = 0
    /// When the last delivery came or the last verdict went.
    var lastActivity = ContinuousClock.now
    /// Since when the subscription is to end.
    var endingSince: ContinuousClock.Instant?
    /// When the shutdown gives up.
    var end: Deadline?
}

// MARK: - Serving

extension ConsumerConnection {
    /// Returns when the desk asks for the end and everything delivered is settled, or cannot be in time.
    private func serve(
        _ link: AMQPLink, _ session: inout ConsumerSession, _ batches: AsyncStream<DeliveryBatch>.Continuation
    ) throws(RabbitMQError) {
        while true {
            let visit = desk.visit()
            for settled in visit.settled where settled.batch.generation == session.generation {
                session.held.append(settled)
                session.isHandlerBusy = false
            }
            try subscribe(link, &session, visit.wantsDeliveries)
            if session.endingSince == nil { try settle(link, &session) }
            desk.isReady = true
            try hear(link, &session)
            handOver(&session, batches, atOnce: visit.ending != nil)
            if let ending = visit.ending {
                let end = session.end ?? .after(options.shutdownTimeout)
                session.end = end
                if ending == .immediate || end.hasPassed { return }
                if !session.isHandlerBusy, session.buffer.isEmpty, session.consumerTag == nil { return }
            }
            try poll(link, until: wakeUp(link, session))
        }
    }

    private func settle(_ link: AMQPLink, _ session: inout ConsumerSession) throws(RabbitMQError) {
        guard !session.held.isEmpty else { return }
        for (batch, verdicts) in session.held {
            // Batches are settled in the order of their tags and each as a whole, so everything older is settled when a
            // run of equal verdicts ends: one acknowledgement speaks for all of it.
            for (index, delivery) in batch.deliveries.enumerated() {
                let isLastOfRun = index + 1 == verdicts.count || verdicts[index + 1] != verdicts[index]
                if isLastOfRun { try link.settle(delivery.tag, verdicts[index], multiple: true) }
            }
            session.unsettled -= batch.deliveries.count
        }
        session.held = []
        session.lastActivity = .now
    }

    private func subscribe(
        _ link: AMQPLink, _ session: inout ConsumerSession, _ wantsDeliveries: Bool
    ) throws(RabbitMQError) {
        link.limitRequests(.after(configuration.requestTimeout))
        if wantsDeliveries {
            session.endingSince = nil
            if session.consumerTag == nil { session.consumerTag = try link.consume(queue: session.queue) }
        } else if let tag = session.consumerTag {
            session.endingSince = session.endingSince ?? .now
            guard isQuiet(session) else { return }
            try link.cancel(consumer: tag)
            session.consumerTag = nil
            session.endingSince = nil
        }
    }

    /// Whether no delivery is on its way to us. What a quorum queue has sent and the broker's side of the channel has
    /// not passed on when it is cancelled counts as delivered and goes to the queue's tail. So acknowledgements, which
    /// draw new deliveries, are held back until all of the prefetch is here or nothing has come for a while.
    private func isQuiet(_ session: ConsumerSession) -> Bool {
        if session.unsettled >= options.prefetch { return true }
        return ContinuousClock.now >= quietAt(session)
    }

    private func quietAt(_ session: ConsumerSession) -> ContinuousClock.Instant {
        let quiet = session.lastActivity.advanced(by: .milliseconds(100))
        return session.endingSince.map { min(quiet, $0.advanced(by: .seconds(1))) } ?? quiet
    }

    private func hear(_ link: AMQPLink, _ session: inout ConsumerSession) throws(RabbitMQError) {
        while let event = try link.nextEvent() {
            switch event {
            case .delivered(let delivery):
                if session.buffer.isEmpty { session.bufferedSince = .now }
                session.buffer.append(delivery)
                session.unsettled += 1
                session.lastActivity = .now
            case .consumerCancelled:
                throw RabbitMQError(.notFound, "the broker ended the subscription to queue \(session.queue)")
            case .confirmed, .returned, .blocked, .unblocked:
                break
            }
        }
    }

    private func handOver(
        _ session: inout ConsumerSession, _ batches: AsyncStream<DeliveryBatch>.Continuation, atOnce: Bool
    ) {
        guard !session.isHandlerBusy, !session.buffer.isEmpty else { return }
        let isDue =
            atOnce || session.buffer.count >= options.batchSize
            || ContinuousClock.now >= session.bufferedSince.advanced(by: options.batchWindow)
        guard isDue else { return }
        let deliveries = Array(session.buffer.prefix(options.batchSize))
        session.buffer.removeFirst(deliveries.count)
        session.isHandlerBusy = true
        batches.yield(DeliveryBatch(generation: session.generation, deliveries: deliveries))
    }

    private func wakeUp(_ link: AMQPLink, _ session: ConsumerSession) -> Deadline {
        var deadline = Deadline.after(link.tick)
        if let end = session.end { deadline = min(deadline, end) }
        if session.endingSince != nil { deadline = min(deadline, Deadline(quietAt(session))) }
        if !session.isHandlerBusy, !session.buffer.isEmpty {
            deadline = min(deadline, Deadline(session.bufferedSince.advanced(by: options.batchWindow)))
        }
        return deadline
    }

    private func poll(_ link: AMQPLink, until deadline: Deadline) throws(RabbitMQError) {
        do {
            _ = try wait.wait(for: .readable, on: link.socket, until: deadline)
        } catch {
            throw RabbitMQError(.connectionLost, "\(configuration): \(error)")
        }
    }
}
