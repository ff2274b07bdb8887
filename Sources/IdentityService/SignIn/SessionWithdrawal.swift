import ConnectionKit
import Contracts
import Logging
import MicroMiddleware

/// Ends the session of a login that is refused after the session was opened. Nobody has a token of it; but it would be
/// listed, and count against the tenant's limit.
struct SessionWithdrawal: Sendable {
    let repository: any IdentityRepository
    let sessions: any SessionOpening
    let logger: Logger

    /// Tells session at once, or by an event where that cannot be. Does not fail: the login is refused either way.
    ///
    /// What is left of the request's time may be nothing, so this has its own.
    ///
    /// - Parameter isOpen: whether session has opened it. Where it has only been left word of it, it hears of this in the
    ///   same way, and after that.
    func withdraw(_ request: CreateSessionRequest, isOpen: Bool, origin: RequestOrigin) async {
        let user = request.user
        if isOpen {
            let scope = RequestScope(
                requestID: origin.scope.requestID, trace: origin.scope.trace, deadline: .after(Budget.session))
            do {
                return try await sessions.withdraw(
                    WithdrawSessionRequest(sessionID: request.sessionID, tenantID: user.tenantID, userID: user.id),
                    scope: scope)
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
