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
    let onOpened: @Sendable (Session) async -> Void
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, lifetime: SessionLifetime,
        recent: RecentSessions, onOpened: @escaping @Sendable (Session) async -> Void = { _ in },
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.lifetime = lifetime
        self.recent = recent
        self.onOpened = onOpened
        self.now = now
    }

    /// Doing it twice is as good as once: the id decides.
    /// - Throws: ``SessionError/sessionTaken``
    package func open(
        _ request: CreateSessionRequest, requestID: String?, deadline: Deadline
    ) async throws -> CreateSessionAnswer {
        let now = now()
        let session = Session(
            id: request.sessionID, user: request.user, methods: request.methods,
            authenticatedAt: request.authenticatedAt, mustChangePassword: request.mustChangePassword,
            userAgent: request.userAgent, ip: request.ip, origin: .login, lifetime: lifetime, now: now)
        let actor = SessionActor(
            userID: request.user.id, ip: request.ip, userAgent: request.userAgent, requestID: requestID)
        let opened = try await repository.insert(session, actor: actor, deadline: deadline.forStatement)
        recent.remember(opened, at: now)
        await onOpened(opened)
        return CreateSessionAnswer(
            refreshToken: try codec.encode(opened.refreshToken()), refreshExpiresAt: opened.idleExpiresAt)
    }

    /// Takes in a session that was begun while this service was away. Nobody has a refresh token of it.
    package func adopt(_ pending: PendingSession, tenantID: UUID, deadline: Deadline) async throws {
        let user = UserSnapshot(
            id: pending.actorID, tenantID: tenantID, status: "active", roles: pending.roles,
            createdAt: pending.userCreatedAt)
        let session = Session(
            id: pending.sessionID, user: user, methods: pending.methods, authenticatedAt: pending.authenticatedAt,
            mustChangePassword: pending.mustChangePassword, userAgent: pending.userAgent, ip: pending.ip,
            origin: .adopted, lifetime: lifetime, now: now())
        let actor = SessionActor(
            userID: pending.actorID, ip: pending.ip, userAgent: pending.userAgent, requestID: pending.requestID)
        await onOpened(try await repository.insert(session, actor: actor, deadline: deadline))
    }
}
