import ConnectionKit
import Contracts
import Foundation
import IdentityService

extension InMemoryIdentityRepository: RoleRepository {
    func roles(tenantID: UUID, deadline: Deadline) -> [CustomRole] {
        customRoles.filter { $0.tenantID == tenantID }.sorted { $0.name < $1.name }
    }

    func insert(_ role: CustomRole, event: DomainEvent, deadline: Deadline) throws {
        let own = roles(tenantID: role.tenantID, deadline: deadline)
        guard !own.contains(where: { $0.name == role.name }) else { throw IdentityError.roleTaken }
        guard own.count < CustomRole.maximumCount else { throw IdentityError.invalid("name", "is one too many") }
        customRoles.append(role)
        events.append(event)
    }

    func update(
        _ name: String, tenantID: UUID, description: String?, permissions: [String]?, event: DomainEvent,
        check: @Sendable (CustomRole) throws -> Void, holderEvent: @Sendable (RoleChange) throws -> DomainEvent,
        deadline: Deadline
    ) throws -> Stored<CustomRole> {
        let index = customRoles.firstIndex { $0.tenantID == tenantID && $0.name == name }
        guard let index else { throw IdentityError.roleUnknown }
        try check(customRoles[index])
        let before = customRoles
        if let description { customRoles[index].description = description }
        if let permissions { customRoles[index].permissions = permissions }
        events.append(event)
        guard permissions != nil else { return Stored(customRoles[index], events: []) }
        let told = try holders(of: name, in: tenantID).map { id, roles in
            try holderEvent(change(id, from: (roles, before), to: (roles, customRoles), in: tenantID))
        }
        events += told
        return Stored(customRoles[index], events: told)
    }

    func delete(
        _ name: String, tenantID: UUID, event: DomainEvent, check: @Sendable (CustomRole) throws -> Void,
        holderEvent: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) throws -> [DomainEvent] {
        guard let role = customRoles.first(where: { $0.tenantID == tenantID && $0.name == name }) else {
            throw IdentityError.roleUnknown
        }
        try check(role)
        let before = customRoles
        customRoles.removeAll { $0.tenantID == tenantID && $0.name == name }
        events.append(event)
        let told = try holders(of: name, in: tenantID).map { id, roles in
            let after = roles.filter { $0 != name }
            setRoles(after, of: id, in: tenantID)
            return try holderEvent(change(id, from: (roles, before), to: (after, customRoles), in: tenantID))
        }
        events += told
        for (hash, invitation) in codes where invitation.tenantID == tenantID {
            codes[hash]?.roles.removeAll { $0 == name }
        }
        return told
    }

    func assign(
        to userID: UUID, tenantID: UUID, change: @Sendable ([String]) -> [String],
        event: @Sendable (RoleChange) throws -> DomainEvent, deadline: Deadline
    ) throws -> Stored<RoleChange> {
        guard let account = account(userID, tenantID: tenantID, deadline: deadline) else {
            throw IdentityError.userUnknown
        }
        let before = account.user.roles
        let after = Set(change(before)).sorted()
        try Membership.requireRoom(for: after, holding: before)
        let known = roles(tenantID: tenantID, deadline: deadline).map(\.name) + BuiltInRole.allCases.map(\.rawValue)
        guard Set(after).subtracting(before).isSubset(of: known) else { throw IdentityError.invalid("roles", "") }
        let made = self.change(userID, from: (before, customRoles), to: (after, customRoles), in: tenantID)
        guard before != after else { return Stored(made, events: []) }
        let recorded = try event(made)
        if before.contains("owner"), !after.contains("owner") { try requireOwner(otherThan: userID, in: tenantID) }
        setRoles(after, of: userID, in: tenantID)
        events.append(recorded)
        return Stored(made, events: [recorded])
    }

    func requireOwner(otherThan userID: UUID, in tenantID: UUID) throws {
        let owners = holders(of: "owner", in: tenantID).filter { id, _ in
            let user = account(id, tenantID: tenantID, deadline: .after(.seconds(1)))?.user
            return user?.status == .active && user?.membership == .active
        }
        guard owners.map(\.0) != [userID] else { throw IdentityError.lastOwner }
    }

    private func holders(of role: String, in tenantID: UUID) -> [(UUID, [String])] {
        let own = accounts.values.map(\.user).filter { $0.tenantID == tenantID }.map { ($0.id, $0.roles) }
        let others = guests.filter { $0.tenantID == tenantID }.map { ($0.userID, $0.roles) }
        return (own + others).filter { $0.1.contains(role) }
    }

    private func setRoles(_ roles: [String], of userID: UUID, in tenantID: UUID) {
        if accounts[userID]?.user.tenantID == tenantID {
            accounts[userID]?.user.roles = roles
        } else if let index = guests.firstIndex(where: { $0.userID == userID && $0.tenantID == tenantID }) {
            guests[index].roles = roles
        }
    }

    private func change(
        _ userID: UUID, from before: ([String], [CustomRole]), to after: ([String], [CustomRole]), in tenantID: UUID
    ) -> RoleChange {
        func permissions(_ roles: [String], _ known: [CustomRole]) -> [String] {
            Set(known.filter { $0.tenantID == tenantID && roles.contains($0.name) }.flatMap(\.permissions)).sorted()
        }
        let differing = Array(Set(before.0).symmetricDifference(after.0))
        return RoleChange(
            userID: userID, before: before.0, after: after.0,
            permissionsBefore: permissions(before.0, before.1), permissionsAfter: permissions(after.0, after.1),
            granted: Authority(roles: differing, extra: permissions(differing, before.1)))
    }
}
