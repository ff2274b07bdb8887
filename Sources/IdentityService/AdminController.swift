import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What administrators do with the users of their own tenant.
struct AdminController: Sendable {
    let settings: AccountSettings
    let repository: any IdentityRepository

    init(settings: AccountSettings, repository: any IdentityRepository) {
        self.settings = settings
        self.repository = repository
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.usersRead).get("users", use: list).get("users/:user_id", use: user)
        group.requiring(.usersWrite).put("users/:user_id/status", use: setStatus)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<UserSnapshot> {
        let page = try Page(request)
        let found = try await repository.users(
            tenantID: context.identity.tenantID, offset: page.offset, limit: page.size,
            deadline: context.deadline.forStatement)
        return ListEnvelope(found.users.map(\.snapshot), total: found.total, page: page)
    }

    @Sendable private func user(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<UserSnapshot> {
        let id = try Self.userID(context)
        let user = try await settings.user(id, tenantID: context.identity.tenantID, origin: RequestOrigin(context))
        return Envelope(user.snapshot)
    }

    @Sendable private func setStatus(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<UserSnapshot> {
        let id = try Self.userID(context)
        let body = try await request.decode(as: StatusRequest.self, context: context)
        guard let status = User.Status(rawValue: body.status), status != .deleted else {
            throw APIError.invalid("status", "must be active or disabled")
        }
        let user = try await settings.setStatus(
            status, of: id, by: context.identity, origin: RequestOrigin(context))
        return Envelope(user.snapshot, message: status.rawValue)
    }

    private static func userID(_ context: AuthenticatedRequestContext) throws -> UUID {
        guard let id = context.parameters.get("user_id", as: UUID.self) else { throw IdentityError.userUnknown }
        return id
    }
}

private struct StatusRequest: Decodable {
    let status: String
}
