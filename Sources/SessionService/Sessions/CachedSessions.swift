package import ConnectionKit
package import Foundation
package import MicroMiddleware

/// What a user's list shows of one session.
package struct SessionSummary: Sendable, Hashable, Codable {
    package var id: UUID
    package var device: String
    package var userAgent: String?
    package var ip: String?
    package var lastIP: String?
    package var createdAt: Date
    package var rotatedAt: Date
    package var idleExpiresAt: Date
    /// Nil in a list that a version of before has cached.
    package var confirmedAt: Date?

    package init(_ session: Session) {
        id = session.id
        device = session.device
        userAgent = session.userAgent
        ip = session.ip
        lastIP = session.lastIP
        createdAt = session.createdAt
        rotatedAt = session.rotatedAt
        idleExpiresAt = session.idleExpiresAt
        confirmedAt = session.confirmedAt
    }
}

/// Users' lists of their sessions, through the cache.
///
/// A new session is in the list at once, and one that was ended is not: what this process has heard of revocations is applied
/// to whatever the cache says. Only when a session was used last may be as old as ``lifetime``.
package struct CachedSessions: Sendable {
    /// How long a list is kept.
    package static let lifetime = Duration.seconds(60)

    private let repository: any SessionRepository
    private let revocations: RevocationSet
    /// `nil` for none: then every read goes to the store.
    private let cache: CacheAside<[SessionSummary]>?

    package init(
        _ repository: any SessionRepository, revocations: RevocationSet, cache: CacheAside<[SessionSummary]>?
    ) {
        self.repository = repository
        self.revocations = revocations
        self.cache = cache
        cache?.preloading { tenantID, userID in
            try await repository.sessions(
                of: userID, tenantID: tenantID, now: Date(), deadline: .after(.seconds(1))
            ).map(SessionSummary.init)
        }
    }

    /// The user's live sessions, the most recently used first, at most 200.
    package func sessions(
        of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> [SessionSummary] {
        let all = try await cached(userID, tenantID, now, deadline)
        return all.filter { session in
            now < session.idleExpiresAt
                && !revocations.contains(session: session.id, of: userID, in: tenantID) {
                    session.confirmedAt ?? session.rotatedAt
                }
        }
    }

    private func cached(
        _ userID: UUID, _ tenantID: UUID, _ now: Date, _ deadline: Deadline
    ) async throws -> [SessionSummary] {
        let load = {
            try await repository.sessions(of: userID, tenantID: tenantID, now: now, deadline: deadline)
                .map(SessionSummary.init)
        }
        guard let cache else { return try await load() }
        return try await cache.value(of: userID, in: tenantID, for: userID, deadline: deadline, load: load) ?? []
    }

    /// A session was opened: the list is another one.
    package func opened(_ session: Session) async {
        await cache?.forget(session.userID, in: session.tenantID)
    }
}
