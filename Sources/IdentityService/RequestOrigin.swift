import Contracts
import Foundation
package import MicroMiddleware

/// Where a request came from, for the record of what it did.
package struct RequestOrigin: Sendable {
    package var ip: String?
    package var userAgent: String?
    package var scope: RequestScope

    package init(ip: String? = nil, userAgent: String? = nil, scope: RequestScope) {
        self.ip = ip
        self.userAgent = userAgent
        self.scope = scope
    }

    package init(_ context: some ServiceRequestContext) {
        self.init(ip: context.clientAddress, userAgent: context.userAgent, scope: context.scope)
    }

    /// An event about something else than a user, by somebody who is signed in.
    func event(
        _ type: EventType, subject: String, tenantID: UUID, by identity: AccessTokenClaims, message: String? = nil,
        details: [String: String]? = nil
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: subject, tenantID: tenantID,
            data: EventDetail(
                actorID: identity.subject, actorType: "user", sessionID: identity.sessionID, ip: ip,
                userAgent: userAgent, requestID: scope.requestID, status: .success, message: message, details: details))
    }

    /// An event about a user of this origin's making.
    func event(
        _ type: EventType, user: UUID, tenantID: UUID, actor: UUID?, session: UUID? = nil,
        status: EventStatus = .success, message: String? = nil, details: [String: String]? = nil,
        personal: [String: String]? = nil
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: user.text, tenantID: tenantID,
            data: EventDetail(
                actorID: actor, actorType: actor == nil ? "anonymous" : "user", sessionID: session, ip: ip,
                userAgent: userAgent, requestID: scope.requestID, status: status, message: message, details: details,
                personal: personal))
    }
}
