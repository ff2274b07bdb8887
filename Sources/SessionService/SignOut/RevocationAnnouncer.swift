package import Contracts
import ConnectionKit
import Foundation
package import Logging
package import MicroMiddleware
package import Redis
import ServiceLifecycle

/// Spreads revocations that the database has stored: into this process's set at once, into Redis beside the request.
///
/// Best effort: the event in the outbox is what guarantees that everyone hears. Whoever revokes never waits for Redis.
package final class RevocationAnnouncer: Service, Sendable {
    private let set: RevocationSet
    private let recent: RecentSessions
    private let redis: RedisClient?
    private let logger: Logger
    private let queue: AsyncStream<[Revocation]>
    private let enqueue: AsyncStream<[Revocation]>.Continuation

    package init(set: RevocationSet, recent: RecentSessions, redis: RedisClient?, logger: Logger) {
        self.set = set
        self.recent = recent
        self.redis = redis
        self.logger = logger
        (queue, enqueue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(10_000))
    }

    package func announce(_ revocations: [Revocation]) {
        guard !revocations.isEmpty else { return }
        for revocation in revocations {
            set.apply(revocation)
            if revocation.kind == .session { recent.forget(revocation.subjectID) }
        }
        enqueue.yield(revocations)
    }

    /// Writes into an emptied Redis what the database says is revoked: whoever starts next reads it there.
    package func restore(from repository: any SessionRepository) async {
        var after: Int64 = 0
        for _ in 0..<1_000 {
            guard
                let page = try? await repository.revocations(
                    after: after, limit: 5_000, now: Date(), deadline: .after(.seconds(2)))
            else { return }
            for revocation in page.revocations { set.apply(revocation) }
            await write(page.revocations)
            guard page.hasMore else { return }
            after = page.next
        }
    }

    /// Whether this process has heard that the session, or its user, was revoked.
    func isRevoked(_ session: Session) -> Bool {
        set.contains(session: session.id, of: session.userID, in: session.tenantID) { session.confirmedAt }
    }

    /// Whether that was an end of the session for certain; else the roles that it had may have been refused, and no more.
    func hasEnded(_ session: Session) -> Bool {
        set.contains(session: session.id, of: session.userID, in: session.tenantID, countingMembership: false) {
            session.confirmedAt
        }
    }

    /// Refreshing without the database, by the revocations that this process has heard of.
    func degradedRefresh(tokens: any AccessTokenMinting) -> DegradedRefresh {
        DegradedRefresh(tokens: tokens, revocations: set)
    }

    /// Writes to Redis until graceful shutdown.
    package func run() async throws {
        for await revocations in queue.cancelOnGracefulShutdown() {
            await write(revocations)
        }
    }

    private func write(_ revocations: [Revocation]) async {
        guard let redis else { return }
        do {
            for revocation in revocations {
                let member = String(decoding: try JSONEncoder().encode(revocation), as: UTF8.self)
                _ = try await redis.zadd(
                    RevocationFeed.redisKey, score: Double(revocation.sequence), member: RedisArgument(member),
                    deadline: .after(.milliseconds(500)))
            }
        } catch {
            logger.debug("a revocation was not written to Redis", metadata: ["error": "\(error)"])
        }
    }
}
