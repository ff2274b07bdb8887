import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What administrators do with tenants and invitations.
struct TenantController: Sendable {
    let tenants: TenantAdministration
    let invitations: Invitations

    init(tenants: TenantAdministration, invitations: Invitations) {
        self.tenants = tenants
        self.invitations = invitations
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.tenantsRead)
            .get("tenants", use: list)
            .get("tenants/:tenant_id", use: tenant)
            .get("password-policy") { try await policy($0, $1) }
        // What weakens everybody's sign-in, makes an owner, or shuts a whole tenant out.
        group.requiring(.tenantsWrite).requiring(stepUp: AccessTokenClaims.powerAge)
            .post("tenants", use: create)
            .put("tenants/:tenant_id", use: update)
            .put("tenants/:tenant_id/status", use: setStatus)
            .put("password-policy", use: updatePolicy)
        group.requiring(.usersRead).get("invitations", use: listInvitations)
        group.requiring(.usersWrite)
            .post("invitations", use: invite)
            .delete("invitations/:invitation_id", use: revoke)
    }

    // MARK: - Tenants

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<TenantView> {
        let page = try Page(request)
        let found = try await tenants.list(by: context.identity, page: page, origin: RequestOrigin(context))
        return ListEnvelope(
            found.tenants.map { TenantView($0) }, total: found.total, countedUpTo: countLimit, page: page)
    }

    @Sendable private func tenant(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView> {
        let tenant = try await tenants.tenant(
            try context.tenantID(), by: context.identity, origin: RequestOrigin(context))
        return Envelope(TenantView(tenant))
    }

    @Sendable private func create(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView> {
        let changes = try await request.decode(as: TenantChanges.self, context: context)
        let made = try await tenants.create(changes, by: context.identity, origin: RequestOrigin(context))
        return Envelope(
            TenantView(made.tenant, ownerCode: made.ownerCode.text),
            message: "Whoever registers there with the owner_invitation_code becomes the owner. It is shown this once.",
            status: .created)
    }

    @Sendable private func update(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView> {
        let id = try context.tenantID()
        let changes = try await request.decode(as: TenantChanges.self, context: context)
        let tenant = try await tenants.update(id, changes, by: context.identity, origin: RequestOrigin(context))
        return Envelope(TenantView(tenant), message: "updated")
    }

    @Sendable private func setStatus(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView> {
        let id = try context.tenantID()
        let body = try await request.decode(as: StatusRequest.self, context: context)
        guard let status = Tenant.Status(rawValue: body.status) else {
            throw APIError.invalid("status", "must be active or suspended")
        }
        let tenant = try await tenants.setStatus(status, of: id, by: context.identity, origin: RequestOrigin(context))
        return Envelope(TenantView(tenant), message: status.rawValue)
    }

    @Sendable private func policy(
        _ request: Request, _ context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView.Policy> {
        let tenant = try await tenants.tenant(
            context.identity.tenantID, by: context.identity, origin: RequestOrigin(context))
        return Envelope(TenantView(tenant).passwordPolicy)
    }

    @Sendable private func updatePolicy(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TenantView.Policy> {
        var changes = TenantChanges()
        changes.passwordPolicy = try await request.decode(as: PasswordPolicyChanges.self, context: context)
        let tenant = try await tenants.update(
            context.identity.tenantID, changes, by: context.identity, origin: RequestOrigin(context))
        return Envelope(TenantView(tenant).passwordPolicy, message: "updated")
    }

    // MARK: - Invitations

    @Sendable private func listInvitations(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<InvitationView> {
        let page = try Page(request)
        let found = try await invitations.list(
            tenantID: context.identity.tenantID, page: page, origin: RequestOrigin(context))
        return ListEnvelope(
            found.invitations.map { InvitationView($0) }, total: found.total, countedUpTo: countLimit, page: page)
    }

    @Sendable private func invite(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<InvitationView> {
        let body = try await request.decode(as: InvitationRequest.self, context: context)
        if body.roles?.contains(where: { $0 != BuiltInRole.member.rawValue }) ?? false {
            try context.identity.requireStepUp()
        }
        let made = try await invitations.create(
            email: body.email, roles: body.roles ?? [], lifetime: body.expiresIn, by: context.identity,
            origin: RequestOrigin(context))
        return Envelope(
            InvitationView(made.invitation, code: made.code.text),
            message: Self.message(made.delivery), status: .created)
    }

    private static func message(_ delivery: InvitationDelivery) -> String {
        let once = "It is shown here this once, and lets one person in."
        return switch delivery {
        case .byHand: "The code is shown this once, and lets one person in."
        case .mail: "The code will be mailed to the address unless too many have gone there of late. \(once)"
        case .withheld:
            "The code is not mailed: \(Invitations.hourlyLimitOfAddress) were asked for that address within the hour. \(once)"
        }
    }

    @Sendable private func revoke(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        guard let id = context.parameters.get("invitation_id", as: UUID.self) else {
            throw IdentityError.invitationUnknown
        }
        try await invitations.revoke(id, by: context.identity, origin: RequestOrigin(context))
        return Response(status: .noContent)
    }
}

extension AuthenticatedRequestContext {
    /// The tenant that the path names.
    /// - Throws: ``IdentityError/tenantNotFound`` for what is no id.
    func tenantID() throws(IdentityError) -> UUID {
        guard let id = parameters.get("tenant_id", as: UUID.self) else { throw .tenantNotFound }
        return id
    }
}
