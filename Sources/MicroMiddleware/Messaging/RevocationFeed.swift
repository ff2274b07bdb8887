internal import ConnectionKit
internal import Contracts
internal import Foundation
package import Logging
package import RabbitMQ
package import Redis
internal import ServiceLifecycle
internal import Synchronization

/// Keeps a process's ``RevocationSet`` fresh.
///
/// Three ways: events from the broker (milliseconds), a poll of Redis, and where Redis does not answer a pull from the
/// session service (twice a second). Redis is polled while events come too, since a broker that is stalled, or that
/// takes nothing under an alarm, looks well to who only listens. The session service is asked all the while that the broker
/// is away and until it has answered once after that, since what was published before this process listened again is
/// nobody's to hear, and a Redis that was killed has forgotten the latest; and every five seconds anyway, for its database
/// is the truth. Whatever happens, nothing is taken out of the set before it expires.
package final class RevocationFeed: Service, Sendable {
    /// The sorted set in Redis: members are revocations as JSON, scores their sequence.
    package static let redisKey = "authms:revocations"

    private let set: RevocationSet
    private let consumer: RabbitMQConsumer
    private let fallback: RevocationFallback
    private let pollInterval: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - redis: nil in the process that has none.
    ///   - session: the client of the session service; nil in the session service itself, which reads its database.
    package init(
        set: RevocationSet, broker: RabbitMQConfiguration, redis: RedisClient?, session: ServiceClient?,
        pollInterval: Duration = .milliseconds(500), logger: Logger
    ) {
        self.set = set
        self.pollInterval = pollInterval
        self.logger = logger
        fallback = RevocationFallback(set: set, redis: redis, session: session)
        consumer = RabbitMQConsumer(
            configuration: broker,
            queue: .exclusive(
                exchange: EventTopology.exchange, routingKeys: [EventType.sessionRevoked.rawValue]),
            prefetch: 1_000, batchSize: 500, batchWindow: .zero, topology: .events, logger: logger
        ) { deliveries in
            for delivery in deliveries { Self.apply(delivery.body, to: set) }
            return deliveries.map { _ in .ack }
        }
    }

    /// Whether the set holds what was in force when the process started: for readiness.
    package var isSeeded: Bool { fallback.isSeeded }

    /// Waits until the set is seeded, but no longer than that: with Redis and the session service away nobody could say
    /// what is revoked, and a process that does not start helps nobody. What it hears later holds from then on.
    ///
    /// - Returns: whether it is.
    package func waitUntilSeeded(atMost limit: Duration) async -> Bool {
        let deadline = Deadline.after(limit)
        while !isSeeded, !deadline.hasPassed, (try? await Task.sleep(for: .milliseconds(5))) != nil {}
        return isSeeded
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.consumer.run() }
            group.addTask { await cancelWhenGracefulShutdown { await self.watch() } }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Reads all of it by the slower ways whenever events do not come, and once more after they have come back; else what
    /// is newest.
    private func watch() async {
        var owesPull = true
        var sincePull = Duration.zero
        while !Task.isCancelled {
            if !consumer.isAvailable { owesPull = true }
            let isListening = consumer.isAvailable
            if owesPull {
                async let isPulled = fallback.pull()
                await fallback.refresh()
                owesPull = await !isPulled || !isListening
            } else {
                await fallback.glance()
                if sincePull >= Self.pullInterval {
                    sincePull = .zero
                    _ = await fallback.pull()
                    set.prune()
                }
            }
            sincePull += pollInterval
            try? await Task.sleep(for: pollInterval)
        }
    }

    private static let pullInterval = Duration.seconds(5)

    /// Takes in the revocation of one message; what is no such message is none of ours.
    static func apply(_ body: [UInt8], to set: RevocationSet) {
        guard let event = try? CloudEvent(decoding: body), event.event.type == .sessionRevoked,
            let data = try? JSONDecoder().decode(RevokedData.self, from: Data(event.event.data.utf8))
        else { return }
        set.apply(data.revocation, now: event.event.time.date)
    }

    private struct RevokedData: Decodable {
        let revocation: Revocation
    }
}

/// Reads revocations from Redis, else from the session service.
final class RevocationFallback: Sendable {
    private struct State {
        var isSeeded = false
        /// What to ask the session service for next.
        var cursor: Int64 = 0
    }

    /// Sequences are transaction ids, and one may commit after later ones: so far back a poll of Redis looks again.
    static let overlap: Int64 = 50_000
    /// The same for a look beside the broker's events.
    static let glanceOverlap: Int64 = 2_000
    private static let timeout = Duration.milliseconds(500)
    private static let pageSize = 5_000

    private let set: RevocationSet
    private let redis: RedisClient?
    private let session: ServiceClient?
    private let state = Mutex(State())

    init(set: RevocationSet, redis: RedisClient?, session: ServiceClient?) {
        self.set = set
        self.redis = redis
        self.session = session
    }

    var isSeeded: Bool { state.withLock { $0.isSeeded } }

    /// All that Redis knows. What it does not, session is asked for beside it.
    func refresh() async {
        if let count = await readRedis(), count > 0 { state.withLock { $0.isSeeded = true } }
    }

    /// What is newest: from Redis where it answers, else from session.
    func glance() async {
        if await readRedis(overlap: Self.glanceOverlap) == nil { await pull() }
    }

    /// - Returns: how many were read; nil when Redis did not answer.
    private func readRedis(overlap: Int64 = RevocationFallback.overlap) async -> Int? {
        guard let redis else { return nil }
        var count = 0
        var lower = RedisScore.inclusive(Double(isSeeded ? max(0, set.highestSequence - overlap) : 0))
        while true {
            guard
                let page = try? await redis.zrangeByScore(
                    RevocationFeed.redisKey, from: lower, limit: Self.pageSize, deadline: .after(Self.timeout))
            else { return nil }
            for entry in page {
                guard let revocation = try? JSONDecoder().decode(Revocation.self, from: Data(entry.member)) else {
                    continue
                }
                set.apply(revocation)
            }
            count += page.count
            guard page.count == Self.pageSize, let last = page.last else { return count }
            lower = .exclusive(last.score)
        }
    }

    /// Everything that has come into force since the last pull.
    ///
    /// - Returns: whether session has told all of it.
    @discardableResult
    func pull() async -> Bool {
        guard let session else { return true }
        for _ in 0..<1_000 {
            let after = state.withLock { $0.cursor }
            guard
                let page = try? await session.get(
                    "/api/v1/internal/revocations?after=\(after)&limit=1000", as: Page.self,
                    scope: RequestScope(deadline: .after(Self.timeout)))
            else { return false }
            for revocation in page.revocations { set.apply(revocation) }
            // A cursor that goes back is a database that was restored: begin again.
            state.withLock { $0.cursor = page.next < after ? 0 : page.next }
            guard page.hasMore else { break }
        }
        state.withLock { $0.isSeeded = true }
        return true
    }

    /// `GET /api/v1/internal/revocations`
    private struct Page: Decodable {
        let revocations: [Revocation]
        let next: Int64
        let hasMore: Bool

        enum CodingKeys: String, CodingKey {
            case revocations, next
            case hasMore = "has_more"
        }
    }
}
