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

/// What a set of role names adds up to. A name that is no role grants nothing.
package struct GrantedPermissions: Sendable, Equatable {
    package let permissions: Set<Permission>

    package init(roles: [String]) {
        permissions = roles.reduce(into: []) { granted, name in
            if let role = BuiltInRole(rawValue: name) { granted.formUnion(role.permissions) }
        }
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
