import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What signed-in users ask about themselves.
struct MeController: Sendable {
    let settings: AccountSettings
    let passwordChange: PasswordChange

    init(settings: AccountSettings, passwordChange: PasswordChange) {
        self.settings = settings
        self.passwordChange = passwordChange
    }

    /// Adds the routes to a group at `api/v1`. Users who must change their password first reach those of the second
    /// argument only.
    func addRoutes(
        to group: some RouterMethods<AuthenticatedRequestContext>,
        evenWithPasswordChangeDue due: some RouterMethods<AuthenticatedRequestContext>
    ) {
        due.get("auth/me", use: me)
        group.put("auth/me", use: update)
        due.put("auth/me/password", use: changePassword)
    }

    @Sendable private func me(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<UserSnapshot> {
        Envelope(try await settings.own(context.identity, origin: RequestOrigin(context)))
    }

    @Sendable private func update(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<UserSnapshot> {
        let body = try await request.decode(as: UpdateRequest.self, context: context)
        let user = try await settings.update(
            context.identity, name: body.name, username: body.username, origin: RequestOrigin(context))
        return Envelope(user.snapshot, message: "updated")
    }

    @Sendable private func changePassword(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<PasswordChanged> {
        let body = try await request.decode(as: PasswordRequest.self, context: context)
        let access = try await passwordChange.change(
            by: context.identity, from: body.current, to: body.new, declared: body.transmission,
            origin: RequestOrigin(context))
        return Envelope(
            PasswordChanged(accessToken: access.token, expiresIn: access.expiresIn),
            message: "The password is changed, and every other session is signed out.")
    }
}

// MARK: - Bodies

private struct UpdateRequest: Decodable {
    let name: FieldChange<String>
    let username: String?

    enum CodingKeys: String, CodingKey {
        case name, username
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decodeChange(String.self, forKey: .name)
        username = try container.decodeIfPresent(String.self, forKey: .username)
    }
}

/// `current_password` or `old_password`, and `new_password` or `password`.
private struct PasswordRequest: Decodable {
    let current: String
    let new: String
    let transmission: String?

    enum CodingKeys: String, CodingKey {
        case currentPassword = "current_password"
        case oldPassword = "old_password"
        case newPassword = "new_password"
        case password
        case transmission = "password_transmission"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        current =
            try container.decodeIfPresent(String.self, forKey: .oldPassword)
            ?? container.decode(String.self, forKey: .currentPassword)
        new =
            try container.decodeIfPresent(String.self, forKey: .password)
            ?? container.decode(String.self, forKey: .newPassword)
        transmission = try container.decodeIfPresent(String.self, forKey: .transmission)
    }
}

private struct PasswordChanged: Encodable {
    let accessToken: String
    let expiresIn: Int
    let tokenType = "Bearer"

    enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
        case tokenType = "token_type"
    }
}
