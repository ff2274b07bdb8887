import ConnectionKit
import Contracts
import Foundation
import IdentityService

extension InMemoryIdentityRepository: UserDirectory {
    func users(
        tenantID: UUID, filter: UserFilter, offset: Int, limit: Int, deadline: Deadline
    ) -> (users: [User], total: Int) {
        let all = accounts.keys.compactMap { account($0, tenantID: tenantID, deadline: deadline)?.user }
            .filter { user in Self.matches(user, filter) }.sorted { $0.createdAt > $1.createdAt }
        return (Array(all.dropFirst(offset).prefix(limit)), all.count)
    }

    func update(
        _ userID: UUID, tenantID: UUID, changes: UserChanges, event: DomainEvent, moved: DomainEvent,
        deadline: Deadline
    ) throws -> User? {
        guard accounts[userID]?.user.tenantID == tenantID else { return nil }
        for identifier in [changes.email, changes.username, changes.phone].compactMap({ $0 }) {
            let isTaken = accounts.values.contains { other in
                let names = [other.user.email, other.user.username, other.user.phone].compactMap { $0?.lowercased() }
                return other.user.id != userID && other.user.tenantID == tenantID && names.contains(identifier.key)
            }
            guard !isTaken else { throw IdentityError.alreadyRegistered(identifier.kind) }
        }
        let old = accounts[userID]?.user.email
        if let email = changes.email { accounts[userID]?.user.email = email.text }
        if let username = changes.username { accounts[userID]?.user.username = username.text }
        if let phone = changes.phone { accounts[userID]?.user.phone = phone.text }
        if changes.name != .keep { accounts[userID]?.user.name = changes.name.value }
        events.append(event)
        if let old, let email = changes.email, email.key != Identifier.guess(old).key {
            replacedEmails[event.id] = old
            events.append(moved)
        }
        return accounts[userID]?.user
    }

    func resetPassword(
        of userID: UUID, tenantID: UUID, hash: String, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) -> Date? {
        guard accounts[userID]?.user.tenantID == tenantID else { return nil }
        accounts[userID]?.passwordHash = hash
        accounts[userID]?.mustChangePassword = true
        accounts[userID]?.passwordExpiresAt = expiresAt
        let time = now
        events.append(event.stored(at: time))
        return time
    }

    func delete(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, because reason: DomainEvent?, deadline: Deadline
    ) throws -> DomainEvent {
        guard accounts[userID]?.user.tenantID == tenantID else { throw IdentityError.userUnknown }
        for tenant in tenants.keys { try requireOwner(otherThan: userID, in: tenant) }
        accounts[userID] = nil
        guests.removeAll { $0.userID == userID }
        if let reason { events.append(reason) }
        events.append(event)
        return event
    }

    private static func matches(_ user: User, _ filter: UserFilter) -> Bool {
        let names = [user.email, user.username, user.phone, user.name].compactMap { $0?.lowercased() }
        if let text = filter.text, !names.contains(where: { $0.hasPrefix(text) }) { return false }
        if let identifier = filter.identifier {
            let own = [IdentifierKind.email: user.email, .username: user.username, .phone: user.phone][identifier.kind]
            guard own??.lowercased() == identifier.key else { return false }
        }
        switch filter.status {
        case .active where user.status != .active || user.membership != .active: return false
        case .disabled where user.status != .disabled && user.membership != .suspended: return false
        case .pending where user.membership != .pending: return false
        default: break
        }
        if let role = filter.role, !user.roles.contains(role) { return false }
        if let from = filter.createdFrom, user.createdAt < from { return false }
        if let before = filter.createdBefore, user.createdAt >= before { return false }
        return true
    }
}
