import ConnectionKit
import Contracts
import Logging
import MicroMiddleware

/// Ends the session of a login that is refused after the session was opened. Nobody has a token of it; but it would be
/// listed, and count against the tenant's limit.
struct SessionWithdrawal: Sendable {
    /// What session knows of it.
    enum Standing {
        /// Session has opened it.
        case open
        /// Session has only been left word of it.
        case announced
        /// Session gave no answer, or may have been left word of it.
        case unknown
    }

    let repository: any IdentityRepository
    let sessions: any SessionOpening
    let logger: Logger

    /// Whether session has said of an opening that it did not open.
    static func isRefusal(_ error: any Error) -> Bool {
        if case .rejected(_, 400..<500, _)? = error as? ServiceCallError { true } else { false }
    }

    /// Tells session at once, or by an event where that cannot be. Does not fail: the login is refused either way.
    ///
    /// What is left of the request's time may be nothing, so this has its own.
    ///
    /// - Parameter standing: where session has only been left word of it, it hears of this in the same way, and after that.
    ///   Where nobody knows, it is told in both ways: what is still under way is over when the event comes.
    func withdraw(_ request: CreateSessionRequest, _ standing: Standing, origin: RequestOrigin) async {
        let user = request.user
        if standing != .announced {
            let scope = RequestScope(
                requestID: origin.scope.requestID, trace: origin.scope.trace, deadline: .after(Budget.session))
            do {
                try await sessions.withdraw(
                    WithdrawSessionRequest(sessionID: request.sessionID, tenantID: user.tenantID, userID: user.id),
                    scope: scope)
                if standing == .open { return }
            } catch {
                logger.info(
                    "session hears by an event that a login was refused after all",
                    metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
            }
        }
        do {
            let event = try origin.event(
                .sessionWithdrawn, user: user.id, tenantID: user.tenantID, actor: user.id, session: request.sessionID)
            try await repository.append(event, deadline: .after(Budget.glance))
        } catch {
            logger.warning(
                "a session stays whose login was refused",
                metadata: [
                    "request_id": "\(origin.scope.requestID)", "session_id": "\(request.sessionID.text)",
                    "error": "\(error)",
                ])
        }
    }
}
