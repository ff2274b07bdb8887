import Contracts
package import Foundation
package import MicroMiddleware

/// Inviting people, and being invited.
package struct Invitations: Sendable {
    /// Seven days, in seconds.
    package static let defaultLifetime: TimeInterval = 7 * 86_400
    /// An hour to ninety days, in seconds.
    package static let lifetimes = 3_600...(90 * 86_400)
    /// So many are mailed to one address in an hour by one tenant; past it the administrator has the code, and nobody else.
    package static let hourlyLimitOfAddress = 3
    /// And so many by all tenants.
    package static let hourlyLimitOfAddressInAll = 10

    let invitations: any InvitationRepository
    let memberships: any MembershipRepository
    let roles: any RoleRepository
    let codes: InvitationCodes
    let now: @Sendable () -> Date

    package init(
        invitations: any InvitationRepository, memberships: any MembershipRepository, roles: any RoleRepository,
        codes: InvitationCodes,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.invitations = invitations
        self.memberships = memberships
        self.roles = roles
        self.codes = codes
        self.now = now
    }

    /// Where an address is given, the code is mailed there by whoever reads the event, within the limits. Of these the answer
    /// tells the caller's own tenant's alone: whether others' invitations have used up ``hourlyLimitOfAddressInAll`` would tell
    /// whom they invite.
    /// - Parameter lifetime: in seconds, of ``lifetimes``.
    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/beyondAuthority`` for roles that allow more than the caller's.
    package func create(
        email: String?, roles names: [String], lifetime: Int?, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> (invitation: Invitation, code: InvitationCode, delivery: InvitationDelivery) {
        let deadline = origin.scope.deadline.forStatement
        let email = try email.map(Identifier.email)
        let lifetime = lifetime ?? Int(Self.defaultLifetime)
        guard Self.lifetimes.contains(lifetime) else {
            throw IdentityError.invalid("expires_in", "must be 3600 to 7776000 seconds")
        }
        let names = Set(names).union([BuiltInRole.member.rawValue]).sorted()
        try Membership.requireRoom(for: names)
        let own = try await roles.roles(tenantID: identity.tenantID, deadline: deadline)
        for name in names where BuiltInRole(rawValue: name) == nil && !own.contains(where: { $0.name == name }) {
            throw IdentityError.invalid("roles", "has no such role: \(name)")
        }
        let extra = own.filter { names.contains($0.name) }.flatMap(\.permissions)
        try identity.authority(among: own).require(covering: Authority(roles: names, extra: extra))
        let (id, time) = (UUID.v7(), now())
        let letter = email.map { Invitation.Letter(address: $0.text, salt: OneTimeCodes.salt()) }
        let code = letter.map { codes.code(id: id, salt: $0.salt) } ?? InvitationCode()
        let invitation = Invitation(
            id: id, tenantID: identity.tenantID, emailKey: email?.key, roles: names, createdBy: identity.subject,
            createdAt: time, expiresAt: time + TimeInterval(lifetime), letter: letter)
        let event = try origin.event(
            .invitationCreated, subject: invitation.id.text, tenantID: identity.tenantID, by: identity,
            details: ["roles": names.joined(separator: ",")])
        let asked = try await invitations.insert(invitation, codeHash: code.hash, event: event, deadline: deadline)
        guard letter != nil else { return (invitation, code, .byHand) }
        return (invitation, code, asked < Self.hourlyLimitOfAddress ? .mail : .withheld)
    }

    package func list(
        tenantID: UUID, page: Page, origin: RequestOrigin
    ) async throws -> (invitations: [Invitation], total: Int) {
        try await invitations.invitations(
            tenantID: tenantID, offset: page.offset, limit: page.size, deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/invitationUnknown``, also of one that was used or revoked.
    package func revoke(_ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        let event = try origin.event(.invitationRevoked, subject: id.text, tenantID: identity.tenantID, by: identity)
        let isRevoked = try await invitations.revoke(
            id, tenantID: identity.tenantID, event: event, deadline: origin.scope.deadline.forStatement)
        guard isRevoked else { throw IdentityError.invitationUnknown }
    }

    /// Somebody with an account elsewhere becomes a guest.
    /// - Throws: ``IdentityError/invitationInvalid``
    package func accept(
        _ text: String, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> Membership {
        let deadline = origin.scope.deadline.forStatement
        guard let code = InvitationCode(typed: text),
            let invitation = try await invitations.invitation(code: code, tenantID: nil, deadline: deadline)
        else { throw IdentityError.invitationInvalid }
        return try await memberships.accept(
            code, userID: identity.subject,
            event: { membership in
                try origin.event(
                    .membershipCreated, subject: membership.userID.text, tenantID: membership.tenantID, by: identity,
                    details: [
                        "invitation_id": invitation.id.text, "roles": membership.roles.joined(separator: ","),
                    ])
            }, deadline: deadline)
    }
}
