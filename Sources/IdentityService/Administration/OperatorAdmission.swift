import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// Lets whoever runs the machines use the administrators' API. The internal secret is proof enough: with it any session can
/// be opened at the session service anyway. Each admission is in the audit trail.
struct OperatorAdmission: Sendable {
    static let lifetime = Duration.seconds(300)

    let repository: any IdentityRepository
    let tenants: any TenantRepository
    let tokens: any AccessTokenMinting

    init(repository: any IdentityRepository, tenants: any TenantRepository, tokens: any AccessTokenMinting) {
        self.repository = repository
        self.tenants = tenants
        self.tokens = tokens
    }

    /// Adds the route to a group at `api/v1/internal`.
    func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.post("operator-tokens", use: admit)
    }

    @Sendable private func admit(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<OperatorToken> {
        guard context.caller == Operator.caller else { throw APIError(.permissionDenied) }
        let body = try await request.decode(as: OperatorTokenRequest.self, context: context)
        let (origin, deadline) = (RequestOrigin(context), context.deadline.forStatement)
        guard (1...64).contains(body.name.unicodeScalars.count),
            body.name.unicodeScalars.allSatisfy({ $0.value > 0x1F })
        else { throw APIError.invalid("name", "must be 1 to 64 characters") }
        let tenant = try await tenant(body.tenant ?? DefaultTenant.slug, deadline: deadline)
        let event = try DomainEvent(
            type: .operatorAdmitted, subject: tenant.id.text, tenantID: tenant.id,
            data: EventDetail(
                actorID: Operator.id, actorType: "service", ip: origin.ip, requestID: context.requestID,
                status: .success, details: ["operator": body.name]))
        try await repository.append(event, deadline: deadline)
        let user = UserSnapshot(
            id: Operator.id, tenantID: tenant.id, username: "operator", status: "active",
            roles: [BuiltInRole.owner.rawValue], createdAt: Date())
        let access = try tokens.mint(
            AccessTokenGrant(
                user: user, sessionID: .v7(), authenticatedAt: Date(), methods: ["operator"],
                mustChangePassword: false, lifetime: Self.lifetime))
        return Envelope(OperatorToken(accessToken: access.token, expiresIn: access.expiresIn), status: .created)
    }

    private func tenant(_ text: String, deadline: Deadline) async throws -> Tenant {
        let found: Tenant?
        if let id = UUID(uuidString: text) {
            found = try await tenants.tenant(id, deadline: deadline)
        } else {
            found = try await tenants.tenant(slug: text, deadline: deadline)
        }
        guard let found else { throw IdentityError.tenantNotFound }
        return found
    }
}
