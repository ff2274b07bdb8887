package import Foundation

/// `POST /api/v1/internal/sessions`: identity asks session to open one. Doing it twice is as good as once: `sid` decides.
package struct CreateSessionRequest: Codable, Sendable, Hashable {
    package var sessionID: UUID
    package var user: UserSnapshot
    /// How the user proved who they are (RFC 8176).
    package var methods: [String]
    package var authenticatedAt: Date
    package var mustChangePassword: Bool
    package var userAgent: String?
    package var ip: String?
    /// The tenant's; nil for one that asks for nothing of its own.
    package var policy: SessionPolicy?
    /// Whether the device has shown that the user signed in with it before; nil is no.
    package var isKnownDevice: Bool?

    package init(
        sessionID: UUID, user: UserSnapshot, methods: [String], authenticatedAt: Date, mustChangePassword: Bool,
        userAgent: String? = nil, ip: String? = nil, policy: SessionPolicy? = nil,
        isKnownDevice: Bool? = nil
    ) {
        self.sessionID = sessionID
        self.user = user
        self.methods = methods
        self.authenticatedAt = authenticatedAt
        self.mustChangePassword = mustChangePassword
        self.userAgent = userAgent
        self.ip = ip
        self.policy = policy
        self.isKnownDevice = isKnownDevice
    }

    package enum CodingKeys: String, CodingKey {
        case sessionID = "sid"
        case user
        case methods = "amr"
        case authenticatedAt = "auth_time"
        case mustChangePassword = "must_change_password"
        case userAgent = "user_agent"
        case ip, policy
        case isKnownDevice = "known_device"
    }
}

/// The answer: the session's first refresh token.
package struct CreateSessionAnswer: Codable, Sendable, Hashable {
    package var refreshToken: String
    package var refreshExpiresAt: Date

    package init(refreshToken: String, refreshExpiresAt: Date) {
        self.refreshToken = refreshToken
        self.refreshExpiresAt = refreshExpiresAt
    }

    package enum CodingKeys: String, CodingKey {
        case refreshToken = "refresh_token"
        case refreshExpiresAt = "refresh_expires_at"
    }
}

/// `POST /api/v1/internal/sessions/withdraw`: a login was refused after its session had been opened. The session ends; doing it
/// twice is as good as once.
package struct WithdrawSessionRequest: Codable, Sendable, Hashable {
    package var sessionID: UUID
    package var tenantID: UUID
    package var userID: UUID

    package init(sessionID: UUID, tenantID: UUID, userID: UUID) {
        self.sessionID = sessionID
        self.tenantID = tenantID
        self.userID = userID
    }

    package enum CodingKeys: String, CodingKey {
        case sessionID = "sid"
        case tenantID = "tenant_id"
        case userID = "user_id"
    }
}

/// `POST /api/v1/internal/users/{user_id}/password-changed`: how an identity service of before tells session at once what the
/// event `identity.password.changed` guarantees (``IdentityEventsNotice``). Every session that began before, but one, ends.
package struct PasswordChangedNotice: Codable, Sendable, Hashable {
    package var tenantID: UUID
    package var changedAt: Date
    /// The session in which the password was changed: it stays.
    package var keptSessionID: UUID?

    package init(tenantID: UUID, changedAt: Date, keptSessionID: UUID?) {
        self.tenantID = tenantID
        self.changedAt = changedAt
        self.keptSessionID = keptSessionID
    }

    package enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case changedAt = "changed_at"
        case keptSessionID = "kept_session_id"
    }
}

/// How many sessions an act ended.
package struct RevokedCount: Codable, Sendable, Hashable {
    package var revoked: Int

    package init(revoked: Int) {
        self.revoked = revoked
    }
}
