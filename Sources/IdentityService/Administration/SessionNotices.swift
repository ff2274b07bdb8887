import ConnectionKit
package import Contracts
package import Logging
package import MicroMiddleware

/// The session service, as it is told of what has happened to users.
package protocol SessionTelling: Sendable {
    /// Twice is as good as once, also beside the same event from the broker.
    func tell(_ notice: IdentityEventsNotice, scope: RequestScope) async throws
}

/// Tells session at once, after the commit, that access was taken away or has changed. The event in the outbox guarantees that
/// session hears of it; this is for while the broker is away.
///
/// Best effort, and bounded in time: with session away, too, or too old to know of this, the event comes when the broker is
/// back, and nobody waits for that.
package struct SessionNotices: Sendable {
    /// What session is told of. Everything else may come later.
    private static let types: Set<EventType> = [
        .userDisabled, .userDeleted, .passwordChanged, .passwordReset, .rolesChanged, .membershipRemoved,
        .tenantSuspended,
    ]
    /// Of more than `mostAtOnce` in a call the last would wait for the first, and the call take longer than is waited for.
    private static let mostAtOnce = 50
    /// A tenant that is suspended is one event, but a role that changes is one for each who holds it. So many of them session
    /// is told of, as far as there is time for it; the other holders' wait for the broker.
    private static let mostInAll = 200

    private let sessions: any SessionTelling
    private let logger: Logger

    /// - Parameter sessions: with a breaker of its own: calls that are slow because they tell of many must not make logins
    ///   do without sessions.
    package init(_ sessions: any SessionTelling, logger: Logger) {
        self.sessions = sessions
        self.logger = logger
    }

    /// Does not fail, nor wait for longer than ``Budget/session`` in all. What is left of the request's time may be nothing, so
    /// this has its own.
    /// - Parameter events: as they are stored.
    package func tell(_ events: [DomainEvent], origin: RequestOrigin) async {
        var waiting = events.filter { Self.types.contains($0.type) }.prefix(Self.mostInAll)
        let scope = RequestScope(
            requestID: origin.scope.requestID, trace: origin.scope.trace, deadline: .after(Budget.session))
        do {
            while !waiting.isEmpty {
                try await sessions.tell(
                    IdentityEventsNotice(events: Array(waiting.prefix(Self.mostAtOnce))), scope: scope)
                waiting = waiting.dropFirst(Self.mostAtOnce)
            }
        } catch {
            logger.notice(
                "session was not told of what its events will tell it",
                metadata: [
                    "request_id": "\(origin.scope.requestID)", "events": "\(waiting.count)", "error": "\(error)",
                ])
        }
    }
}

extension RemoteSessions: SessionTelling {
    package func tell(_ notice: IdentityEventsNotice, scope: RequestScope) async throws {
        _ = try await client.post(
            "/api/v1/internal/identity-events", body: notice, as: NoAnswer.self, scope: scope, isIdempotent: true)
    }
}
