import Contracts
import Foundation

/// A session as its user sees it.
struct SessionView: Encodable {
    let id: String
    let device: String
    let userAgent: String?
    let ip: String?
    let lastIP: String?
    let network: String?
    let createdAt: Date
    let lastUsedAt: Date
    let expiresAt: Date
    let isCurrent: Bool

    init(_ session: SessionSummary, current: UUID) {
        id = session.id.text
        device = session.device
        userAgent = session.userAgent
        ip = session.ip
        lastIP = session.lastIP
        network = OriginNetwork.of(session.lastIP ?? session.ip)
        createdAt = session.createdAt
        lastUsedAt = session.rotatedAt
        expiresAt = session.idleExpiresAt
        isCurrent = session.id == current
    }

    enum CodingKeys: String, CodingKey {
        case id, device, ip, network
        case userAgent = "user_agent"
        case lastIP = "last_ip"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case expiresAt = "expires_at"
        case isCurrent = "is_current"
    }
}

/// A session as an administrator sees it.
struct AdminSessionView: Encodable {
    let session: Session
    let now: Date

    init(_ session: Session, at now: Date) {
        self.session = session
        self.now = now
    }

    private var status: SessionFilter.Status {
        session.end != nil ? .revoked : session.isAlive(at: now) ? .active : .expired
    }

    enum CodingKeys: String, CodingKey {
        case id, device, ip, network, status, username, roles, origin
        case userID = "user_id"
        case userAgent = "user_agent"
        case lastIP = "last_ip"
        case methods = "amr"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case expiresAt = "expires_at"
        case absoluteExpiresAt = "absolute_expires_at"
        case revokedAt = "revoked_at"
        case revokedReason = "revoked_reason"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(session.id.text, forKey: .id)
        try container.encode(session.userID.text, forKey: .userID)
        try container.encode(session.user.username, forKey: .username)
        try container.encode(session.user.roles, forKey: .roles)
        try container.encode(status.rawValue, forKey: .status)
        try container.encode(session.device, forKey: .device)
        try container.encode(session.userAgent, forKey: .userAgent)
        try container.encode(session.ip, forKey: .ip)
        try container.encode(session.lastIP, forKey: .lastIP)
        try container.encode(OriginNetwork.of(session.lastIP ?? session.ip), forKey: .network)
        try container.encode(session.methods, forKey: .methods)
        try container.encode(session.origin.rawValue, forKey: .origin)
        try container.encode(session.createdAt, forKey: .createdAt)
        try container.encode(session.rotatedAt, forKey: .lastUsedAt)
        try container.encode(session.idleExpiresAt, forKey: .expiresAt)
        try container.encode(session.absoluteExpiresAt, forKey: .absoluteExpiresAt)
        try container.encode(session.end?.at, forKey: .revokedAt)
        try container.encode(session.end?.reason.rawValue, forKey: .revokedReason)
    }
}

/// Whether a session may be used, and until when.
struct SessionVerdictView: Encodable {
    let valid: Bool
    let reason: String?
    let expiresAt: Date
    let id: String

    init(_ session: Session, at now: Date) {
        id = session.id.text
        valid = session.isAlive(at: now)
        reason = session.end?.reason.rawValue ?? (valid ? nil : "expired")
        expiresAt = session.idleExpiresAt
    }

    enum CodingKeys: String, CodingKey {
        case id, valid, reason
        case expiresAt = "expires_at"
    }
}
