package import ConnectionKit
package import Contracts
package import Foundation
package import Logging
package import MicroMiddleware
import ServiceLifecycle
import Synchronization

/// The queue of refreshes that session gave no answer to.
package protocol UnansweredRefreshStore: Sendable {
    /// Keeps one, and the event where there is one; both or neither.
    /// - Parameter expiry: when the token is over, so that nobody can come with it any more.
    /// - Returns: when the same token came before, as far as session has not been told of it; the earliest first.
    func note(
        _ refresh: UnansweredRefresh, until expiry: Date, event: DomainEvent?, deadline: Deadline
    ) async throws -> [Date]

    /// Those that have been waiting longest.
    func unansweredRefreshes(limit: Int, deadline: Deadline) async throws -> [NotedRefresh]

    /// How many wait, and since when.
    func unansweredBacklog(deadline: Deadline) async throws -> UnansweredBacklog

    /// Deletes those of which session has been told.
    func settle(_ ids: [Int64], deadline: Deadline) async throws
}

/// How long the queue is.
package struct UnansweredBacklog: Sendable, Hashable {
    /// More are not counted: how many there are costs time to say, and so many are too many.
    package static let mostCounted = 100_000

    package var count: Int
    /// When the first of them was asked.
    package var oldest: Date?

    package init(count: Int, oldest: Date?) {
        self.count = count
        self.oldest = oldest
    }
}

/// One of the queue.
package struct NotedRefresh: Sendable, Hashable {
    package var id: Int64
    package var refresh: UnansweredRefresh

    package init(id: Int64, refresh: UnansweredRefresh) {
        self.id = id
        self.refresh = refresh
    }
}

/// The session service, as it is told of refreshes that it gave no answer to.
package protocol RefreshSettling: Sendable {
    /// Twice is as good as once.
    func settle(_ notice: UnansweredRefreshNotice, scope: RequestScope) async throws
}

extension RemoteSessions: RefreshSettling {
    package func settle(_ notice: UnansweredRefreshNotice, scope: RequestScope) async throws {
        _ = try await client.post(
            "/api/v1/internal/refreshes/unanswered", body: notice, as: NoAnswer.self, scope: scope,
            isIdempotent: true)
    }
}

/// Tells session, as soon as it answers again, which refreshes it gave no answer to.
///
/// The token that a fallback gave back says that itself; this is for its owners who did not get that either, and come back
/// with the token of before. No broker is needed for it. What this service's database cannot take, memory keeps. What waits
/// for longer than its token is good for is dropped by housekeeping; two gauges tell how much waits, and for how long.
package final class UnansweredRefreshes: Service {
    /// For so long after it was asked session may still exchange the token: it is told until then, and once after.
    private static let patience: TimeInterval = 3
    /// Between two rounds while something waits, and when nothing is known to.
    private static let (pause, rest) = (Duration.milliseconds(500), Duration.seconds(5))
    /// Between two looks at how much waits.
    private static let lookInterval = Duration.seconds(10)
    /// What memory keeps at most; the oldest goes.
    private static let capacity = 4_096

    /// How many session is told of at once: fewer where it could not take that many in time, so that a slow one is told all
    /// the same.
    private struct Pace {
        static let (fewest, most) = (10, UnansweredRefreshNotice.maximumCount / 2)
        var count = most
        /// Whether there are more that it can be told of for good right away.
        var isPressed = false
    }

    private let store: any UnansweredRefreshStore
    private let sessions: any RefreshSettling
    private let logger: Logger
    private let now: @Sendable () -> Date
    private let unstored = Mutex<[UnansweredRefresh]>([])
    private let pace = Mutex(Pace())
    private let signal = WakeSignal()
    private let waiting: MetricGauge
    private let oldestAge: MetricGauge

    package init(
        store: any UnansweredRefreshStore, sessions: any RefreshSettling, metrics: MetricsRegistry, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.store = store
        self.sessions = sessions
        self.logger = logger
        self.now = now
        waiting = metrics.gauge(
            "authms_unanswered_refreshes",
            help: "Refreshes that the session service gave no answer to and has not been told of, up to 100000.")
        oldestAge = metrics.gauge(
            "authms_unanswered_refreshes_oldest_age_seconds",
            help: "Age of the oldest refresh that the session service gave no answer to and has not been told of.")
    }

    /// Keeps a refresh that session gave no answer to, and its event; does not fail, nor wait for long.
    /// - Parameter expiry: when the token is over.
    /// - Returns: when the same token came before, as far as session has not been told of it.
    package func note(
        _ refresh: UnansweredRefresh, until expiry: Date, event: DomainEvent?, scope: RequestScope
    ) async -> [Date] {
        defer { signal.wake() }
        do {
            return try await store.note(refresh, until: expiry, event: event, deadline: scope.deadline.forGlance)
        } catch {
            logger.warning(
                "a degraded refresh could not be recorded",
                metadata: ["request_id": "\(scope.requestID)", "error": "\(error)"])
            return unstored.withLock { unstored in
                let before = unstored.filter {
                    $0.sessionID == refresh.sessionID && $0.generation == refresh.generation
                }
                if unstored.count >= Self.capacity { unstored.removeFirst() }
                unstored.append(refresh)
                return before.map(\.askedAt)
            }
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var nextLook = Deadline.after(.zero)
            while !Task.isCancelled {
                if nextLook.hasPassed {
                    await look()
                    nextLook = .after(Self.lookInterval)
                }
                let isIdle = await settle()
                if isIdle {
                    await signal.wait(atMost: Self.rest)
                } else if !pace.withLock(\.isPressed) {
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
    }

    /// Sets the gauges: to what the database holds and this process's memory besides. Where the database cannot say, memory
    /// alone counts.
    package func look() async {
        let stored = try? await store.unansweredBacklog(deadline: .after(.seconds(1)))
        let kept = unstored.withLock { ($0.count, $0.first?.askedAt) }
        waiting.set(Int64((stored?.count ?? 0) + kept.0))
        let oldest = [stored?.oldest, kept.1].compactMap(\.self).min()
        oldestAge.set(max(0, oldest.map { now().timeIntervalSince($0) } ?? 0))
    }

    /// Tells session of what waits.
    /// - Returns: whether nothing waits any more.
    package func settle() async -> Bool {
        let half = pace.withLock { pace in
            pace.isPressed = false
            return pace.count
        }
        let stored = (try? await store.unansweredRefreshes(limit: half, deadline: .after(.seconds(1)))) ?? []
        let kept = unstored.withLock { Array($0.prefix(half)) }
        guard !stored.isEmpty || !kept.isEmpty else { return true }
        do {
            let refreshes = stored.map(\.refresh) + kept
            try await sessions.settle(
                UnansweredRefreshNotice(refreshes: refreshes), scope: RequestScope(deadline: .after(.seconds(2))))
            let due = now() - Self.patience
            unstored.withLock { unstored in unstored.removeAll { $0.askedAt < due && kept.contains($0) } }
            let told = stored.filter { $0.refresh.askedAt < due }.map(\.id)
            if !told.isEmpty { try await store.settle(told, deadline: .after(.seconds(1))) }
            pace.withLock { $0 = Pace(count: min(Pace.most, half * 2), isPressed: told.count == half) }
        } catch {
            pace.withLock { $0.count = max(Pace.fewest, half / 2) }
            logger.debug("session could not be told of refreshes", metadata: ["error": "\(error)"])
        }
        return false
    }
}
