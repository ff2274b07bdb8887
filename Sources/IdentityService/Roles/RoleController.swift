import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What administrators do with roles.
struct RoleController: Sendable {
    let roles: RoleAdministration
    let users: UserAdministration

    init(roles: RoleAdministration, users: UserAdministration) {
        self.roles = roles
        self.users = users
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.rolesRead)
            .get("permissions", use: permissions)
            .get("roles", use: list)
            .get("roles/:role", use: role)
            .get("users/:user_id/roles", use: held)
        group.requiring(.rolesWrite).requiring(stepUp: AccessTokenClaims.powerAge)
            .post("roles", use: create)
            .put("roles/:role", use: update)
            .delete("roles/:role", use: delete)
            .put("users/:user_id/roles", use: replace)
            .put("users/:user_id/roles/:role") { try await change($0, $1) { $0.union($1) } }
            .delete("users/:user_id/roles/:role") { try await change($0, $1) { $0.subtracting($1) } }
    }

    @Sendable private func permissions(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<[String]> {
        Envelope(Permission.allCases.map(\.rawValue).sorted())
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<RoleView> {
        let own = try await roles.list(tenantID: context.identity.tenantID, origin: RequestOrigin(context))
        let all = BuiltInRole.allCases.map(RoleView.init) + own.map(RoleView.init)
        return ListEnvelope(all, total: all.count, page: Page(size: all.count))
    }

    @Sendable private func role(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RoleView> {
        let name = try Self.role(context)
        if let role = BuiltInRole(rawValue: name) { return Envelope(RoleView(role)) }
        let role = try await roles.role(name, tenantID: context.identity.tenantID, origin: RequestOrigin(context))
        return Envelope(RoleView(role))
    }

    @Sendable private func create(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RoleView> {
        let body = try await request.decode(as: NewRole.self, context: context)
        let role = try await roles.create(
            name: body.name, description: body.description ?? "", permissions: body.permissions, by: context.identity,
            origin: RequestOrigin(context))
        return Envelope(RoleView(role), message: "created", status: .created)
    }

    @Sendable private func update(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RoleView> {
        let name = try Self.role(context)
        let body = try await request.decode(as: ChangedRole.self, context: context)
        let role = try await roles.update(
            name, description: body.description, permissions: body.permissions, by: context.identity,
            origin: RequestOrigin(context))
        return Envelope(RoleView(role), message: "updated")
    }

    @Sendable private func delete(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        try await roles.delete(try Self.role(context), by: context.identity, origin: RequestOrigin(context))
        return Response(status: .noContent)
    }

    // MARK: - Who holds which

    @Sendable private func held(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<HeldRoles> {
        let user = try await users.user(
            try context.userID(), by: context.identity, origin: RequestOrigin(context))
        return Envelope(HeldRoles(userID: user.id.text, roles: user.roles))
    }

    @Sendable private func replace(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<HeldRoles> {
        let id = try context.userID()
        let body = try await request.decode(as: RolesRequest.self, context: context)
        try Membership.requireRoom(for: body.roles)
        let made = try await roles.assign(to: id, by: context.identity, origin: RequestOrigin(context)) { _ in
            body.roles
        }
        return Envelope(HeldRoles(userID: id.text, roles: made.after), message: "updated")
    }

    @Sendable private func change(
        _ request: Request, _ context: AuthenticatedRequestContext,
        _ change: @escaping @Sendable (Set<String>, Set<String>) -> Set<String>
    ) async throws -> Envelope<HeldRoles> {
        let (id, name) = (try context.userID(), try Self.role(context))
        let made = try await roles.assign(to: id, by: context.identity, origin: RequestOrigin(context)) {
            Array(change(Set($0), [name]))
        }
        return Envelope(HeldRoles(userID: id.text, roles: made.after), message: "updated")
    }

    private static func role(_ context: AuthenticatedRequestContext) throws(IdentityError) -> String {
        guard let name = context.parameters.get("role"), (2...32).contains(name.utf8.count), !name.utf8.contains(0)
        else {
            throw .roleUnknown
        }
        return name
    }
}

// MARK: - Bodies

private struct NewRole: Decodable {
    let name: String
    let description: String?
    let permissions: [String]
}

private struct ChangedRole: Decodable {
    let description: String?
    let permissions: [String]?
}

private struct RolesRequest: Decodable {
    let roles: [String]
}

struct HeldRoles: Encodable, Sendable {
    let userID: String
    let roles: [String]

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case roles
    }
}

struct RoleView: Encodable, Sendable {
    let name: String
    let description: String
    let permissions: [String]
    let isBuiltIn: Bool
    let updatedAt: Date?

    init(_ role: BuiltInRole) {
        name = role.rawValue
        description = role.summary
        permissions = role.permissions.map(\.rawValue).sorted()
        isBuiltIn = true
        updatedAt = nil
    }

    init(_ role: CustomRole) {
        name = role.name
        description = role.description
        permissions = role.permissions
        isBuiltIn = false
        updatedAt = role.updatedAt
    }

    enum CodingKeys: String, CodingKey {
        case name, description, permissions
        case isBuiltIn = "is_built_in"
        case updatedAt = "updated_at"
    }
}

extension BuiltInRole {
    fileprivate var summary: String {
        switch self {
        case .owner: "May do everything in the tenant. A tenant always has one."
        case .admin: "Manages users, sessions and second factors; not roles, nor the tenant."
        case .auditor: "Reads the audit trail, users, roles and sessions."
        case .member: "A user."
        }
    }
}
