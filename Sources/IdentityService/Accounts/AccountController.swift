import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What signed-in users do with their account as a whole: prove themselves again, move it to another address.
struct AccountController: Sendable {
    let reauthentication: Reauthentication
    let emailChange: EmailChange

    init(reauthentication: Reauthentication, emailChange: EmailChange) {
        self.reauthentication = reauthentication
        self.emailChange = emailChange
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.post("auth/re-authenticate", use: reauthenticate)
        group.put("auth/me/email", use: requestEmailChange)
        group.post("auth/me/email/confirm", use: confirmEmailChange)
    }

    @Sendable private func reauthenticate(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<FreshToken> {
        let body = try await request.decode(as: ReauthenticationRequest.self, context: context)
        let token = try await reauthentication.again(
            by: context.identity, password: body.password, declared: body.transmission,
            origin: RequestOrigin(context))
        return Envelope(FreshToken(token), message: "This token is good for sensitive changes for five minutes.")
    }

    @Sendable private func requestEmailChange(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<EmailChangePending> {
        let body = try await request.decode(as: EmailRequest.self, context: context)
        try await emailChange.request(body.email, by: context.identity, origin: RequestOrigin(context))
        return Envelope(
            EmailChangePending(), message: "If the address is free, a code is on its way to it.", status: .accepted)
    }

    @Sendable private func confirmEmailChange(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<EmailChanged> {
        let body = try await request.decode(as: ConfirmRequest.self, context: context)
        try await emailChange.confirm(body.code, by: context.identity, origin: RequestOrigin(context))
        return Envelope(EmailChanged(), message: "The e-mail address is changed.")
    }
}

// MARK: - Bodies

private struct ReauthenticationRequest: Decodable {
    let password: String
    let transmission: String?

    enum CodingKeys: String, CodingKey {
        case password
        case transmission = "password_transmission"
    }
}

/// `email` or `new_email`.
private struct EmailRequest: Decodable {
    let email: String

    enum CodingKeys: String, CodingKey {
        case email
        case newEmail = "new_email"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        email =
            try container.decodeIfPresent(String.self, forKey: .newEmail)
            ?? container.decode(String.self, forKey: .email)
    }
}

private struct ConfirmRequest: Decodable {
    let code: String
}

private struct FreshToken: Encodable {
    let accessToken: String
    let expiresIn: Int
    let tokenType = "Bearer"

    init(_ token: MintedAccessToken) {
        accessToken = token.token
        expiresIn = token.expiresIn
    }

    enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
        case tokenType = "token_type"
    }
}

private struct EmailChangePending: Encodable {
    let expiresIn = Int(CodePurpose.emailChange.lifetime)

    enum CodingKeys: String, CodingKey {
        case expiresIn = "expires_in"
    }
}

private struct EmailChanged: Encodable {
    let changed = true
}
