import Contracts
package import Foundation
package import MicroMiddleware

/// What administrators do with the members of their tenant. Nobody acts on somebody who may do more than they, and the
/// account of a guest belongs to another tenant: here it is shut out and let in again, no more.
package struct UserAdministration: Sendable {
    let repository: any IdentityRepository
    let accounts: CachedAccounts
    let directory: any UserDirectory
    let memberships: any MembershipRepository
    let roles: any RoleRepository
    let hasher: any PasswordHashing
    let oneTime: OneTimePassword
    let notices: SessionNotices?

    package init(
        repository: any IdentityRepository, accounts: CachedAccounts? = nil, directory: any UserDirectory,
        memberships: any MembershipRepository, roles: any RoleRepository, hasher: any PasswordHashing,
        oneTime: OneTimePassword = OneTimePassword(), notices: SessionNotices? = nil
    ) {
        self.notices = notices
        self.oneTime = oneTime
        self.repository = repository
        self.accounts = accounts ?? CachedAccounts(repository, cache: nil)
        self.directory = directory
        self.memberships = memberships
        self.roles = roles
        self.hasher = hasher
    }

    package func list(
        _ filter: UserFilter, page: Page, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> (users: [User], total: Int) {
        try await directory.users(
            tenantID: identity.tenantID, filter: filter, offset: page.offset, limit: page.size,
            deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/userUnknown``
    package func user(_ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws -> User {
        let account = try await repository.account(
            id, tenantID: identity.tenantID, deadline: origin.scope.deadline.forStatement)
        guard let account else { throw IdentityError.userUnknown }
        return account.user
    }

    /// Changes names of an account of this tenant. Where it is the e-mail address, the one before is told: it may be the only
    /// word that its owner gets of an account that is taken over.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/beyondAuthority``, ``IdentityError/invalid(_:)``,
    ///   ``IdentityError/alreadyRegistered(_:)``; ``IdentityError/holdsMoreElsewhere`` for another's e-mail address
    package func update(
        _ id: UUID, _ changes: UserChanges, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> User {
        try await requireOwn(id, by: identity, origin: origin)
        if changes.email != nil, id != identity.subject {
            try await requireNoMoreElsewhere(id, by: identity, origin: origin)
        }
        let fields = [
            ("email", changes.email != nil), ("username", changes.username != nil), ("phone", changes.phone != nil),
            ("name", changes.name != .keep),
        ].filter(\.1).map(\.0)
        let event = try origin.event(
            .userUpdated, user: id, tenantID: identity.tenantID, actor: identity.subject, session: identity.sessionID,
            details: ["fields": fields.joined(separator: ",")],
            personal: ["name": changes.name.value, "username": changes.username?.text].compactMapValues(\.self))
        let moved = try origin.event(
            .emailChanged, user: id, tenantID: identity.tenantID, actor: identity.subject, session: identity.sessionID,
            details: ["change": event.id.text])
        let updated = try await accounts.changing(id, tenantID: identity.tenantID) {
            try await directory.update(
                id, tenantID: identity.tenantID, changes: changes, event: event, moved: moved,
                deadline: origin.scope.deadline.forStatement)
        }
        guard let updated else { throw IdentityError.userUnknown }
        return updated
    }

    /// Disables or enables an account of this tenant, or shuts a guest out or lets one in. Twice is as good as once.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/beyondAuthority``, ``IdentityError/lastOwner``;
    ///   ``IdentityError/invalid(_:)`` for one's own account
    package func setStatus(
        _ status: User.Status, of id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> User {
        guard id != identity.subject else { throw IdentityError.invalid("status", "of one's own account stays") }
        let present = try await requireManageable(id, by: identity, origin: origin)
        let deadline = origin.scope.deadline.forStatement
        if present.isGuest {
            let event = try origin.event(
                status == .active ? .membershipApproved : .membershipRemoved, user: id, tenantID: identity.tenantID,
                actor: identity.subject, session: identity.sessionID,
                message: status == .active ? "let in again" : "shut out")
            let changed = try await memberships.setStatus(
                status == .active ? .active : .suspended, of: id, tenantID: identity.tenantID,
                from: status == .active ? [.suspended] : [.active, .pending], event: event, deadline: deadline)
            await notices?.tell([changed].compactMap(\.self), origin: origin)
        } else {
            let event = try origin.event(
                status == .active ? .userEnabled : .userDisabled, user: id, tenantID: identity.tenantID,
                actor: identity.subject, session: identity.sessionID)
            let changed = try await accounts.changing(id, tenantID: identity.tenantID) {
                try await directory.setStatus(
                    status, of: id, tenantID: identity.tenantID, event: event, deadline: deadline)
            }
            if let changed {
                await notices?.tell(changed.events, origin: origin)
                return changed.value
            }
        }
        return try await user(id, by: identity, origin: origin)
    }

    /// Lets in who waits for approval, or turns them away: an account of this tenant is deleted then.
    /// - Throws: ``IdentityError/userUnknown`` where nobody waits
    package func decide(
        on id: UUID, approve: Bool, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws {
        let waiting = try await user(id, by: identity, origin: origin)
        guard waiting.membership == .pending else { throw IdentityError.userUnknown }
        let deadline = origin.scope.deadline.forStatement
        let event = try origin.event(
            approve ? .membershipApproved : .membershipRejected, user: id, tenantID: identity.tenantID,
            actor: identity.subject, session: identity.sessionID)
        if approve {
            let changed = try await memberships.setStatus(
                .active, of: id, tenantID: identity.tenantID, from: [.pending], event: event, deadline: deadline)
            guard changed != nil else { throw IdentityError.userUnknown }
        } else {
            let deletion = try origin.event(
                .userDeleted, user: id, tenantID: identity.tenantID, actor: identity.subject,
                session: identity.sessionID)
            let deleted = try await accounts.changing(id, tenantID: identity.tenantID) {
                try await directory.delete(
                    id, tenantID: identity.tenantID, event: deletion, because: event, deadline: deadline)
            }
            await notices?.tell([deleted], origin: origin)
        }
    }

    /// Deletes an account of this tenant, or ends a guest's membership.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/beyondAuthority``, ``IdentityError/lastOwner``;
    ///   ``IdentityError/invalid(_:)`` for one's own account
    package func delete(_ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        guard id != identity.subject else {
            throw IdentityError.invalid("user_id", "is your own: delete it as yourself")
        }
        let present = try await requireManageable(id, by: identity, origin: origin)
        let event = try origin.event(
            present.isGuest ? .membershipRemoved : .userDeleted, user: id, tenantID: identity.tenantID,
            actor: identity.subject, session: identity.sessionID)
        let deadline = origin.scope.deadline.forStatement
        let gone = try await accounts.changing(id, tenantID: identity.tenantID) {
            if present.isGuest {
                try await memberships.remove(
                    id, tenantID: identity.tenantID, from: Membership.Status.allCases, event: event, deadline: deadline)
            } else {
                try await directory.delete(
                    id, tenantID: identity.tenantID, event: event, because: nil, deadline: deadline)
            }
        }
        await notices?.tell([gone], origin: origin)
    }

    /// Gives the user a password for one login, at which it must be changed, before it is over. Every session ends.
    /// - Returns: the password, to be shown this once.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/beyondAuthority``, ``IdentityError/holdsMoreElsewhere``
    package func resetPassword(
        of id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> String {
        guard id != identity.subject else {
            throw IdentityError.invalid("user_id", "is your own: change the password as yourself")
        }
        try await requireOwn(id, by: identity, origin: origin)
        try await requireNoMoreElsewhere(id, by: identity, origin: origin)
        let deadline = origin.scope.deadline
        guard let tenant = try await repository.tenant(identity.tenantID, deadline: deadline.forStatement) else {
            throw IdentityError.tenantNotFound
        }
        let password = OneTimePassword.make()
        let presented = try tenant.passwordPolicy.choose(
            password, declared: "plain", tenantID: tenant.id, field: "password"
        ).presented
        let hash = try await hasher.hash(presented, deadline: deadline.forHash)
        let event = try origin.event(
            .passwordChanged, user: id, tenantID: identity.tenantID, actor: identity.subject, message: "reset")
        let changed = try await directory.resetPassword(
            of: id, tenantID: identity.tenantID, hash: hash, expiresAt: oneTime.expiry, event: event,
            deadline: deadline.forStatement)
        guard let changed else { throw IdentityError.userUnknown }
        await notices?.tell([event.stored(at: changed)], origin: origin)
        return password
    }

    // MARK: - Parts

    @discardableResult
    private func requireManageable(
        _ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> User {
        let present = try await user(id, by: identity, origin: origin)
        let held = try await roles.authority(of: identity, deadline: origin.scope.deadline.forStatement)
        try held.require(covering: present.authority)
        return present
    }

    private func requireOwn(_ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        guard try await !requireManageable(id, by: identity, origin: origin).isGuest else {
            throw IdentityError.invalid("user_id", "is a guest's: their own tenant changes the account")
        }
    }

    /// Before what takes an account over: it is the account of every tenant in which its user is a guest.
    private func requireNoMoreElsewhere(
        _ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws {
        guard !identity.runsSuite else { return }
        let holdsMore = try await repository.holdsMore(
            id, besides: identity.tenantID, deadline: origin.scope.deadline.forStatement)
        guard !holdsMore else { throw IdentityError.holdsMoreElsewhere }
    }
}
