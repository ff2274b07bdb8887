package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Opening sessions, when identity asks, or taking them in when its event tells of one.
package struct Opening: Sendable {
    let repository: any SessionRepository
    let codec: RefreshTokenCodec
    let lifetime: SessionLifetime
    let recent: RecentSessions
    let announcer: RevocationAnnouncer
    let onOpened: @Sendable (Session) async -> Void
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, lifetime: SessionLifetime,
        recent: RecentSessions, announcer: RevocationAnnouncer,
        onOpened: @escaping @Sendable (Session) async -> Void = { _ in },
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.lifetime = lifetime
        self.recent = recent
        self.announcer = announcer
        self.onOpened = onOpened
        self.now = now
    }

    /// Doing it twice is as good as once: the id decides.
    /// - Throws: ``SessionError/sessionTaken``; ``SessionError/limitReached`` where the tenant would have it so.
    package func open(
        _ request: CreateSessionRequest, requestID: String?, deadline: Deadline
    ) async throws -> CreateSessionAnswer {
        let now = now()
        let session = Session(
            id: request.sessionID, user: request.user, methods: request.methods,
            authenticatedAt: request.authenticatedAt, mustChangePassword: request.mustChangePassword,
            userAgent: request.userAgent, ip: request.ip, origin: .login, lifetime: lifetime,
            policy: request.policy, now: now)
        let actor = SessionActor(
            userID: request.user.id, ip: request.ip, userAgent: request.userAgent, requestID: requestID)
        let opened = try await repository.insert(
            session, limit: limit(request.policy, now: now), isKnownDevice: request.isKnownDevice ?? false,
            actor: actor, deadline: deadline.forStatement)
        announcer.announce(opened.ended)
        recent.remember(opened.session, at: now)
        await onOpened(opened.session)
        return CreateSessionAnswer(
            refreshToken: try codec.encode(opened.session.refreshToken()),
            refreshExpiresAt: opened.session.idleExpiresAt)
    }

    /// Takes in a session that was begun while this service was away. Nobody has a refresh token of it.
    package func adopt(_ pending: PendingSession, tenantID: UUID, deadline: Deadline) async throws {
        let now = now()
        let user = UserSnapshot(
            id: pending.actorID, tenantID: tenantID, status: "active", roles: pending.roles,
            createdAt: pending.userCreatedAt)
        let session = Session(
            id: pending.sessionID, user: user, methods: pending.methods, authenticatedAt: pending.authenticatedAt,
            mustChangePassword: pending.mustChangePassword, userAgent: pending.userAgent, ip: pending.ip,
            origin: .adopted, lifetime: lifetime, policy: pending.policy, now: now)
        let actor = SessionActor(
            userID: pending.actorID, ip: pending.ip, userAgent: pending.userAgent, requestID: pending.requestID)
        // It has been signed in already: what is too many ends, whatever the tenant would have had then.
        var limit = limit(pending.policy, now: now)
        limit?.atLimit = .endOldest
        let opened = try await repository.insert(
            session, limit: limit, isKnownDevice: pending.isKnownDevice ?? false, actor: actor, deadline: deadline)
        announcer.announce(opened.ended)
        await onOpened(opened.session)
    }

    private func limit(_ policy: SessionPolicy?, now: Date) -> SessionLimit? {
        guard let policy, let maximum = policy.maximumSessions else { return nil }
        return SessionLimit(
            maximum: min(max(1, maximum), 1_000), atLimit: policy.atLimit,
            revokedUntil: lifetime.revokedUntil(from: now))
    }
}
