import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What administrators see and end of their tenant's sessions.
struct AdminSessionController: Sendable {
    let repository: any SessionRepository
    let signOut: SignOut
    let now: @Sendable () -> Date

    init(repository: any SessionRepository, signOut: SignOut, now: @escaping @Sendable () -> Date = { Date() }) {
        self.repository = repository
        self.signOut = signOut
        self.now = now
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.sessionsRead, "sessions")
            .get(use: list)
            .get("active-count", use: activeCount)
            .get("stats", use: stats)
            .get(":session_id", use: session)
        group.requiring(.sessionsRevoke, "sessions")
            .post("bulk", use: endMany)
            .delete(":session_id", use: end)
            .delete("users/:user_id", use: endUser)
    }

    // MARK: - Reading

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AdminSessionView> {
        let (page, now) = (try Page(request), now())
        let found = try await repository.sessions(
            try SessionFilter(request), tenantID: context.identity.tenantID, offset: page.offset, limit: page.size,
            now: now, deadline: context.deadline.forStatement)
        return ListEnvelope(
            found.sessions.map { AdminSessionView($0, at: now) }, total: found.total, countedUpTo: page.countBound,
            page: page)
    }

    @Sendable private func session(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AdminSessionView> {
        let session = try await repository.session(
            try Self.sessionID(context), tenantID: context.identity.tenantID, deadline: context.deadline.forStatement)
        guard let session else { throw SessionError.sessionUnknown }
        return Envelope(AdminSessionView(session, at: now()))
    }

    @Sendable private func activeCount(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ActiveCountView> {
        let statistics = try await repository.statistics(
            of: context.identity.tenantID, now: now(), deadline: context.deadline.forStatement)
        return Envelope(ActiveCountView(sessions: statistics.activeSessions, users: statistics.activeUsers))
    }

    @Sendable private func stats(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SessionStatisticsView> {
        let statistics = try await repository.statistics(
            of: context.identity.tenantID, now: now(), deadline: context.deadline.forStatement)
        return Envelope(SessionStatisticsView(statistics))
    }

    // MARK: - Ending

    @Sendable private func end(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let count = try await signOut.end(
            these: [try Self.sessionID(context)], by: context.identity,
            actor: SessionActor(context, userID: context.identity.subject), deadline: context.deadline)
        guard count > 0 else { throw SessionError.sessionUnknown }
        return Envelope(RevokedCount(revoked: count), message: "ended")
    }

    @Sendable private func endMany(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let body = try await request.decode(as: BulkRequest.self, context: context)
        guard (1...BulkRequest.maximum).contains(body.sessionIDs.count) else {
            throw APIError.invalid("session_ids", "must have 1 to \(BulkRequest.maximum) ids")
        }
        let count = try await signOut.end(
            these: body.sessionIDs, by: context.identity,
            actor: SessionActor(context, userID: context.identity.subject), deadline: context.deadline)
        return Envelope(RevokedCount(revoked: count), message: "ended")
    }

    @Sendable private func endUser(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        guard let user = context.parameters.get("user_id", as: UUID.self) else {
            throw APIError.invalid("user_id", "must be a UUID")
        }
        let count = try await signOut.endAll(
            of: user, by: context.identity, actor: SessionActor(context, userID: context.identity.subject),
            deadline: context.deadline)
        return Envelope(RevokedCount(revoked: count), message: "ended")
    }

    private static func sessionID(_ context: AuthenticatedRequestContext) throws -> UUID {
        guard let id = context.parameters.get("session_id", as: UUID.self) else { throw SessionError.sessionUnknown }
        return id
    }
}

extension SessionFilter {
    /// Reads `status user_id ip device`.
    /// - Throws: ``APIError`` 422001 naming every parameter that is wrong.
    fileprivate init(_ request: Request) throws {
        let query = request.uri.queryParameters
        var violations: [Violation] = []
        func text(_ name: String, _ limit: Int) -> String? {
            guard let value = query[name[...]], !value.isEmpty else { return nil }
            guard value.utf8.count <= limit, !value.utf8.contains(0) else {
                violations.append(Violation(field: name, message: "must be a text of at most \(limit) bytes"))
                return nil
            }
            return String(value)
        }
        let status = text("status", 16).map { Status(rawValue: $0) } ?? .active
        let user = text("user_id", 64).map { UUID(uuidString: $0) }
        if status == nil {
            violations.append(Violation(field: "status", message: "must be active, revoked, expired or all"))
        }
        if user == .some(nil) { violations.append(Violation(field: "user_id", message: "must be a UUID")) }
        let (ip, device) = (text("ip", 45), text("device", 100))
        guard violations.isEmpty, let status else { throw APIError(.validationFailed, violations: violations) }
        self.init(status: status, userID: user ?? nil, ip: ip, device: device)
    }
}

// MARK: - Bodies

private struct BulkRequest: Decodable {
    static let maximum = 1_000
    let sessionIDs: [UUID]

    enum CodingKeys: String, CodingKey {
        case sessionIDs = "session_ids"
    }
}

private struct ActiveCountView: Encodable {
    let sessions: Int
    let users: Int

    enum CodingKeys: String, CodingKey {
        case sessions = "active_sessions"
        case users = "active_users"
    }
}

private struct SessionStatisticsView: Encodable {
    let activeSessions: Int
    let activeUsers: Int
    let byDevice: [String: Int]
    let openedToday: Int
    let endedToday: [String: Int]

    init(_ statistics: SessionStatistics) {
        activeSessions = statistics.activeSessions
        activeUsers = statistics.activeUsers
        byDevice = statistics.byDevice
        openedToday = statistics.openedToday
        endedToday = statistics.endedToday
    }

    enum CodingKeys: String, CodingKey {
        case activeSessions = "active_sessions"
        case activeUsers = "active_users"
        case byDevice = "by_device"
        case openedToday = "opened_24h"
        case endedToday = "ended_24h"
    }
}
