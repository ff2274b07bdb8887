package import Contracts
package import Foundation

/// A person with an account in one tenant.
package struct User: Sendable, Hashable, Identifiable {
    package enum Status: String, Sendable, Hashable {
        case active, disabled, deleted
    }

    package let id: UUID
    /// The tenant in whose name this is read: the user's own, or one in which the user is a guest.
    package let tenantID: UUID
    /// The user's own tenant: there are the password and the names that are signed in with.
    package let homeTenantID: UUID
    package var email: String?
    package var username: String?
    package var phone: String?
    package var name: String?
    package var status: Status
    package var membership: Membership.Status
    package var roles: [String]
    /// What the tenant's own roles among `roles` grant of the suite's permissions.
    package var permissions: [String]
    /// What they grant of the permissions of the tenant's applications.
    package var applications: [String]
    package var emailVerifiedAt: Date?
    package var phoneVerifiedAt: Date?
    package var createdAt: Date
    package var lastLoginAt: Date?

    package init(
        id: UUID, tenantID: UUID, homeTenantID: UUID? = nil, email: String? = nil, username: String? = nil,
        phone: String? = nil, name: String? = nil, status: Status = .active, membership: Membership.Status = .active,
        roles: [String] = [BuiltInRole.member.rawValue], permissions: [String] = [], applications: [String] = [],
        emailVerifiedAt: Date? = nil, phoneVerifiedAt: Date? = nil, createdAt: Date, lastLoginAt: Date? = nil
    ) {
        self.id = id
        self.tenantID = tenantID
        self.homeTenantID = homeTenantID ?? tenantID
        self.email = email
        self.username = username
        self.phone = phone
        self.name = name
        self.status = status
        self.membership = membership
        self.roles = roles
        self.permissions = permissions
        self.applications = applications
        self.emailVerifiedAt = emailVerifiedAt
        self.phoneVerifiedAt = phoneVerifiedAt
        self.createdAt = createdAt
        self.lastLoginAt = lastLoginAt
    }

    /// The user as clients see one.
    package var snapshot: UserSnapshot {
        UserSnapshot(
            id: id, tenantID: tenantID, username: username, email: email, phone: phone, name: name,
            status: status.rawValue, roles: roles, permissions: permissions.isEmpty ? nil : permissions,
            emailVerified: emailVerifiedAt != nil,
            phoneVerified: phoneVerifiedAt != nil, createdAt: createdAt)
    }

    /// What the user may do in the tenant.
    package var authority: Authority { Authority(roles: roles, extra: permissions + applications) }

    package var isGuest: Bool { tenantID != homeTenantID }
}

/// A user together with what signing in needs: read in one go, never sent anywhere.
package struct Account: Sendable {
    package var user: User
    package var passwordHash: String
    package var mustChangePassword: Bool
    package var passwordChangedAt: Date
    /// Until when a password for one login is good; `nil` for one that its owner has chosen.
    package var passwordExpiresAt: Date?
    package var tenant: Tenant
    /// The second factors that the user has set up; empty for none.
    package var secondFactors: [String]
    package var mfaPolicy: MFAPolicy

    package init(
        user: User, passwordHash: String, mustChangePassword: Bool, passwordChangedAt: Date,
        passwordExpiresAt: Date? = nil, tenant: Tenant, secondFactors: [String] = [],
        mfaPolicy: MFAPolicy = MFAPolicy()
    ) {
        self.user = user
        self.passwordHash = passwordHash
        self.mustChangePassword = mustChangePassword
        self.passwordChangedAt = passwordChangedAt
        self.passwordExpiresAt = passwordExpiresAt
        self.tenant = tenant
        self.secondFactors = secondFactors
        self.mfaPolicy = mfaPolicy
    }

    /// Whether the password was for one login that did not come in time: it is as wrong as any other.
    package func isPasswordOver(at now: Date) -> Bool { passwordExpiresAt.map { $0 <= now } ?? false }

    /// Whether the account may be used at all.
    package var isUsable: Bool {
        user.status == .active && tenant.status == .active && user.membership == .active
    }

    /// What to say to somebody who has proved to be the user, of an account that is not usable.
    package var refusal: IdentityError {
        user.status == .active && tenant.status == .active && user.membership == .pending
            ? .membershipPending : .accountDisabled
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
    /// Of a password for one login.
    package var passwordExpiresAt: Date?
    package var roles: [String]
    package var membership: Membership.Status
    /// The invitation that is used up by it, whose roles come on top. Without an invitation that fits, nobody is inserted.
    package var invitation: InvitationCode?

    package init(
        id: UUID, tenantID: UUID, identifiers: [Identifier], name: String?, passwordHash: String,
        mustChangePassword: Bool, passwordExpiresAt: Date? = nil, roles: [String],
        membership: Membership.Status = .active, invitation: InvitationCode? = nil
    ) {
        self.passwordExpiresAt = passwordExpiresAt
        self.id = id
        self.tenantID = tenantID
        self.identifiers = identifiers
        self.name = name
        self.passwordHash = passwordHash
        self.mustChangePassword = mustChangePassword
        self.roles = roles
        self.membership = membership
        self.invitation = invitation
    }

    package func identifier(_ kind: IdentifierKind) -> Identifier? {
        identifiers.first { $0.kind == kind }
    }
}
