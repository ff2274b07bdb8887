package import Contracts
package import Foundation

/// A person with an account in one tenant.
package struct User: Sendable, Hashable, Identifiable {
    package enum Status: String, Sendable, Hashable {
        case active, disabled, deleted
    }

    package let id: UUID
    package let tenantID: UUID
    package var email: String?
    package var username: String?
    package var phone: String?
    package var name: String?
    package var status: Status
    package var roles: [String]
    package var emailVerifiedAt: Date?
    package var phoneVerifiedAt: Date?
    package var createdAt: Date
    package var lastLoginAt: Date?

    package init(
        id: UUID, tenantID: UUID, email: String? = nil, username: String? = nil, phone: String? = nil,
        name: String? = nil, status: Status = .active, roles: [String] = [BuiltInRole.member.rawValue],
        emailVerifiedAt: Date? = nil, phoneVerifiedAt: Date? = nil, createdAt: Date, lastLoginAt: Date? = nil
    ) {
        self.id = id
        self.tenantID = tenantID
        self.email = email
        self.username = username
        self.phone = phone
        self.name = name
        self.status = status
        self.roles = roles
        self.emailVerifiedAt = emailVerifiedAt
        self.phoneVerifiedAt = phoneVerifiedAt
        self.createdAt = createdAt
        self.lastLoginAt = lastLoginAt
    }

    /// The user as clients see one.
    package var snapshot: UserSnapshot {
        UserSnapshot(
            id: id, tenantID: tenantID, username: username, email: email, phone: phone, name: name,
            status: status.rawValue, roles: roles, emailVerified: emailVerifiedAt != nil,
            phoneVerified: phoneVerifiedAt != nil, createdAt: createdAt)
    }
}

/// A user together with what signing in needs: read in one go, never sent anywhere.
package struct Account: Sendable {
    package var user: User
    package var passwordHash: String
    package var mustChangePassword: Bool
    package var passwordChangedAt: Date
    package var tenant: Tenant

    package init(
        user: User, passwordHash: String, mustChangePassword: Bool, passwordChangedAt: Date, tenant: Tenant
    ) {
        self.user = user
        self.passwordHash = passwordHash
        self.mustChangePassword = mustChangePassword
        self.passwordChangedAt = passwordChangedAt
        self.tenant = tenant
    }

    /// Whether the account may be used at all.
    package var isUsable: Bool {
        user.status == .active && tenant.status == .active
    }
}

/// A user about to be inserted.
package struct NewUser: Sendable {
    package var id: UUID
    package var tenantID: UUID
    package var identifiers: [Identifier]
    package var name: String?
    package var passwordHash: String
    package var mustChangePassword: Bool
    package var roles: [String]

    package func identifier(_ kind: IdentifierKind) -> Identifier? {
        identifiers.first { $0.kind == kind }
    }
}
