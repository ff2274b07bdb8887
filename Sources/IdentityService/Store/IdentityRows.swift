import Contracts
import Foundation
import Postgres

/// How tenants and users are selected, and read back: what the stores of this service have in common.
enum IdentityRows {
    /// Of `tenants t`.
    static let tenantColumns: SQL =
        """
        t.id AS t_id, t.slug, t.name AS t_name, t.display_name, t.status AS t_status, t.membership AS t_membership,
        t.login_methods, t.password_transmission, t.password_min_length, t.password_max_length, t.password_history,
        t.password_max_age_days, t.password_refuse_common, t.registration_discloses, t.requires_verified_email,
        t.session_limit, t.session_at_limit, t.session_idle_seconds, t.session_absolute_seconds,
        t.new_device_mail
        """

    /// Of `users u` as a member by `memberships m`.
    static let userColumns: SQL =
        """
        u.id, m.tenant_id, u.tenant_id AS home_tenant_id, m.status AS membership, u.email, u.username, u.phone, u.name,
        u.status, u.email_verified_at, u.phone_verified_at, u.created_at, u.last_login_at,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = m.user_id AND r.tenant_id = m.tenant_id ORDER BY 1)
            AS roles,
        \(permissions(
            in: "m.tenant_id",
            ofRoles: "SELECT r.role FROM user_roles r WHERE r.user_id = m.user_id AND r.tenant_id = m.tenant_id"))
            AS permissions
        """

    /// What the tenant's own roles among those of a query grant, an array.
    static func permissions(in tenant: StaticString, ofRoles roles: StaticString) -> SQL {
        """
        ARRAY(SELECT DISTINCT unnest(c.permissions) FROM roles c
            WHERE c.tenant_id = \(unescaped: tenant) AND c.name IN (\(unescaped: roles)) ORDER BY 1)
        """
    }

    /// Turns a violated unique constraint into what it is about.
    static func naming<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as PostgresError where error.isUniqueViolation {
            switch error.constraint {
            case "users_email_taken": throw IdentityError.alreadyRegistered(.email)
            case "users_username_taken": throw IdentityError.alreadyRegistered(.username)
            case "users_phone_taken": throw IdentityError.alreadyRegistered(.phone)
            case "tenants_slug_taken": throw IdentityError.tenantTaken
            case "roles_taken": throw IdentityError.roleTaken
            default: throw error
            }
        }
    }
}

extension Tenant {
    init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "t_id"), slug: try row.decode(String.self, "slug"),
            name: try row.decode(String.self, "t_name"), displayName: try row.decode(String.self, "display_name"),
            status: Tenant.Status(rawValue: try row.decode(String.self, "t_status")) ?? .suspended,
            membership: MembershipPolicy(rawValue: try row.decode(String.self, "t_membership")) ?? .invitation,
            loginMethods: try row.decode([String].self, "login_methods"),
            passwordPolicy: PasswordPolicy(
                minimumLength: Int(try row.decode(Int32.self, "password_min_length")),
                maximumLength: Int(try row.decode(Int32.self, "password_max_length")),
                transmission: try row.decode(String.self, "password_transmission"),
                historyDepth: Int(try row.decode(Int32.self, "password_history")),
                maximumAgeDays: Int(try row.decode(Int32.self, "password_max_age_days")),
                refusesCommon: try row.decode(Bool.self, "password_refuse_common")),
            registrationDiscloses: try row.decode(Bool.self, "registration_discloses"),
            requiresVerifiedEmail: try row.decode(Bool.self, "requires_verified_email"),
            sessionPolicy: SessionPolicy(
                maximumSessions: try row.decode(Int32?.self, "session_limit").map(Int.init),
                atLimit: SessionPolicy.AtLimit(rawValue: try row.decode(String.self, "session_at_limit")) ?? .endOldest,
                idleTimeoutSeconds: try row.decode(Int32?.self, "session_idle_seconds").map(Int.init),
                absoluteTimeoutSeconds: try row.decode(Int32?.self, "session_absolute_seconds").map(Int.init)),
            mailsNewDevices: try row.decode(Bool.self, "new_device_mail"))
    }
}

extension User {
    init(row: PostgresRow) throws {
        let permissions = try row.decode([String].self, "permissions")
        self.init(
            id: try row.decode(UUID.self, "id"), tenantID: try row.decode(UUID.self, "tenant_id"),
            homeTenantID: try row.decode(UUID.self, "home_tenant_id"), email: try row.decode(String?.self, "email"),
            username: try row.decode(String?.self, "username"), phone: try row.decode(String?.self, "phone"),
            name: try row.decode(String?.self, "name"),
            status: User.Status(rawValue: try row.decode(String.self, "status")) ?? .disabled,
            membership: Membership.Status(rawValue: try row.decode(String.self, "membership")) ?? .suspended,
            roles: try row.decode([String].self, "roles"),
            permissions: PermissionText.ofSuite(permissions),
            applications: PermissionText.ofApplications(permissions),
            emailVerifiedAt: try row.decode(Date?.self, "email_verified_at"),
            phoneVerifiedAt: try row.decode(Date?.self, "phone_verified_at"),
            createdAt: try row.decode(Date.self, "created_at"),
            lastLoginAt: try row.decode(Date?.self, "last_login_at"))
    }
}

extension Account {
    init(row: PostgresRow) throws {
        let (tenant, changedAt) = (try Tenant(row: row), try row.decode(Date.self, "changed_at"))
        let isExpired = tenant.passwordPolicy.isExpired(changedAt: changedAt, now: Date())
        let isForOneLogin = try row.decode(Bool.self, "must_change")
        self.init(
            user: try User(row: row), passwordHash: try row.decode(String.self, "hash"),
            mustChangePassword: isForOneLogin || isExpired, passwordChangedAt: changedAt,
            passwordExpiresAt: isForOneLogin ? try row.decode(Date?.self, "expires_at") : nil, tenant: tenant,
            secondFactors: try row.decode([String].self, "second_factors"),
            mfaPolicy: try MFAPolicy(row: row))
    }
}
