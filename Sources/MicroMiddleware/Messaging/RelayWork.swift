internal import ConnectionKit
internal import Contracts
internal import Logging
internal import Postgres

/// The work of the relay that leads: number, publish, remember how far.
struct RelayWork: Sendable {
    let stream: EventStream
    let publisher: any EventPublisher
    let configuration: RelayConfiguration
    let metrics: RelayMetrics
    let logger: Logger

    /// How long to wait for the wake-up; grows while nothing happens.
    var idle: IdlePace
    /// Whether the last step had as much to do as one may: then more is waiting, and the relay should not linger.
    private(set) var isPressed = false
    /// How many events the last step published.
    private(set) var lastCount = 0
    /// What has been numbered in this term and not yet published, contiguous.
    private var waiting: [CloudEvent] = []
    private var brokerBackoff = Backoff(base: .milliseconds(100), limit: .seconds(5))
    private var brokerRetry = Deadline.after(.zero)
    private var nextMeasure = Deadline.after(.zero)
    private var isBrokerDown = false

    init(
        stream: EventStream, publisher: any EventPublisher, configuration: RelayConfiguration, metrics: RelayMetrics,
        logger: Logger
    ) {
        self.stream = stream
        self.publisher = publisher
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        idle = IdlePace(limit: configuration.idleInterval)
    }

    /// Does what there is to do, a batch at most; while the broker confirms a full batch, the next is numbered.
    ///
    /// - Returns: whether there was nothing to do, so that the relay may rest.
    mutating func step(on connection: PostgresConnection) async throws -> Bool {
        let (head, isWaiting) = try await stream.state(on: connection)
        try await measure(head, isWaiting: isWaiting, on: connection)
        isPressed = false
        lastCount = 0
        var isIdle = true
        if isWaiting, waiting.isEmpty, try await number(after: head.publishedPosition, on: connection) {
            isIdle = false
        }
        if brokerRetry.hasPassed, head.publishedPosition < head.position || !waiting.isEmpty {
            if try await publish(after: head.publishedPosition, moreWaits: isWaiting, on: connection) { isIdle = false }
        } else if isWaiting, isIdle, try await number(after: head.publishedPosition, on: connection) {
            isIdle = false
        }
        if !isIdle { idle.reset() }
        return isIdle
    }

    /// Numbers a batch and keeps it to publish.
    ///
    /// - Returns: whether there was anything to number.
    private mutating func number(after published: Int64, on connection: PostgresConnection) async throws -> Bool {
        keep(try await stream.number(atMost: configuration.batchSize, on: connection), after: published)
    }

    /// - Returns: whether there was anything.
    private mutating func keep(_ numbered: [CloudEvent], after published: Int64) -> Bool {
        guard let first = numbered.first else { return false }
        if numbered.count >= configuration.batchSize { isPressed = true }
        // What does not follow on, or is too much to keep, is read back when its turn comes.
        let next = (waiting.last?.position ?? published) + 1
        if first.position == next, waiting.count < configuration.batchSize * 4 { waiting += numbered }
        return true
    }

    /// - Parameter moreWaits: whether the outbox had more than what is published now.
    /// - Returns: whether anything was published or numbered.
    private mutating func publish(
        after published: Int64, moreWaits: Bool, on connection: PostgresConnection
    ) async throws -> Bool {
        if waiting.first?.position != published + 1 {
            let rows = try await connection.query(
                EventStream.eventsSQL(after: published, limit: configuration.batchSize))
            waiting = try stream.events(rows)
        }
        let batch = Array(waiting.prefix(configuration.batchSize))
        guard !batch.isEmpty else { return false }
        async let outcome = Self.attempt(batch, at: publisher, within: configuration.publishTimeout)
        var hasNumbered = false
        if moreWaits, batch.count == configuration.batchSize {
            hasNumbered = try await number(after: published, on: connection)
        }
        let failure = await outcome
        note(failure)
        let confirmed = failure.map { min($0.confirmedPrefix, batch.count) } ?? batch.count
        guard confirmed > 0 else { return hasNumbered }
        if confirmed >= configuration.batchSize { isPressed = true }
        try await connection.query(EventStream.publishedSQL(upTo: batch[confirmed - 1].position))
        waiting.removeFirst(confirmed)
        lastCount = confirmed
        metrics.published.increment(by: Int64(confirmed))
        return true
    }

    private static func attempt(
        _ batch: [CloudEvent], at publisher: any EventPublisher, within limit: Duration
    ) async -> EventPublishError? {
        do {
            try await publisher.publish(batch, deadline: .after(limit))
            return nil
        } catch {
            return error
        }
    }

    /// Remembers whether the broker is away, and says so when that changes.
    private mutating func note(_ failure: EventPublishError?) {
        if let failure {
            if !isBrokerDown {
                logger.warning("events cannot be published at the moment", metadata: ["error": "\(failure)"])
            }
            brokerRetry = .after(brokerBackoff.next())
        } else {
            if isBrokerDown { logger.notice("events are being published again") }
            brokerBackoff.reset()
        }
        isBrokerDown = failure != nil
    }

    /// Counting a backlog costs; every few seconds is enough.
    private mutating func measure(
        _ head: StreamHead, isWaiting: Bool, on connection: PostgresConnection
    ) async throws {
        guard isWaiting || head.publishedPosition < head.position else {
            metrics.backlog.set(0.0)
            metrics.oldestAge.set(0.0)
            return
        }
        guard nextMeasure.hasPassed else { return }
        nextMeasure = .after(.seconds(2))
        guard let row = try await connection.query(EventStream.backlogSQL).first else { return }
        metrics.backlog.set(try row.decode(Int64.self, "backlog"))
        metrics.oldestAge.set(try row.decode(Double.self, "oldest_age"))
    }

    /// Drops what nobody will ask for again; a bounded part of it, once a term.
    func dropOld(on connection: PostgresConnection) async throws {
        for _ in 0..<20 {
            let dropped = try await connection.query(EventStream.dropSQL(olderThan: configuration.replayWindow))
            if dropped.affectedRows < EventStream.dropLimit { return }
        }
    }
}

/// Waits that double from 10 ms up to a limit while nothing happens.
struct IdlePace: Sendable {
    let limit: Duration
    private var current = Duration.milliseconds(10)

    init(limit: Duration) {
        self.limit = limit
    }

    mutating func next() -> Duration {
        defer { current = min(limit, current * 2) }
        return min(limit, current)
    }

    mutating func reset() {
        current = .milliseconds(10)
    }
}
