package import Foundation

/// `POST /api/v1/internal/challenges` of the mfa service: identity is about to ask a user for a second factor.
package struct OpenChallengeRequest: Codable, Sendable, Hashable {
    package var challengeID: UUID
    package var userID: UUID
    package var tenantID: UUID
    package var expiresAt: Date

    package init(challengeID: UUID, userID: UUID, tenantID: UUID, expiresAt: Date) {
        self.challengeID = challengeID
        self.userID = userID
        self.tenantID = tenantID
        self.expiresAt = expiresAt
    }

    package enum CodingKeys: String, CodingKey {
        case challengeID = "challenge_id"
        case userID = "user_id"
        case tenantID = "tenant_id"
        case expiresAt = "expires_at"
    }
}

/// The answer: what the user has, and what a browser needs to ask for a passkey where there is one.
package struct OpenChallengeAnswer: Codable, Sendable, Hashable {
    package var methods: [MFAMethod]
    package var webauthn: WebAuthnRequestOptions?

    package init(methods: [MFAMethod], webauthn: WebAuthnRequestOptions? = nil) {
        self.methods = methods
        self.webauthn = webauthn
    }
}

/// `POST /api/v1/internal/challenges/{challenge_id}/verify`: what the user answered. It can succeed once.
package struct VerifyChallengeRequest: Codable, Sendable, Hashable {
    package var userID: UUID
    package var tenantID: UUID
    package var method: MFAMethod
    /// Of a one-time password or a recovery code.
    package var code: String?
    /// Of a passkey.
    package var credential: WebAuthnCredential?
    package var ip: String?
    package var userAgent: String?

    package init(
        userID: UUID, tenantID: UUID, method: MFAMethod, code: String? = nil, credential: WebAuthnCredential? = nil,
        ip: String? = nil, userAgent: String? = nil
    ) {
        self.userID = userID
        self.tenantID = tenantID
        self.method = method
        self.code = code
        self.credential = credential
        self.ip = ip
        self.userAgent = userAgent
    }

    package enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case tenantID = "tenant_id"
        case method = "mfa_method"
        case code, credential, ip
        case userAgent = "user_agent"
    }
}

/// The answer: how the user proved it (RFC 8176), for the token's `amr`.
package struct VerifiedFactor: Codable, Sendable, Hashable {
    package var methods: [String]

    package init(methods: [String]) {
        self.methods = methods
    }

    package enum CodingKeys: String, CodingKey {
        case methods = "amr"
    }
}

/// One user's second factors as the mfa service tells identity of them.
package struct SecondFactorState: Codable, Sendable, Hashable {
    package var userID: UUID
    package var tenantID: UUID
    /// Empty for somebody who has none.
    package var methods: [MFAMethod]
    /// Rises with every change, by the clock, so that it goes on rising over a restore; an older state changes nothing.
    package var version: Int64

    package init(userID: UUID, tenantID: UUID, methods: [MFAMethod], version: Int64) {
        self.userID = userID
        self.tenantID = tenantID
        self.methods = methods
        self.version = version
    }

    package enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case tenantID = "tenant_id"
        case methods, version
    }
}

/// `POST /api/v1/internal/second-factors` of identity: it needs to know by itself whom to ask for a second factor, so that
/// those without one sign in while the mfa service is away. Doing it twice is as good as once.
package struct SecondFactorReport: Codable, Sendable, Hashable {
    /// At most ``maximumUsers``.
    package var users: [SecondFactorState]
    /// Rises from report to report; `nil` for one that only asks for the receipt.
    package var number: Int64?

    package static let maximumUsers = 200

    package init(users: [SecondFactorState], number: Int64? = nil) {
        self.users = users
        self.number = number
    }
}

/// The answer.
package struct SecondFactorReceipt: Codable, Sendable, Hashable {
    /// How many of the users were news.
    package var applied: Int
    /// The highest number of a report that was heard before this one. Lower than what was confirmed, it tells that the
    /// database was set back. `nil` from a version that does not count.
    package var last: Int64?

    package init(applied: Int, last: Int64? = nil) {
        self.applied = applied
        self.last = last
    }
}

/// `GET /api/v1/internal/tenants/{tenant_id}/users/{user_id}/mfa-enrolment` of identity: what the mfa service needs to set
/// up a second factor for somebody.
package struct MFAEnrolment: Codable, Sendable, Hashable {
    /// What an authenticator app shows: e-mail, username or phone.
    package var accountName: String
    /// What a passkey's account is shown as.
    package var displayName: String
    /// Whether the tenant lets its users have second factors.
    package var isAllowed: Bool

    package init(accountName: String, displayName: String, isAllowed: Bool) {
        self.accountName = accountName
        self.displayName = displayName
        self.isAllowed = isAllowed
    }

    package enum CodingKeys: String, CodingKey {
        case accountName = "account_name"
        case displayName = "display_name"
        case isAllowed = "is_allowed"
    }
}

/// `GET /api/v1/internal/tenants/{tenant_id}/users/{user_id}/authority` of identity: what a member may do in the tenant, for
/// who asks whether somebody may act on them.
package struct UserAuthority: Codable, Sendable, Hashable {
    package var roles: [String]
    /// What the tenant's own roles among `roles` grant of the suite's permissions.
    package var permissions: [String]
    /// What they grant of the permissions of the tenant's applications; `nil` from a version that does not say.
    package var applications: [String]?
    /// Of an account of this tenant, whether its user holds more than `member` in another, too; `nil` from a version that does
    /// not say.
    package var holdsMoreElsewhere: Bool?

    package init(
        roles: [String], permissions: [String], applications: [String]? = nil, holdsMoreElsewhere: Bool? = nil
    ) {
        self.roles = roles
        self.permissions = permissions
        self.applications = applications
        self.holdsMoreElsewhere = holdsMoreElsewhere
    }

    package enum CodingKeys: String, CodingKey {
        case roles, permissions, applications
        case holdsMoreElsewhere = "holds_more_elsewhere"
    }

    package var authority: Authority { Authority(roles: roles, extra: permissions + (applications ?? [])) }
}

/// `POST /api/v1/internal/passkey-challenges` of the mfa service: somebody is about to sign in by passkey alone. It is
/// answered as ``OpenChallengeRequest`` is.
package struct OpenPasskeyChallengeRequest: Codable, Sendable, Hashable {
    package var challengeID: UUID
    package var tenantID: UUID
    package var expiresAt: Date

    package init(challengeID: UUID, tenantID: UUID, expiresAt: Date) {
        self.challengeID = challengeID
        self.tenantID = tenantID
        self.expiresAt = expiresAt
    }

    package enum CodingKeys: String, CodingKey {
        case challengeID = "challenge_id"
        case tenantID = "tenant_id"
        case expiresAt = "expires_at"
    }
}

/// `POST /api/v1/internal/passkey-challenges/{challenge_id}/verify`: it can succeed once.
package struct VerifyPasskeyRequest: Codable, Sendable, Hashable {
    package var tenantID: UUID
    package var credential: WebAuthnCredential
    package var ip: String?
    package var userAgent: String?

    package init(tenantID: UUID, credential: WebAuthnCredential, ip: String? = nil, userAgent: String? = nil) {
        self.tenantID = tenantID
        self.credential = credential
        self.ip = ip
        self.userAgent = userAgent
    }

    package enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case credential, ip
        case userAgent = "user_agent"
    }
}

/// The answer: whose passkey it is, and how they proved it (RFC 8176).
package struct VerifiedPasskey: Codable, Sendable, Hashable {
    package var userID: UUID
    package var methods: [String]

    package init(userID: UUID, methods: [String]) {
        self.userID = userID
        self.methods = methods
    }

    package enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case methods = "amr"
    }
}
