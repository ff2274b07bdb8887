import Contracts
package import Foundation
package import MicroMiddleware

/// What is done with tenants: made, listed and suspended by the tenant that runs the suite, furnished with policies by their
/// own owners too.
package struct TenantAdministration: Sendable {
    let tenants: any TenantRepository
    let notices: SessionNotices?
    let now: @Sendable () -> Date

    package init(
        tenants: any TenantRepository, notices: SessionNotices? = nil, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.tenants = tenants
        self.notices = notices
        self.now = now
    }

    /// A page of all tenants for the operator; of one's own tenant alone for everybody else.
    package func list(
        by identity: AccessTokenClaims, page: Page, origin: RequestOrigin
    ) async throws -> (tenants: [Tenant], total: Int) {
        guard identity.isOperator else {
            let own = try await tenant(identity.tenantID, by: identity, origin: origin)
            return (page.number == 1 ? [own] : [], 1)
        }
        return try await tenants.tenants(
            offset: page.offset, limit: page.size, deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/tenantUnknown``, also of what is not the caller's to see.
    package func tenant(
        _ id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> Tenant {
        guard identity.isOperator || identity.tenantID == id else { throw IdentityError.tenantNotFound }
        let tenant = try await tenants.tenant(id, deadline: origin.scope.deadline.forStatement)
        guard let tenant else { throw IdentityError.tenantNotFound }
        return tenant
    }

    /// Makes a tenant, and the invitation by which its first owner comes in.
    /// - Throws: ``IdentityError/beyondAuthority``, ``IdentityError/invalid(_:)``, ``IdentityError/tenantTaken``
    package func create(
        _ changes: TenantChanges, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> (tenant: Tenant, ownerCode: InvitationCode) {
        guard identity.isOperator else { throw IdentityError.beyondAuthority }
        let tenant = try changes.makeTenant(id: .v7())
        let (code, time) = (InvitationCode(), now())
        let owner = Invitation(
            id: .v7(), tenantID: tenant.id, roles: [BuiltInRole.owner.rawValue], createdBy: identity.subject,
            createdAt: time, expiresAt: time + Invitations.defaultLifetime)
        let details = ["slug": tenant.slug, "name": tenant.name]
        let events = try [identity.tenantID, tenant.id].map {
            try origin.event(.tenantCreated, subject: tenant.id.text, tenantID: $0, by: identity, details: details)
        }
        try await tenants.insert(
            tenant, owner: owner, codeHash: code.hash, events: events, deadline: origin.scope.deadline.forStatement)
        return (tenant, code)
    }

    /// - Throws: ``IdentityError/tenantNotFound``, ``IdentityError/invalid(_:)``, also for login methods by which no owner
    ///   could sign in any more.
    package func update(
        _ id: UUID, _ changes: TenantChanges, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> Tenant {
        var tenant = try await tenant(id, by: identity, origin: origin)
        try changes.apply(to: &tenant)
        if changes.loginMethods != nil {
            let isKept = try await tenants.hasOwner(
                signingInBy: tenant.loginMethods, tenantID: id, deadline: origin.scope.deadline.forStatement)
            guard isKept else {
                throw IdentityError.invalid("login_methods", "must leave an owner a name to sign in by")
            }
        }
        let event = try origin.event(
            .tenantUpdated, subject: id.text, tenantID: id, by: identity, details: ["fields": changes.names])
        let updated = try await tenants.update(tenant, event: event, deadline: origin.scope.deadline.forStatement)
        guard let updated else { throw IdentityError.tenantNotFound }
        return updated
    }

    /// Suspending a tenant ends what everybody does there. The tenant that runs the suite cannot be suspended.
    /// - Throws: ``IdentityError/beyondAuthority``, ``IdentityError/tenantNotFound``, ``IdentityError/invalid(_:)``
    package func setStatus(
        _ status: Tenant.Status, of id: UUID, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> Tenant {
        guard identity.isOperator else { throw IdentityError.beyondAuthority }
        guard id != DefaultTenant.id else { throw IdentityError.invalid("status", "of the suite's own tenant stays") }
        let event = try origin.event(
            status == .active ? .tenantResumed : .tenantSuspended, subject: id.text, tenantID: id, by: identity)
        let changed = try await tenants.setStatus(
            status, of: id, event: event, deadline: origin.scope.deadline.forStatement)
        if let changed {
            await notices?.tell(changed.events, origin: origin)
            return changed.value
        }
        return try await tenant(id, by: identity, origin: origin)
    }
}
