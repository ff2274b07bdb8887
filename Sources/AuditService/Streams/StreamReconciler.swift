package import ConnectionKit
package import Contracts
import Foundation
package import Logging
package import MicroMiddleware
import Postgres
import ServiceLifecycle

/// Where a source's stream can be asked for.
package protocol StreamOrigin: Sendable {
    var source: EventSource { get }
    /// Where the stream ends.
    func head(deadline: Deadline) async throws -> StreamHeadAnswer
    /// The events after a position; empty when there are none.
    func events(after position: Int64, deadline: Deadline) async throws -> [CloudEvent]
    /// Tells the source how far the trail is complete, so that it may drop what is older than its replay window.
    func reconciled(upTo position: Int64, deadline: Deadline) async throws
}

/// A stream that another service serves on its internal paths.
package struct RemoteStreamOrigin: StreamOrigin {
    package let source: EventSource
    private let client: ServiceClient

    package init(source: EventSource, client: ServiceClient) {
        self.source = source
        self.client = client
    }

    package func head(deadline: Deadline) async throws -> StreamHeadAnswer {
        try await client.get(
            "/api/v1/internal/events/head", as: StreamHeadAnswer.self, scope: RequestScope(deadline: deadline))
    }

    package func events(after position: Int64, deadline: Deadline) async throws -> [CloudEvent] {
        let answer = try await client.get(
            "/api/v1/internal/events?after=\(position)&limit=500", as: StreamEventsAnswer.self,
            scope: RequestScope(deadline: deadline))
        return try answer.events.map { try CloudEvent(decoding: Array($0.utf8)) }
    }

    package func reconciled(upTo position: Int64, deadline: Deadline) async throws {
        _ = try await client.post(
            "/api/v1/internal/events/reconciled", body: StreamReconciled(position: position), as: NoAnswer.self,
            scope: RequestScope(deadline: deadline), isIdempotent: true)
    }
}

/// Compares every source's stream with the trail, and fetches what has not arrived: what a broker lost, what was purged
/// from a queue, and, while the broker is away, everything.
///
/// A source is asked only when nothing has arrived from it between two looks although it was ahead: while events flow
/// there is nothing to heal.
package actor StreamReconciler: Service {
    private let origin: any StreamOrigin
    private let store: AuditStore
    private let interval: Duration
    private let metrics: ReconcilerMetrics
    private let logger: Logger
    private let onHealed: @Sendable (Healing) async -> Void
    /// What the source's head was at the last look, and how far the trail was then.
    private var lastLook: (head: Int64, completeTo: Int64)?
    private var reported: Int64 = 0
    private var nextSave = Deadline.after(.zero)
    /// After a healing that found nothing, since what is missing cannot be stored, the next one waits.
    private var healingBackoff = Backoff(base: .seconds(2), limit: .seconds(60))
    private var nextHealing = Deadline.after(.zero)
    private var isUnreachable = false
    private var knownConflict: StreamProgress.Conflict?

    /// A gap that was closed.
    package struct Healing: Sendable, Hashable {
        package let source: EventSource
        /// The positions that were asked for: after this one …
        package let after: Int64
        /// … up to this one.
        package let upTo: Int64
        /// How many events were not in the trail.
        package let events: Int
    }

    package init(
        origin: any StreamOrigin, store: AuditStore, interval: Duration = .seconds(2), metrics: MetricsRegistry,
        logger: Logger, onHealed: @escaping @Sendable (Healing) async -> Void = { _ in }
    ) {
        self.origin = origin
        self.store = store
        self.interval = interval
        self.metrics = ReconcilerMetrics(metrics, source: origin.source)
        self.logger = logger
        self.onHealed = onHealed
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.look()
                // Apart from each other, so that replicas and sources do not ask in step.
                try? await Task.sleep(for: self.interval * Double.random(in: 0.8...1.2))
            }
        }
    }

    /// One comparison, and the healing that it asks for.
    ///
    /// - Returns: what was healed, if anything was.
    @discardableResult
    package func look() async -> Healing? {
        do {
            let healing = try await compare()
            isUnreachable = false
            return healing
        } catch {
            if !isUnreachable, !Task.isCancelled {
                logger.warning(
                    "a stream cannot be compared with the trail",
                    metadata: ["source": "\(origin.source.rawValue)", "error": "\(error)"])
            }
            isUnreachable = true
            return nil
        }
    }

    private func compare() async throws -> Healing? {
        // The trail first: what it holds came from the source, whose head can only be at or beyond it afterwards.
        var progress = try await store.progress(of: origin.source, deadline: .after(.seconds(5)))
        let head = try await origin.head(deadline: .after(.seconds(2)))
        let before = progress.conflict
        if let hash = Hex.bytes(head.hash, count: 32) {
            progress.compare(headPosition: head.position, headHash: hash)
        }
        warn(of: progress.conflict)
        if head.position != lastLook?.head || progress.conflict != before || nextSave.hasPassed {
            nextSave = .after(.seconds(30))
            try await store.saveHead(
                of: origin.source, position: head.position, conflict: progress.conflict, deadline: .after(.seconds(5)))
        }
        metrics.record(head: head.position, progress: progress)
        let healing = try await healIfStalled(head: head.position, progress)
        try await report(progress.completeTo)
        return healing
    }

    private func healIfStalled(head: Int64, _ progress: StreamProgress) async throws -> Healing? {
        let last = lastLook
        lastLook = (head, progress.completeTo)
        guard let last, progress.completeTo < last.head, progress.completeTo == last.completeTo,
            progress.conflict == nil, nextHealing.hasPassed
        else { return nil }
        let healing = try await heal(after: progress.completeTo, upTo: head)
        if healing.events > 0 {
            healingBackoff.reset()
        } else {
            nextHealing = .after(healingBackoff.next())
        }
        return healing
    }

    private func heal(after start: Int64, upTo head: Int64) async throws -> Healing {
        var position = start
        var stored = 0
        while position < head, !Task.isCancelled {
            let events = try await origin.events(after: position, deadline: .after(.seconds(10)))
            guard let last = events.last, last.position > position else { break }
            stored += try await storeAll(events)
            position = last.position
        }
        let healing = Healing(source: origin.source, after: start, upTo: position, events: stored)
        metrics.healed.increment(by: Int64(stored))
        if stored > 0 {
            logger.notice(
                "a stream was completed from its source",
                metadata: [
                    "source": "\(origin.source.rawValue)", "after": "\(start)", "up_to": "\(position)",
                    "events": "\(stored)",
                ])
            await onHealed(healing)
        }
        return healing
    }

    /// Stores the events; where one of them cannot be stored, the others.
    private func storeAll(_ events: [CloudEvent]) async throws -> Int {
        do {
            return try await store.store(events, healed: true, deadline: .after(.seconds(10))).stored
        } catch  where Self.isAboutEvent(error) {
            var stored = 0
            for event in events {
                do {
                    stored += try await store.store([event], healed: true, deadline: .after(.seconds(10))).stored
                } catch  where Self.isAboutEvent(error) {
                    logger.error(
                        "an event of a source cannot be stored",
                        metadata: [
                            "source": "\(origin.source.rawValue)", "position": "\(event.position)", "error": "\(error)",
                        ])
                }
            }
            return stored
        }
    }

    private static func isAboutEvent(_ error: any Error) -> Bool {
        error is AuditError || (error as? PostgresError)?.isAboutData == true
    }

    private func warn(of conflict: StreamProgress.Conflict?) {
        guard conflict != knownConflict else { return }
        knownConflict = conflict
        guard let conflict else { return }
        logger.critical(
            "a stream contradicts the audit trail",
            metadata: [
                "source": "\(origin.source.rawValue)", "position": "\(conflict.position)",
                "reason": "\(conflict.reason)",
            ])
    }

    private func report(_ completeTo: Int64) async throws {
        guard completeTo > reported else { return }
        try await origin.reconciled(upTo: completeTo, deadline: .after(.seconds(2)))
        reported = completeTo
    }
}

/// What a reconciler measures.
struct ReconcilerMetrics: Sendable {
    let healed: MetricCounter
    private let lag: MetricGauge
    private let hasConflict: MetricGauge

    init(_ metrics: MetricsRegistry, source: EventSource) {
        let labels = [("source", source.rawValue)]
        healed = metrics.counter(
            "authms_audit_healed_events_total", help: "Events fetched from their source because they had not arrived.",
            labels: labels)
        lag = metrics.gauge(
            "authms_audit_stream_lag_events", help: "Events that the source has and the trail has not.", labels: labels)
        hasConflict = metrics.gauge(
            "authms_audit_stream_conflict", help: "Whether the source contradicts the trail.", labels: labels)
    }

    func record(head: Int64, progress: StreamProgress) {
        lag.set(max(0, head - progress.completeTo))
        hasConflict.set(progress.conflict == nil ? 0.0 : 1.0)
    }
}
