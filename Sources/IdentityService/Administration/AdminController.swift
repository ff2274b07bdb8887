import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What administrators do with the users of their own tenant.
struct AdminController: Sendable {
    let users: UserAdministration
    let creation: UserCreation

    init(users: UserAdministration, creation: UserCreation) {
        self.users = users
        self.creation = creation
    }

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.usersRead)
            .get("users", use: list)
            .get("users/:user_id", use: user)
        group.requiring(.usersWrite)
            .post("users", use: create)
            .post("users/batch", use: createBatch)
            .put("users/:user_id", use: update)
            .put("users/:user_id/status", use: setStatus)
            .post("users/:user_id/approval") { try await decide(true, $0, $1) }
            .delete("users/:user_id/approval") { try await decide(false, $0, $1) }
        // What takes an account over, or cannot be taken back.
        group.requiring(.usersWrite).requiring(stepUp: AccessTokenClaims.powerAge)
            .post("users/:user_id/password-resets", use: resetPassword)
            .delete("users/:user_id", use: delete)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AdminUserView> {
        let page = try Page(request)
        let found = try await users.list(
            try UserFilter(request), page: page, by: context.identity, origin: RequestOrigin(context))
        return ListEnvelope(
            found.users.map(AdminUserView.init), total: found.total, countedUpTo: page.countBound, page: page)
    }

    @Sendable private func user(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AdminUserView> {
        let user = try await users.user(
            try context.userID(), by: context.identity, origin: RequestOrigin(context))
        return Envelope(AdminUserView(user))
    }

    @Sendable private func create(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CreatedUser> {
        let form = try await request.decode(as: UserForm.self, context: context)
        if form.givesPower { try context.identity.requireStepUp() }
        let made = try await creation.create(form, by: context.identity, origin: RequestOrigin(context))
        return Envelope(
            CreatedUser(user: AdminUserView(made.user), oneTimePassword: made.oneTimePassword), message: "created",
            status: .created)
    }

    @Sendable private func createBatch(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<BatchAnswer> {
        let body = try await request.decode(as: BatchRequest.self, context: context)
        if body.users.contains(where: \.givesPower) { try context.identity.requireStepUp() }
        let outcomes = try await creation.create(body.users, by: context.identity, origin: RequestOrigin(context))
        return Envelope(BatchAnswer(outcomes))
    }

    @Sendable private func update(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AdminUserView> {
        let id = try context.userID()
        let changes = try await request.decode(as: UserChangesRequest.self, context: context).changes()
        // Whoever has the address can have the password.
        if changes.email != nil { try context.identity.requireStepUp() }
        let user = try await users.update(id, changes, by: context.identity, origin: RequestOrigin(context))
        return Envelope(AdminUserView(user), message: "updated")
    }

    @Sendable private func delete(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        try await users.delete(try context.userID(), by: context.identity, origin: RequestOrigin(context))
        return Response(status: .noContent)
    }

    @Sendable private func setStatus(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AdminUserView> {
        let id = try context.userID()
        let body = try await request.decode(as: StatusRequest.self, context: context)
        guard let status = User.Status(rawValue: body.status), status != .deleted else {
            throw APIError.invalid("status", "must be active or disabled")
        }
        let user = try await users.setStatus(status, of: id, by: context.identity, origin: RequestOrigin(context))
        return Envelope(AdminUserView(user), message: status.rawValue)
    }

    @Sendable private func resetPassword(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ResetPassword> {
        let password = try await users.resetPassword(
            of: try context.userID(), by: context.identity, origin: RequestOrigin(context))
        return Envelope(
            ResetPassword(oneTimePassword: password),
            message:
                "The user is signed out everywhere. This password is shown once and must be changed at the next login.",
            status: .created)
    }

    @Sendable private func decide(
        _ approve: Bool, _ request: Request, _ context: AuthenticatedRequestContext
    ) async throws -> Response {
        try await users.decide(
            on: try context.userID(), approve: approve, by: context.identity, origin: RequestOrigin(context))
        return Response(status: .noContent)
    }
}

extension AuthenticatedRequestContext {
    /// The user that the path names.
    /// - Throws: ``IdentityError/userUnknown`` for what is no id.
    func userID() throws(IdentityError) -> UUID {
        guard let id = parameters.get("user_id", as: UUID.self) else { throw .userUnknown }
        return id
    }
}
