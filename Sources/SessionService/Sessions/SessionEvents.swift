package import Contracts
import Foundation

/// The `data` of `session.revoked`: the revocation that every verifier applies, beside who did it.
package struct SessionRevokedDetail: Codable, Sendable {
    package var actorID: String?
    package var actorType: String
    package var sessionID: String?
    package var userID: String?
    package var ip: String?
    package var userAgent: String?
    package var requestID: String?
    package var status: EventStatus
    package var message: String
    package var revocation: Revocation

    package enum CodingKeys: String, CodingKey {
        case actorID = "actor_id"
        case actorType = "actor_type"
        case sessionID = "session_id"
        case userID = "user_id"
        case ip
        case userAgent = "user_agent"
        case requestID = "request_id"
        case status, message, revocation
    }
}

extension SessionActor {
    /// An event about a session of this actor's making.
    func event(_ type: EventType, session: Session, at time: Date, message: String? = nil) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: session.id.text, tenantID: session.tenantID, time: time,
            data: EventDetail(
                actorID: userID ?? session.userID, actorType: "user", sessionID: session.id, ip: ip,
                userAgent: userAgent, requestID: requestID, status: .success, message: message,
                details: ["device": session.device]))
    }

    /// That a session began on a device not seen before. Its user is told by mail, so only devices are named whose names are
    /// ours: a stranger's text has no business there.
    func newDeviceEvent(_ session: Session) throws -> DomainEvent {
        try DomainEvent(
            type: .deviceNew, subject: session.userID.text, tenantID: session.tenantID, time: session.createdAt,
            data: EventDetail(
                actorID: session.userID, actorType: "user", sessionID: session.id, ip: ip, userAgent: userAgent,
                requestID: requestID, status: .success,
                details: DeviceName.recognised(session.userAgent).map { ["device": $0] }))
    }

    /// The event of one revocation.
    func event(
        _ revocation: Revocation, tenantID: UUID, owner: UUID?, reason: RevocationReason, at time: Date
    ) throws -> DomainEvent {
        try DomainEvent(
            type: .sessionRevoked, subject: revocation.subjectID.text, tenantID: tenantID, time: time,
            data: SessionRevokedDetail(
                actorID: userID?.text, actorType: userID == nil ? "service" : "user",
                sessionID: revocation.kind == .session ? revocation.subjectID.text : nil, userID: owner?.text, ip: ip,
                userAgent: userAgent, requestID: requestID, status: .success, message: reason.rawValue,
                revocation: revocation))
    }
}
