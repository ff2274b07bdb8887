import ConnectionKit
import Contracts
import Foundation
import IdentityService

/// Tenants, invitations, members and roles of a test that needs no database.
extension InMemoryIdentityRepository: TenantRepository, InvitationRepository, MembershipRepository {
    func tenants(offset: Int, limit: Int, deadline: Deadline) -> (tenants: [Tenant], total: Int) {
        let all = tenants.values.sorted { $0.slug < $1.slug }
        return (Array(all.dropFirst(offset).prefix(limit)), all.count)
    }

    func tenant(slug: String, deadline: Deadline) -> Tenant? { tenants.values.first { $0.slug == slug } }

    func insert(
        _ tenant: Tenant, owner: Invitation, codeHash: Data, events: [DomainEvent], deadline: Deadline
    ) throws {
        guard !tenants.values.contains(where: { $0.slug == tenant.slug }) else { throw IdentityError.tenantTaken }
        tenants[tenant.id] = tenant
        codes[codeHash] = owner
        self.events += events
    }

    func update(_ tenant: Tenant, event: DomainEvent, deadline: Deadline) -> Tenant? {
        guard tenants[tenant.id] != nil else { return nil }
        tenants[tenant.id] = tenant
        events.append(event)
        return tenant
    }

    func hasOwner(signingInBy methods: [String], tenantID: UUID, deadline: Deadline) -> Bool {
        let owners = accounts.values.map(\.user).filter {
            $0.tenantID == tenantID && $0.roles.contains("owner") && $0.status == .active
        }
        return owners.isEmpty
            || owners.contains { owner in
                [("email", owner.email), ("username", owner.username), ("phone", owner.phone)].contains {
                    methods.contains($0.0) && $0.1 != nil
                }
            }
    }

    func setStatus(_ status: Tenant.Status, of id: UUID, event: DomainEvent, deadline: Deadline) -> Stored<Tenant>? {
        guard var tenant = tenants[id], tenant.status != status else { return nil }
        tenant.status = status
        tenants[id] = tenant
        events.append(event)
        return Stored(tenant, events: [event])
    }

    // MARK: - Invitations

    func usable(_ code: InvitationCode) -> Invitation? {
        codes[code.hash].flatMap { $0.status(at: now) == "open" ? $0 : nil }
    }

    func insert(_ invitation: Invitation, codeHash: Data, event: DomainEvent, deadline: Deadline) -> Int {
        let asked = earlier(than: invitation).count { $0.tenantID == invitation.tenantID }
        codes[codeHash] = invitation
        events.append(event)
        return asked
    }

    /// Those for the same address within the hour before.
    private func earlier(than invitation: Invitation) -> [Invitation] {
        guard let key = invitation.emailKey else { return [] }
        return codes.values.filter {
            $0.emailKey == key && $0.createdAt > invitation.createdAt - 3_600
                && ($0.createdAt, $0.id.text) < (invitation.createdAt, invitation.id.text)
        }
    }

    func invitations(
        tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) -> (invitations: [Invitation], total: Int) {
        let all = codes.values.filter { $0.tenantID == tenantID }.sorted { $0.createdAt > $1.createdAt }
        return (Array(all.dropFirst(offset).prefix(limit)), all.count)
    }

    func invitation(code: InvitationCode, tenantID: UUID?, deadline: Deadline) -> Invitation? {
        codes[code.hash].flatMap { tenantID == nil || $0.tenantID == tenantID ? $0 : nil }
    }

    func toMail(_ id: UUID, tenantID: UUID, deadline: Deadline) -> Invitation? {
        guard let found = codes.values.first(where: { $0.id == id && $0.tenantID == tenantID }), found.letter != nil,
            found.status(at: now) == "open"
        else { return nil }
        let limit = Invitations.hourlyLimitOfAddress
        let asked = Dictionary(grouping: earlier(than: found), by: \.tenantID).mapValues(\.count)
        let ofAll = asked.values.reduce(0) { $0 + min($1, limit) }
        return ofAll < Invitations.hourlyLimitOfAddressInAll && asked[tenantID] ?? 0 < limit ? found : nil
    }

    func revoke(_ id: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) -> Bool {
        let found = codes.first {
            $0.value.id == id && $0.value.tenantID == tenantID && $0.value.usedAt == nil && $0.value.revokedAt == nil
        }
        guard let found else { return false }
        codes[found.key]?.revokedAt = now
        events.append(event)
        return true
    }

    // MARK: - Members

    func memberships(of userID: UUID, deadline: Deadline) -> [MembershipInTenant] {
        guard let user = accounts[userID]?.user, let home = tenants[user.tenantID] else { return [] }
        let own = Membership(
            userID: userID, tenantID: user.tenantID, status: user.membership, roles: user.roles,
            createdAt: user.createdAt)
        return [MembershipInTenant(membership: own, tenant: home, isHome: true)]
            + guests.filter { $0.userID == userID }.compactMap { guest in
                tenants[guest.tenantID].map { MembershipInTenant(membership: guest, tenant: $0, isHome: false) }
            }
    }

    func holdsMore(_ userID: UUID, besides tenantID: UUID, deadline: Deadline) -> Bool {
        memberships(of: userID, deadline: deadline).map(\.membership).contains {
            $0.tenantID != tenantID && $0.roles.contains { $0 != BuiltInRole.member.rawValue }
        }
    }

    func accept(
        _ code: InvitationCode, userID: UUID, event: @Sendable (Membership) throws -> DomainEvent, deadline: Deadline
    ) throws -> Membership {
        guard let invitation = usable(code), let user = accounts[userID]?.user,
            invitation.emailKey == nil || invitation.emailKey == user.email?.lowercased(),
            user.tenantID != invitation.tenantID, invitation.givesNotTooMuch,
            !guests.contains(where: { $0.userID == userID && $0.tenantID == invitation.tenantID })
        else { throw IdentityError.invitationInvalid }
        let membership = Membership(
            userID: userID, tenantID: invitation.tenantID, status: .active, roles: invitation.roles, createdAt: now)
        events.append(try event(membership))
        codes[code.hash]?.usedAt = now
        guests.append(membership)
        return membership
    }

    func setStatus(
        _ status: Membership.Status, of userID: UUID, tenantID: UUID, from present: [Membership.Status],
        event: DomainEvent, deadline: Deadline
    ) throws -> DomainEvent? {
        if status != .active { try requireOwner(otherThan: userID, in: tenantID) }
        if let user = accounts[userID]?.user, user.tenantID == tenantID {
            guard present.contains(user.membership) else { return nil }
            accounts[userID]?.user.membership = status
        } else {
            let index = guests.firstIndex { $0.userID == userID && $0.tenantID == tenantID }
            guard let index, present.contains(guests[index].status) else { return nil }
            guests[index].status = status
        }
        events.append(event)
        return event
    }

    func remove(
        _ userID: UUID, tenantID: UUID, from present: [Membership.Status], event: DomainEvent, deadline: Deadline
    ) throws -> DomainEvent {
        try requireOwner(otherThan: userID, in: tenantID)
        guard let index = guests.firstIndex(where: { $0.userID == userID && $0.tenantID == tenantID }) else {
            throw IdentityError.userUnknown
        }
        guard present.contains(guests[index].status) else { throw IdentityError.accountDisabled }
        guests.remove(at: index)
        events.append(event)
        return event
    }
}
