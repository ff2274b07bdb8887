import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What signed-in users see and end of their own sessions.
struct MySessionsController: Sendable {
    let repository: any SessionRepository
    let sessions: CachedSessions
    let signOut: SignOut
    let now: @Sendable () -> Date

    init(
        repository: any SessionRepository, sessions: CachedSessions, signOut: SignOut,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.sessions = sessions
        self.signOut = signOut
        self.now = now
    }

    /// Adds the routes to a group at `api/v1`: under the names of identity's listing and of session's own.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        for path in ["auth/me/sessions", "sessions"] {
            group.group(RouterPath(path))
                .get(use: list)
                .delete(use: endOthers)
                .get(":session_id", use: session)
                .delete(":session_id", use: end)
        }
        group.post("sessions/:session_id/validate", use: validate)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<SessionView> {
        let identity = context.identity
        let page = try Page(request)
        let sessions = try await sessions.sessions(
            of: identity.subject, tenantID: identity.tenantID, now: now(), deadline: context.deadline.forStatement)
        let items = sessions.dropFirst(page.offset).prefix(page.size)
        return ListEnvelope(
            items.map { SessionView($0, current: identity.sessionID) }, total: sessions.count,
            countedUpTo: Session.mostListed, page: page)
    }

    @Sendable private func session(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SessionView> {
        let identity = context.identity
        let session = try await repository.session(
            try Self.sessionID(context), tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        guard let session, session.userID == identity.subject, session.isAlive(at: now()) else {
            throw SessionError.sessionUnknown
        }
        return Envelope(SessionView(SessionSummary(session), current: identity.sessionID))
    }

    /// Whoever may read the tenant's sessions may ask about any of them.
    @Sendable private func validate(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SessionVerdictView> {
        let identity = context.identity
        let session = try await repository.session(
            try Self.sessionID(context), tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        guard let session,
            session.userID == identity.subject || identity.granted.contains(.sessionsRead)
        else { throw SessionError.sessionUnknown }
        return Envelope(SessionVerdictView(session, at: now()))
    }

    @Sendable private func end(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let actor = SessionActor(context, userID: context.identity.subject)
        try await signOut.end(
            try Self.sessionID(context), by: context.identity, actor: actor, deadline: context.deadline)
        return Envelope(RevokedCount(revoked: 1), message: "signed out")
    }

    @Sendable private func endOthers(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let actor = SessionActor(context, userID: context.identity.subject)
        let count = try await signOut.endOthers(by: context.identity, actor: actor, deadline: context.deadline)
        return Envelope(RevokedCount(revoked: count), message: "every other session is signed out")
    }

    private static func sessionID(_ context: AuthenticatedRequestContext) throws -> UUID {
        guard let id = context.parameters.get("session_id", as: UUID.self) else { throw SessionError.sessionUnknown }
        return id
    }
}
