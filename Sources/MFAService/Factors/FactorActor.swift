import Contracts
package import Foundation
package import MicroMiddleware

/// Who does something to a user's factors and from where, for the record of it.
package struct FactorActor: Sendable, Hashable {
    package var userID: UUID?
    package var sessionID: UUID?
    package var ip: String?
    package var userAgent: String?
    package var requestID: String?

    package init(
        userID: UUID? = nil, sessionID: UUID? = nil, ip: String? = nil, userAgent: String? = nil,
        requestID: String? = nil
    ) {
        self.userID = userID
        self.sessionID = sessionID
        self.ip = ip
        self.userAgent = userAgent
        self.requestID = requestID
    }

    package init(_ context: AuthenticatedRequestContext) {
        self.init(
            userID: context.identity.subject, sessionID: context.identity.sessionID, ip: context.clientAddress,
            userAgent: context.userAgent, requestID: context.requestID)
    }

    /// An event about a user's factors.
    func event(
        _ type: EventType, of user: UUID, tenantID: UUID, at time: Date, status: EventStatus = .success,
        message: String? = nil, details: [String: String] = [:]
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: user.text, tenantID: tenantID, time: time,
            data: EventDetail(
                actorID: userID, actorType: userID == nil ? "anonymous" : "user", sessionID: sessionID, ip: ip,
                userAgent: userAgent, requestID: requestID, status: status, message: message,
                details: details.isEmpty ? nil : details))
    }
}
