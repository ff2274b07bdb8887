import Contracts
package import Foundation
package import MicroMiddleware
import Synchronization

/// What administrators do with roles: the tenant's own, and who holds which.
///
/// The built-in roles never change. Nobody gives or takes a role that allows more than they may do themselves.
package struct RoleAdministration: Sendable {
    let roles: any RoleRepository
    let cache: RoleCache
    /// `nil` where accounts are read from the store alone.
    let accounts: CachedAccounts?
    let notices: SessionNotices?
    let now: @Sendable () -> Date

    package init(
        roles: any RoleRepository, cache: RoleCache, accounts: CachedAccounts? = nil, notices: SessionNotices? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.notices = notices
        self.roles = roles
        self.cache = cache
        self.accounts = accounts
        self.now = now
    }

    package func list(tenantID: UUID, origin: RequestOrigin) async throws -> [CustomRole] {
        try await roles.roles(tenantID: tenantID, deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/roleUnknown``
    package func role(_ name: String, tenantID: UUID, origin: RequestOrigin) async throws -> CustomRole {
        let role = try await list(tenantID: tenantID, origin: origin).first { $0.name == name }
        guard let role else { throw IdentityError.roleUnknown }
        return role
    }

    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/roleTaken``, ``IdentityError/beyondAuthority``
    package func create(
        name: String, description: String, permissions: [String], by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> CustomRole {
        let name = try CustomRole.acceptName(name)
        let permissions = try PermissionText.accept(permissions)
        let description = try Self.accept(description: description)
        let held = try await roles.authority(of: identity, deadline: origin.scope.deadline.forStatement)
        try held.require(covering: Authority(roles: [], extra: permissions))
        let time = now()
        let role = CustomRole(
            name: name, tenantID: identity.tenantID, description: description, permissions: permissions,
            createdAt: time, updatedAt: time)
        let event = try origin.event(
            .roleCreated, subject: name, tenantID: identity.tenantID, by: identity,
            details: ["permissions": permissions.joined(separator: ",")])
        try await roles.insert(role, event: event, deadline: origin.scope.deadline.forStatement)
        cache.forget(identity.tenantID)
        return role
    }

    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/roleUnknown``, ``IdentityError/beyondAuthority``
    package func update(
        _ name: String, description: String?, permissions: [String]?, by identity: AccessTokenClaims,
        origin: RequestOrigin
    ) async throws -> CustomRole {
        try Self.refuseBuiltIn(name)
        let permissions = try permissions.map(PermissionText.accept)
        let description = try description.map(Self.accept(description:))
        guard permissions != nil || description != nil else {
            throw IdentityError.invalid("permissions", "or description is needed")
        }
        let held = try await roles.authority(of: identity, deadline: origin.scope.deadline.forStatement)
        try held.require(covering: Authority(roles: [], extra: permissions ?? []))
        var details: [String: String] = [:]
        details["permissions"] = permissions?.joined(separator: ",")
        let event = try origin.event(
            .roleUpdated, subject: name, tenantID: identity.tenantID, by: identity, details: details)
        let holders = Holders()
        let updated = try await roles.update(
            name, tenantID: identity.tenantID, description: description, permissions: permissions, event: event,
            check: { try held.require(covering: Authority(roles: [], extra: $0.permissions)) },
            holderEvent: { try Self.event(of: holders.noting($0), by: identity, origin: origin) },
            deadline: origin.scope.deadline.forStatement)
        cache.forget(identity.tenantID)
        await notices?.tell(updated.events, origin: origin)
        try await forget(holders, tenantID: identity.tenantID)
        return updated.value
    }

    /// - Throws: ``IdentityError/roleUnknown``, ``IdentityError/beyondAuthority``
    package func delete(_ name: String, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        try Self.refuseBuiltIn(name)
        let held = try await roles.authority(of: identity, deadline: origin.scope.deadline.forStatement)
        let event = try origin.event(.roleDeleted, subject: name, tenantID: identity.tenantID, by: identity)
        let holders = Holders()
        let events = try await roles.delete(
            name, tenantID: identity.tenantID, event: event,
            check: { try held.require(covering: Authority(roles: [], extra: $0.permissions)) },
            holderEvent: { try Self.event(of: holders.noting($0), by: identity, origin: origin) },
            deadline: origin.scope.deadline.forStatement)
        cache.forget(identity.tenantID)
        await notices?.tell(events, origin: origin)
        try await forget(holders, tenantID: identity.tenantID)
    }

    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/invalid(_:)``, ``IdentityError/lastOwner``,
    ///   ``IdentityError/beyondAuthority``
    package func assign(
        to userID: UUID, by identity: AccessTokenClaims, origin: RequestOrigin,
        _ change: @Sendable ([String]) -> [String]
    ) async throws -> RoleChange {
        let held = try await roles.authority(of: identity, deadline: origin.scope.deadline.forStatement)
        func assign() async throws -> Stored<RoleChange> {
            try await roles.assign(
                to: userID, tenantID: identity.tenantID, change: change,
                event: { made in
                    try held.require(covering: made.granted)
                    return try Self.event(of: made, by: identity, origin: origin)
                }, deadline: origin.scope.deadline.forStatement)
        }
        let made =
            if let accounts {
                try await accounts.changing(userID, tenantID: identity.tenantID, assign)
            } else {
                try await assign()
            }
        await notices?.tell(made.events, origin: origin)
        return made.value
    }

    // MARK: - Parts

    /// Whose accounts show something else since.
    private func forget(_ holders: Holders, tenantID: UUID) async throws {
        guard let accounts else { return }
        for id in holders.ids { try await accounts.changing(id, tenantID: tenantID) {} }
    }

    private final class Holders: Sendable {
        private let noted = Mutex<[UUID]>([])
        var ids: [UUID] { noted.withLock { $0 } }

        func noting(_ change: RoleChange) -> RoleChange {
            noted.withLock { $0.append(change.userID) }
            return change
        }
    }

    /// What the session service brings its snapshots up to date with, and ends the tokens of before by.
    private static func event(
        of change: RoleChange, by identity: AccessTokenClaims, origin: RequestOrigin
    ) throws -> DomainEvent {
        try origin.event(
            .rolesChanged, subject: change.userID.text, tenantID: identity.tenantID, by: identity,
            details: [
                "roles": change.after.joined(separator: ","),
                "permissions": PermissionText.ofSuite(change.permissionsAfter).joined(separator: ","),
                "before": change.before.joined(separator: ","), "reduced": change.isReduction ? "true" : "false",
            ])
    }

    private static func refuseBuiltIn(_ name: String) throws(IdentityError) {
        guard BuiltInRole(rawValue: name) == nil else {
            throw .invalid("name", "is a built-in role, which stays as it is")
        }
    }

    private static func accept(description: String) throws(IdentityError) -> String {
        guard description.unicodeScalars.count <= 256 else {
            throw .invalid("description", "must have at most 256 characters")
        }
        guard description.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw .invalid("description", "must not hold control characters")
        }
        return description
    }
}
