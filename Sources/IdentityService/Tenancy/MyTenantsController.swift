import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// Where a user works, and what they may do there.
struct MyTenantsController: Sendable {
    let switching: TenantSwitch
    let invitations: Invitations
    let check: PermissionCheck

    init(switching: TenantSwitch, invitations: Invitations, check: PermissionCheck) {
        self.switching = switching
        self.invitations = invitations
        self.check = check
    }

    /// Adds the routes to a group at `api/v1`. Users who must change their password first reach those of the second
    /// argument only.
    func addRoutes(
        to group: some RouterMethods<AuthenticatedRequestContext>,
        evenWithPasswordChangeDue due: some RouterMethods<AuthenticatedRequestContext>
    ) {
        due.get("auth/me/permissions", use: permissions)
        group.post("auth/check-permission", use: checkPermission)
        group.get("auth/me/tenants", use: list)
        group.delete("auth/me/tenants/:tenant_id", use: leave)
        group.post("auth/me/switch-tenant", use: enter)
        group.post("auth/me/invitations/accept", use: accept)
    }

    @Sendable private func permissions(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<PermissionList> {
        let granted = try await check.permissions(of: context.identity, deadline: context.deadline.forStatement)
        return Envelope(PermissionList(roles: context.identity.roles, permissions: granted))
    }

    @Sendable private func checkPermission(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<PermissionVerdict> {
        let body = try await request.decode(as: PermissionQuestion.self, context: context)
        let isAllowed = try await check.allows(
            body.permission, on: body.resource, to: context.identity, deadline: context.deadline.forStatement)
        return Envelope(PermissionVerdict(allowed: isAllowed))
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<MembershipView> {
        let held = try await switching.list(of: context.identity, origin: RequestOrigin(context))
        let views = held.map { MembershipView($0, current: context.identity.tenantID) }
        return ListEnvelope(
            views, total: views.count, countedUpTo: Membership.mostListed, page: Page(size: max(20, views.count)))
    }

    @Sendable private func leave(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        try await switching.leave(try context.tenantID(), by: context.identity, origin: RequestOrigin(context))
        return Response(status: .noContent)
    }

    @Sendable private func enter(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SignInAnswer> {
        let body = try await request.decode(as: SwitchRequest.self, context: context)
        let answer = try await switching.enter(body.tenantID, by: context.identity, origin: RequestOrigin(context))
        return Envelope(answer, message: "switched")
    }

    @Sendable private func accept(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AcceptedMembership> {
        let body = try await request.decode(as: AcceptRequest.self, context: context)
        let membership = try await invitations.accept(
            body.code, by: context.identity, origin: RequestOrigin(context))
        return Envelope(AcceptedMembership(membership), message: "You are a member.", status: .created)
    }
}

// MARK: - Bodies

private struct PermissionList: Encodable {
    let roles: [String]
    let permissions: [String]
}

private struct PermissionQuestion: Decodable {
    let permission: String
    let resource: String?
}

private struct PermissionVerdict: Encodable {
    let allowed: Bool
}

private struct SwitchRequest: Decodable {
    let tenantID: UUID

    enum CodingKeys: String, CodingKey { case tenantID = "tenant_id" }
}

private struct AcceptRequest: Decodable {
    let code: String

    enum CodingKeys: String, CodingKey { case code = "invitation_code" }
}

private struct AcceptedMembership: Encodable {
    let tenantID: String
    let status: String
    let roles: [String]

    init(_ membership: Membership) {
        tenantID = membership.tenantID.text
        status = membership.status.rawValue
        roles = membership.roles
    }

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case status, roles
    }
}
