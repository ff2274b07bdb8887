package import Foundation

/// The `data` of `identity.session.pending`: what the session service needs to adopt a session that it was not there to
/// open. It names the user by id alone.
package struct PendingSession: Codable, Sendable, Hashable {
    package var actorID: UUID
    package var sessionID: UUID
    package var roles: [String]
    package var methods: [String]
    package var authenticatedAt: Date
    package var mustChangePassword: Bool
    package var userCreatedAt: Date
    package var ip: String?
    package var userAgent: String?
    package var requestID: String?
    package var policy: SessionPolicy?
    /// As in ``CreateSessionRequest``.
    package var isKnownDevice: Bool?

    package init(
        actorID: UUID, sessionID: UUID, roles: [String], methods: [String], authenticatedAt: Date,
        mustChangePassword: Bool, userCreatedAt: Date, ip: String? = nil, userAgent: String? = nil,
        requestID: String? = nil, policy: SessionPolicy? = nil, isKnownDevice: Bool? = nil
    ) {
        self.actorID = actorID
        self.sessionID = sessionID
        self.roles = roles
        self.methods = methods
        self.authenticatedAt = authenticatedAt
        self.mustChangePassword = mustChangePassword
        self.userCreatedAt = userCreatedAt
        self.ip = ip
        self.userAgent = userAgent
        self.requestID = requestID
        self.policy = policy
        self.isKnownDevice = isKnownDevice
    }

    package enum CodingKeys: String, CodingKey {
        case actorID = "actor_id"
        case sessionID = "session_id"
        case roles
        case methods = "amr"
        case authenticatedAt = "auth_time"
        case mustChangePassword = "must_change_password"
        case userCreatedAt = "user_created_at"
        case ip
        case userAgent = "user_agent"
        case requestID = "request_id"
        case policy
        case isKnownDevice = "known_device"
    }

    /// Identifiers in lower case, as everywhere outside of Swift.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(actorID.text, forKey: .actorID)
        try container.encode(sessionID.text, forKey: .sessionID)
        try container.encode(roles, forKey: .roles)
        try container.encode(methods, forKey: .methods)
        try container.encode(authenticatedAt, forKey: .authenticatedAt)
        try container.encode(mustChangePassword, forKey: .mustChangePassword)
        try container.encode(userCreatedAt, forKey: .userCreatedAt)
        try container.encodeIfPresent(ip, forKey: .ip)
        try container.encodeIfPresent(userAgent, forKey: .userAgent)
        try container.encodeIfPresent(requestID, forKey: .requestID)
        try container.encodeIfPresent(policy, forKey: .policy)
        try container.encodeIfPresent(isKnownDevice, forKey: .isKnownDevice)
    }
}
