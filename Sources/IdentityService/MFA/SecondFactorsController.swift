import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What the mfa service tells and asks about users' second factors, and what administrators demand of them.
struct SecondFactorsController: Sendable {
    let repository: any IdentityRepository & SecondFactorRepository

    /// Adds the routes to a group at `api/v1/internal`.
    func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.post("second-factors", use: hear)
        group.get("tenants/:tenant_id/users/:user_id/mfa-enrolment", use: enrolment)
        group.get("tenants/:tenant_id/users/:user_id/authority", use: authority)
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addAdminRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.tenantsRead).get("mfa/policy", use: policy)
        group.requiring(.tenantsWrite).requiring(stepUp: AccessTokenClaims.powerAge)
            .put("mfa/policy", use: setPolicy)
    }

    @Sendable private func hear(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<SecondFactorReceipt> {
        let body = try await request.decode(as: SecondFactorReport.self, context: context)
        guard body.users.count <= SecondFactorReport.maximumUsers else {
            throw APIError.invalid("users", "has more than \(SecondFactorReport.maximumUsers) entries")
        }
        return Envelope(try await repository.hear(body, deadline: context.deadline.forStatement))
    }

    @Sendable private func enrolment(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<MFAEnrolment> {
        guard let tenant = context.parameters.get("tenant_id", as: UUID.self),
            let user = context.parameters.get("user_id", as: UUID.self),
            let account = try await repository.account(
                user, tenantID: tenant, deadline: context.deadline.forStatement), account.isUsable
        else { throw IdentityError.userUnknown }
        let name = account.user.email ?? account.user.username ?? account.user.phone ?? user.text
        return Envelope(
            MFAEnrolment(
                accountName: name, displayName: account.user.name ?? name,
                // Factors belong to the account, which is changed at home.
                isAllowed: account.mfaPolicy.mode != .off && !account.user.isGuest))
    }

    /// Of somebody whose account is shut, too: it may be opened again.
    @Sendable private func authority(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<UserAuthority> {
        let deadline = context.deadline.forStatement
        guard let tenant = context.parameters.get("tenant_id", as: UUID.self),
            let user = context.parameters.get("user_id", as: UUID.self),
            let account = try await repository.account(user, tenantID: tenant, deadline: deadline)
        else { throw IdentityError.userUnknown }
        // What a guest holds at home is not the host's to know, who changes nothing of the account.
        let isOwn = !account.user.isGuest
        let holdsMore = isOwn ? try await repository.holdsMore(user, besides: tenant, deadline: deadline) : false
        return Envelope(
            UserAuthority(
                roles: account.user.roles, permissions: account.user.permissions,
                applications: account.user.applications, holdsMoreElsewhere: holdsMore))
    }

    @Sendable private func policy(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MFAPolicy> {
        Envelope(try await repository.mfaPolicy(of: context.identity.tenantID, deadline: context.deadline.forStatement))
    }

    @Sendable private func setPolicy(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MFAPolicy> {
        let body = try await request.decode(as: PolicyBody.self, context: context)
        let policy = try body.policy()
        let identity = context.identity
        let event = try DomainEvent(
            type: .mfaPolicyChanged, subject: identity.tenantID.text, tenantID: identity.tenantID,
            data: EventDetail(
                actorID: identity.subject, actorType: "user", sessionID: identity.sessionID,
                ip: context.clientAddress, userAgent: context.userAgent, requestID: context.requestID,
                status: .success,
                details: [
                    "mode": policy.mode.rawValue, "roles": policy.roles.joined(separator: ","),
                    "remember_days": "\(policy.rememberDays)",
                ]))
        try await repository.setMFAPolicy(
            policy, of: identity.tenantID, event: event, deadline: context.deadline.forStatement)
        return Envelope(policy, message: "updated")
    }
}

private struct PolicyBody: Decodable {
    let mode: String
    let roles: [String]?
    let rememberDays: Int?

    enum CodingKeys: String, CodingKey {
        case mode, roles
        case rememberDays = "remember_days"
    }

    func policy() throws -> MFAPolicy {
        guard let mode = MFAPolicy.Mode(rawValue: mode) else {
            let names = MFAPolicy.Mode.allCases.map(\.rawValue).joined(separator: ", ")
            throw APIError.invalid("mode", "must be one of \(names)")
        }
        let roles = roles ?? []
        guard roles.count <= MFAPolicy.maximumRoles, roles.allSatisfy({ (1...64).contains($0.utf8.count) }) else {
            throw APIError.invalid("roles", "must be at most \(MFAPolicy.maximumRoles) names of roles")
        }
        guard mode != .requiredForRoles || !roles.isEmpty else {
            throw APIError.invalid("roles", "must name at least one role in this mode")
        }
        let days = rememberDays ?? MFAPolicy().rememberDays
        guard MFAPolicy.rememberDaysRange.contains(days) else {
            throw APIError.invalid("remember_days", "must be from 0 to \(MFAPolicy.rememberDaysRange.upperBound)")
        }
        return MFAPolicy(mode: mode, roles: roles, rememberDays: days)
    }
}
