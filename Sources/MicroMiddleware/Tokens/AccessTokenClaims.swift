package import Contracts
package import Foundation

/// What an access token says (RFC 9068 with this suite's own claims). Times are whole seconds.
package struct AccessTokenClaims: Sendable, Hashable {
    /// `iss`
    package var issuer: String
    /// `aud`: the audience that the verifier accepted it for.
    package var audience: String
    /// `sub`: the user.
    package var subject: UUID
    /// `tenant_id`
    package var tenantID: UUID
    /// `roles`, at most `maximumListCount`.
    package var roles: [String]
    /// `permissions`: what the tenant's own roles among `roles` grant of the suite's permissions; left out when that is
    /// nothing, at most `maximumListCount`.
    package var permissions: [String] = []
    /// `sid`: the session.
    package var sessionID: UUID
    /// `jti`
    package var tokenID: UUID
    /// `iat`
    package var issuedAt: Date
    /// `exp`: the first second in which the token is no longer valid.
    package var expiresAt: Date
    /// `auth_time`: when the user last proved who they are.
    package var authenticatedAt: Date
    /// `amr` (RFC 8176), at most `maximumListCount`.
    package var methods: [String]
    /// `scope`, space-separated, where the token is narrower than its user.
    package var scope: String?
    /// `pwd_change`: the user must change the password before anything else.
    package var mustChangePassword: Bool

    /// The longest list of roles, methods or audiences that a token may carry.
    package static let maximumListCount = 64

    package init(
        issuer: String, audience: String, subject: UUID, tenantID: UUID, roles: [String], sessionID: UUID,
        tokenID: UUID, issuedAt: Date, expiresAt: Date, authenticatedAt: Date, methods: [String],
        scope: String? = nil, mustChangePassword: Bool = false, permissions: [String] = []
    ) {
        self.issuer = issuer
        self.audience = audience
        self.subject = subject
        self.tenantID = tenantID
        self.roles = roles
        self.sessionID = sessionID
        self.tokenID = tokenID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.authenticatedAt = authenticatedAt
        self.methods = methods
        self.scope = scope
        self.mustChangePassword = mustChangePassword
        self.permissions = permissions
    }

    /// What the token's roles allow, inside its tenant.
    /// Whether the token is good for one thing alone, and carries no role.
    package var isConfined: Bool { mustChangePassword || scope != nil }

    package var granted: GrantedPermissions { GrantedPermissions(roles: roles, extra: permissions) }
}

extension AccessTokenClaims: Encodable {
    package enum CodingKeys: String, CodingKey {
        case iss, aud, sub, roles, permissions, sid, jti, iat, exp, amr, scope
        case tenantID = "tenant_id"
        case authTime = "auth_time"
        case passwordChange = "pwd_change"
    }

    /// As the token carries it: identifiers in lower case, times in whole seconds.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(issuer, forKey: .iss)
        try container.encode(audience, forKey: .aud)
        try container.encode(subject.text, forKey: .sub)
        try container.encode(tenantID.text, forKey: .tenantID)
        try container.encode(roles, forKey: .roles)
        if !permissions.isEmpty { try container.encode(permissions, forKey: .permissions) }
        try container.encode(sessionID.text, forKey: .sid)
        try container.encode(tokenID.text, forKey: .jti)
        try container.encode(issuedAt.wholeSeconds, forKey: .iat)
        try container.encode(expiresAt.wholeSeconds, forKey: .exp)
        try container.encode(authenticatedAt.wholeSeconds, forKey: .authTime)
        try container.encode(methods, forKey: .amr)
        try container.encodeIfPresent(scope, forKey: .scope)
        if mustChangePassword { try container.encode(true, forKey: .passwordChange) }
    }
}

extension AccessTokenClaims {
    /// When the token was issued, to the millisecond where its identifier tells (a UUIDv7 made in the second of `iat`),
    /// else to the second. Revocation by time compares this, so that a token issued just after a password change in the
    /// same second outlives it and one issued just before does not.
    package var preciseIssueTime: Date {
        guard let made = tokenID.version7Time, made >= issuedAt, made < issuedAt.addingTimeInterval(1) else {
            return issuedAt
        }
        return made
    }
}

extension Date {
    /// Whole seconds since 1970, rounded down.
    var wholeSeconds: Int64 { Int64(timeIntervalSince1970.rounded(.down)) }
}

extension UUID {
    /// The millisecond in which a UUIDv7 (RFC 9562 §5.7) was made; nil for other versions.
    var version7Time: Date? {
        let bytes = uuid
        guard bytes.6 >> 4 == 7 else { return nil }
        var milliseconds: UInt64 = 0
        for byte in [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5] {
            milliseconds = milliseconds << 8 | UInt64(byte)
        }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }

    /// A UUIDv7 of the given moment, random in its other bits.
    static func version7(at date: Date) -> UUID {
        var bytes = UUID().uuid
        let milliseconds = UInt64(max(0, (date.timeIntervalSince1970 * 1_000).rounded(.down)))
        bytes.0 = UInt8(truncatingIfNeeded: milliseconds >> 40)
        bytes.1 = UInt8(truncatingIfNeeded: milliseconds >> 32)
        bytes.2 = UInt8(truncatingIfNeeded: milliseconds >> 24)
        bytes.3 = UInt8(truncatingIfNeeded: milliseconds >> 16)
        bytes.4 = UInt8(truncatingIfNeeded: milliseconds >> 8)
        bytes.5 = UInt8(truncatingIfNeeded: milliseconds)
        bytes.6 = bytes.6 & 0x0F | 0x70
        return UUID(uuid: bytes)
    }
}
