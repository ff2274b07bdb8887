/// One thing that a caller may be allowed to do, written `resource:action` in roles, tokens' answers and documentation.
package enum Permission: String, Sendable, Hashable, CaseIterable, Codable {
    case usersRead = "users:read"
    case usersWrite = "users:write"
    case rolesRead = "roles:read"
    case rolesWrite = "roles:write"
    case sessionsRead = "sessions:read"
    case sessionsRevoke = "sessions:revoke"
    case auditRead = "audit:read"
    case auditExport = "audit:export"
    /// Of the whole suite, not of a tenant: how long the trail is kept.
    case auditRetention = "audit:retention"
    case tenantsRead = "tenants:read"
    case tenantsWrite = "tenants:write"
    case profilesRead = "profiles:read"
    case profilesWrite = "profiles:write"
    case mfaReset = "mfa:reset"
    /// Of the whole suite, not of a tenant: only whom the default tenant gives it has it.
    case deadLettersManage = "dead_letters:manage"
}

/// The roles that every tenant has from the beginning.
package enum BuiltInRole: String, Sendable, Hashable, CaseIterable, Codable {
    case owner
    case admin
    case auditor
    case member

    /// What the role allows, inside its holder's tenant and nowhere else.
    package var permissions: Set<Permission> {
        switch self {
        case .owner: Set(Permission.allCases)
        case .admin: Set(Permission.allCases).subtracting([.rolesWrite, .tenantsWrite])
        case .auditor: [.auditRead, .auditExport, .usersRead, .rolesRead, .sessionsRead]
        case .member: []
        }
    }
}

/// What a set of role names adds up to, with what a tenant's own roles grant of the suite's permissions. A name that is no
/// built-in role, and a text that is no permission, grants nothing.
package struct GrantedPermissions: Sendable, Hashable {
    package let permissions: Set<Permission>

    /// - Parameter extra: What the tenant's own roles grant: the token's `permissions`.
    package init(roles: [String], extra: [String] = []) {
        var granted = Set(extra.compactMap(Permission.init(rawValue:)))
        for name in roles {
            if let role = BuiltInRole(rawValue: name) { granted.formUnion(role.permissions) }
        }
        permissions = granted
    }

    /// Whether every permission of the suite's that the other has is here too. Who manages whom is ``Authority``'s to say.
    package func covers(_ other: GrantedPermissions) -> Bool {
        other.permissions.isSubset(of: permissions)
    }

    package func contains(_ permission: Permission) -> Bool {
        permissions.contains(permission)
    }

    /// The same question for a permission that arrived as text; an unknown one is never granted.
    package func contains(named name: String) -> Bool {
        Permission(rawValue: name).map(permissions.contains) ?? false
    }

    /// The names in a stable order, as `GET /auth/me/permissions` lists them.
    package var names: [String] {
        permissions.map(\.rawValue).sorted()
    }
}
