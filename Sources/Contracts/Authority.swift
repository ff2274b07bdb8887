/// Permissions of a tenant's own applications, as its roles have them: `resource:action`, `resource:*` for every action, or
/// `resource:action@id` for one thing alone. No token carries them.
package struct ApplicationPermissions: Sendable, Hashable {
    package let texts: Set<String>

    package init(_ texts: Set<String>) {
        self.texts = texts
    }

    /// Whether these allow something, on one thing where it is named.
    package func allow(_ permission: String, on resource: String?) -> Bool {
        if texts.contains(permission) { return true }
        if let resource, texts.contains("\(permission)@\(resource)") { return true }
        guard let colon = permission.firstIndex(of: ":") else { return false }
        return texts.contains("\(permission[..<colon]):*")
    }

    /// Whether everything that the others allow is allowed here too.
    package func covers(_ others: ApplicationPermissions) -> Bool {
        others.texts.allSatisfy { text in
            let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            return allow(String(parts[0]), on: parts.count > 1 ? String(parts[1]) : nil)
        }
    }
}

/// Everything that somebody may do in a tenant, in the suite and in the tenant's applications: who may act on whom.
package struct Authority: Sendable, Hashable {
    /// Of the suite's permissions.
    package let granted: GrantedPermissions
    package let applications: ApplicationPermissions
    /// Owners hold whatever an application may come to ask for: they make the roles that grant it.
    package let isOwner: Bool

    /// - Parameter extra: What the tenant's own roles among `roles` grant, of the suite's permissions and of others.
    package init(roles: [String], extra: [String] = []) {
        granted = GrantedPermissions(roles: roles, extra: extra)
        applications = ApplicationPermissions(Set(extra.filter { Permission(rawValue: $0) == nil }))
        isOwner = roles.contains(BuiltInRole.owner.rawValue)
    }

    /// Whether everything that the other may do is allowed here too. An owner is covered by owners alone.
    package func covers(_ other: Authority) -> Bool {
        isOwner || !other.isOwner && granted.covers(other.granted) && applications.covers(other.applications)
    }
}
