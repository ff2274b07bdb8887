internal import ConnectionKit
package import Contracts
package import Logging
package import Postgres
internal import ServiceLifecycle

/// How a relay works. The defaults are for production; tests shorten them.
package struct RelayConfiguration: Sendable {
    /// The most events numbered in one transaction, and published in one batch.
    package var batchSize = 500
    /// How long the relay waits between looks at an outbox that stays empty, at most; the wake-up comes sooner.
    package var idleInterval: Duration = .milliseconds(250)
    /// How far apart the relay's steps are while events trickle in, so that they share a transaction, a publication and a
    /// mark instead of costing one each. The first after a quiet moment does not wait, nor does what takes access away.
    package var linger: Duration = .milliseconds(100)
    /// The same while a step finds fewer than ``trickle`` events: so few are in less of a hurry than what each step costs the
    /// service, its database, the broker and the audit trail.
    package var longLinger: Duration = .milliseconds(250)
    package var trickle = 50
    /// How long one batch may take to be confirmed.
    package var publishTimeout: Duration = .seconds(10)
    /// How long a relay leads before it offers the lead to whoever waits for it, and so how long at most a stalled
    /// database holds it.
    package var term: Duration = .seconds(30)
    /// How long events are kept for replay after they are in the audit trail.
    package var replayWindow: Duration = .seconds(72 * 3_600)

    package init() {}
}

/// Numbers what services commit to their outbox and publishes it, in order, at least once.
///
/// Any number of replicas may run one; an advisory lock on a connection of its own lets one work at a time, and the next
/// takes over as soon as that connection is gone. Correctness does not hang on it: numbering is serialised by the lock
/// on the head's row, and a second publication of an event is dropped by its id at the consumer.
///
/// While the broker is away events are numbered all the same (audit can pull them over HTTP), and are published in order
/// once it is back.
package final class OutboxRelay: Service, Sendable {
    private let stream: EventStream
    private let signal: WakeSignal
    private let hurry: WakeSignal
    private let database: PostgresClient
    private let publisher: any EventPublisher
    private let configuration: RelayConfiguration
    private let metrics: RelayMetrics
    private let logger: Logger

    /// - Parameter database: the service's database; the relay keeps one connection of its own to it.
    package init(
        source: EventSource, outbox: Outbox, database: PostgresConfiguration, publisher: any EventPublisher,
        configuration: RelayConfiguration = RelayConfiguration(), metrics: MetricsRegistry, logger: Logger
    ) {
        stream = EventStream(source: source)
        signal = outbox.signal
        hurry = outbox.hurry
        var dedicated = database
        dedicated.poolSize = 1
        dedicated.applicationName += "-relay"
        // The connection is only ever replaced between two terms.
        self.database = PostgresClient(configuration: dedicated, logger: logger)
        self.publisher = publisher
        self.configuration = configuration
        self.metrics = RelayMetrics(metrics, source: source)
        self.logger = logger
    }

    /// Relays until graceful shutdown or cancellation; a batch in hand is finished first.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await lead()
        } onGracefulShutdown: { [signal, hurry] in
            signal.wake()
            hurry.wake()
        }
        await database.close()
    }

    private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    /// One term after another.
    private func lead() async {
        var backoff = Backoff(base: .milliseconds(50), limit: .seconds(1))
        var isWarned = false
        while !isStopping {
            do {
                // Past its term a relay may still have a batch in flight.
                let deadline = Deadline.after(configuration.term + configuration.publishTimeout * 2)
                try await database.withConnection(deadline: deadline) { connection in
                    try await leadTerm(on: connection)
                }
                backoff.reset()
                isWarned = false
            } catch {
                guard !isStopping else { return }
                if !isWarned {
                    logger.warning("the outbox cannot be relayed at the moment", metadata: ["error": "\(error)"])
                    isWarned = true
                }
                await pause(backoff.next())
            }
        }
    }

    private func pause(_ duration: Duration) async {
        await cancelWhenGracefulShutdown { try? await Task.sleep(for: duration) }
    }

    private func leadTerm(on connection: PostgresConnection) async throws {
        guard try await acquireLead(on: connection) else { return }
        metrics.isLeading.set(1.0)
        defer { metrics.isLeading.set(0.0) }
        var work = RelayWork(
            stream: stream, publisher: publisher, configuration: configuration, metrics: metrics, logger: logger)
        let end = Deadline.after(configuration.term)
        var next = Deadline.after(.zero)
        try await work.dropOld(on: connection)
        while !isStopping, !end.hasPassed {
            let begin = ContinuousClock.now
            if try await work.step(on: connection) {
                await signal.wait(atMost: min(work.idle.next(), end.remaining))
            } else {
                let isTrickle = work.lastCount < configuration.trickle
                next = Deadline(begin.advanced(by: isTrickle ? configuration.longLinger : configuration.linger))
            }
            if !work.isPressed, !next.hasPassed { await hurry.wait(atMost: min(next.remaining, end.remaining)) }
        }
        try await connection.query("SELECT pg_advisory_unlock(\(Self.lockKey))")
    }

    /// - Returns: false when another has led all the while, so that it is time to ask anew.
    private func acquireLead(on connection: PostgresConnection) async throws -> Bool {
        let free = try await connection.query("SELECT pg_try_advisory_lock(\(Self.lockKey)) AS is_ours")
        if try free.first?.decode(Bool.self, "is_ours") == true { return true }
        // The server itself hands the lock over, in the moment in which the leader's connection ends.
        return try await cancelWhenGracefulShutdown { [term = configuration.term] in
            do {
                let limit = "\(max(1, term.components.seconds))s"
                try await connection.query("SELECT set_config('lock_timeout', \(limit), false)")
                try await connection.query("SELECT pg_advisory_lock(\(Self.lockKey))")
                return true
            } catch let error as PostgresError where error.sqlState == "55P03" {
                return false
            }
        }
    }

    /// The bytes of "outbox" as a number: one relay for each database.
    static let lockKey: Int64 = 0x6F_7574_626F_78
}

/// What a relay counts.
struct RelayMetrics: Sendable {
    let published: MetricCounter
    let backlog: MetricGauge
    let oldestAge: MetricGauge
    let isLeading: MetricGauge

    init(_ metrics: MetricsRegistry, source: EventSource) {
        let labels = [("source", source.rawValue)]
        published = metrics.counter(
            "authms_outbox_published_total", help: "Events confirmed by the broker.", labels: labels)
        backlog = metrics.gauge(
            "authms_outbox_backlog_events", help: "Events committed and not yet published.", labels: labels)
        oldestAge = metrics.gauge(
            "authms_outbox_oldest_age_seconds", help: "Age of the oldest event not yet published.", labels: labels)
        isLeading = metrics.gauge(
            "authms_outbox_relay_is_leading", help: "Whether this process's relay is the active one.", labels: labels)
    }
}
