package import Foundation

/// A user as clients see one: the `user` object of a login, a refresh and `GET /auth/me`.
///
/// The session service keeps the one of the login, so that a refresh can answer as a login does without asking identity.
package struct UserSnapshot: Codable, Sendable, Hashable {
    package var id: UUID
    package var tenantID: UUID
    package var username: String?
    package var email: String?
    package var phone: String?
    package var name: String?
    /// `active` or `disabled`.
    package var status: String
    package var roles: [String]
    /// What the tenant's own roles among `roles` grant of the suite's permissions; `nil` is none.
    package var permissions: [String]?
    package var emailVerified: Bool
    package var phoneVerified: Bool
    package var createdAt: Date

    package init(
        id: UUID, tenantID: UUID, username: String? = nil, email: String? = nil, phone: String? = nil,
        name: String? = nil, status: String, roles: [String], permissions: [String]? = nil, emailVerified: Bool = false,
        phoneVerified: Bool = false, createdAt: Date
    ) {
        self.id = id
        self.tenantID = tenantID
        self.username = username
        self.email = email
        self.phone = phone
        self.name = name
        self.status = status
        self.roles = roles
        self.permissions = permissions
        self.emailVerified = emailVerified
        self.phoneVerified = phoneVerified
        self.createdAt = createdAt
    }

    package enum CodingKeys: String, CodingKey {
        case id
        case tenantID = "tenant_id"
        case username, email, phone, name, status, roles, permissions
        case emailVerified = "email_verified"
        case phoneVerified = "phone_verified"
        case createdAt = "created_at"
    }

    /// Identifiers in lower case, which is not what Foundation writes by itself.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.text, forKey: .id)
        try container.encode(tenantID.text, forKey: .tenantID)
        try container.encode(username, forKey: .username)
        try container.encode(email, forKey: .email)
        try container.encode(phone, forKey: .phone)
        try container.encode(name, forKey: .name)
        try container.encode(status, forKey: .status)
        try container.encode(roles, forKey: .roles)
        try container.encodeIfPresent(permissions, forKey: .permissions)
        try container.encode(emailVerified, forKey: .emailVerified)
        try container.encode(phoneVerified, forKey: .phoneVerified)
        try container.encode(createdAt, forKey: .createdAt)
    }
}
